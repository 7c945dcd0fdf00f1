"""Contrast of the phantoms' structures in a fused image, relative to the source that shows it best.

No loss trains for it, and no ground truth but the phantoms' labels makes it possible.
"""

import functools

import keras
import numpy as np
from keras import ops

from medgan.data import phantom_anatomy as anatomy
from medgan.metrics.score import Score
from medgan.ops import contrast_to_noise, quantise

# Name to (labels of the structure, labels of what a reader compares it with).
STRUCTURES = {
    # Only CT shows bone bright; in MR it is as dark as air, which is a contrast as well.
    "bone": (
        (anatomy.BONE,),
        (anatomy.SKIN, anatomy.FAT, anatomy.MUSCLE, anatomy.CSF, anatomy.GREY_MATTER),
    ),
    # Only CT shows the bleed.
    "bleed": ((anatomy.BLEED,), (anatomy.GREY_MATTER, anatomy.WHITE_MATTER)),
    # Only MR shows the oedema, which spreads in white matter alone.
    "oedema": ((anatomy.OEDEMA,), (anatomy.WHITE_MATTER,)),
    # MR tells them well apart, CT barely.
    "grey_white": ((anatomy.GREY_MATTER,), (anatomy.WHITE_MATTER,)),
}
REACH = 8  # pixels around a structure, along rows and columns, that it is compared with
FEWEST_PIXELS = 12
FAINTEST = 0.1  # CNR below which not even the better source shows the structure


def _mask(labels, wanted):
    return functools.reduce(ops.logical_or, [labels == label for label in wanted])


def _near(mask):
    """Grows a mask by `REACH` pixels: the neighbours, where coil and beam shade alike."""
    grown = ops.cast(mask, "float32")[..., None]
    for window in ((2 * REACH + 1, 1), (1, 2 * REACH + 1)):
        grown = ops.max_pool(grown, window, 1, "same", data_format="channels_last")
    return grown[..., 0] > 0


def _relative_contrast(sources, fused, labels, structure):
    """Returns the CNR of one structure over that of the better source, NaN without structure."""
    inside, outside = (_mask(labels, wanted) for wanted in STRUCTURES[structure])
    outside = ops.logical_and(outside, _near(inside))
    in_fused, in_first, in_second = (
        contrast_to_noise(images, inside, outside)
        for images in (fused, sources[..., :1], sources[..., 1:])
    )
    best = ops.maximum(in_first, in_second)
    pixels = [ops.sum(ops.cast(mask, "int32"), axis=(1, 2)) for mask in (inside, outside)]
    there = ops.minimum(*pixels) >= FEWEST_PIXELS
    shown = ops.logical_and(there, best >= FAINTEST)
    return ops.where(shown, in_fused / ops.where(shown, best, 1.0), float("nan"))


def phantom_contrast(sources, fused, labels):
    """How well a fused phantom shows its structures: relative contrast-to-noise ratios.

    A structure is compared with those of its neighbours, within 8 pixels, that a reader compares
    it with: bone with soft tissue and CSF, a bleed with grey and white matter, an oedema with
    white matter, grey with white matter. The ratio ignores gain: half the contrast in half the
    noise counts the same. Above 1 the result shows a structure better than either source.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.
        labels: `(batch, height, width)`, whole numbers, see `medgan.data.phantom_labels`.

    Returns:
        Dict of `cnr_bone`, `cnr_bleed`, `cnr_oedema` and `cnr_grey_white`, `(batch,)` each: CNR in
        the result over the larger CNR of both sources. NaN where the structure, or what it is
        compared with, has fewer than 12 pixels, or where neither source shows it.

    Example:
        >>> import numpy as np
        >>> from medgan.data import phantom_labels, phantoms
        >>> from medgan.metrics.phantom_scores import phantom_contrast
        >>> images = np.stack(phantoms(2, patients=1, image_size=64).images).astype("float32")
        >>> labels = np.stack(phantom_labels(2, patients=1, image_size=64))
        >>> ratios = phantom_contrast(images, images[..., :1], labels)
        >>> bool(ratios["cnr_grey_white"][0] < 0.7)  # CT alone does not tell them apart
        True
    """
    return {
        f"cnr_{structure}": _relative_contrast(sources, fused, labels, structure)
        for structure in STRUCTURES
    }


def score_phantoms(sources, fused, labels):
    """`phantom_contrast` of images in [0, 1], scored as an 8-bit file would hold them.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].
        fused: `(batch, height, width, 1)`, in [0, 1].
        labels: `(batch, height, width)`, whole numbers.

    Returns:
        Dict of arrays `(batch,)`, see `phantom_contrast`.
    """
    labels = ops.cast(labels, "int32")
    ratios = phantom_contrast(quantise(sources), quantise(fused), labels)
    return {key: np.asarray(values) for key, values in ratios.items()}


@keras.saving.register_keras_serializable(package="medgan")
class RelativeContrast(keras.metrics.Mean):
    """Mean over images of the relative contrast of one structure, as a Keras metric.

    Images without the structure are skipped; without any, the result is 0.

    `y_true` is `(batch, height, width, 3)`: the two sources in [0, 1], and the label map as whole
    numbers; `y_pred` `(batch, height, width, 1)` the fused images in [0, 1]. They are scored as an
    8-bit file would hold them.

    Args:
        structure: `"bone"`, `"bleed"`, `"oedema"` or `"grey_white"`.
        name: name of the metric, `cnr_` and the structure by default.
        dtype: type of the state.

    Raises:
        ValueError: if there is no such structure.

    Example:
        >>> import numpy as np
        >>> from medgan.data import phantom_labels, phantoms
        >>> from medgan.metrics import RelativeContrast
        >>> sources = phantoms(1, patients=1, image_size=64).images[0][None] / 255
        >>> labels = phantom_labels(1, patients=1, image_size=64)[0][None, ..., None]
        >>> metric = RelativeContrast("bone")
        >>> metric.update_state(np.concatenate([sources, labels], axis=-1), sources[..., :1])
        >>> metric.name, round(float(metric.result()), 2)
        ('cnr_bone', 1.0)
    """

    def __init__(self, structure="bone", name=None, dtype=None):
        if structure not in STRUCTURES:
            raise ValueError(
                f"Received the structure {structure!r}, expected one of {', '.join(STRUCTURES)}."
            )
        super().__init__(name=name or f"cnr_{structure}", dtype=dtype)
        self.structure = structure

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch to the mean."""
        y_true = ops.cast(y_true, "float32")
        sources, labels = quantise(y_true[..., :2]), ops.cast(ops.round(y_true[..., 2]), "int32")
        ratios = _relative_contrast(sources, quantise(y_pred), labels, self.structure)
        absent = ops.isnan(ratios)
        weights = ops.cast(ops.logical_not(absent), "float32")
        if sample_weight is not None:
            weights = weights * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        super().update_state(ops.where(absent, 0.0, ratios), weights)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"structure": self.structure, "name": self.name, "dtype": self.dtype}


def _score(structure, title, about):
    return Score(
        title,
        functools.partial(_relative_contrast, structure=structure),
        f"CNR of {about} within {REACH} pixels, over that of the source that shows it best; 1 is "
        f"as good as that source. Left out below {FEWEST_PIXELS} pixels.",
        "ours; phantoms only",
    )


PHANTOM_SCORES = {
    "cnr_bone": _score("bone", "CNR bone", "bone against soft tissue and CSF"),
    "cnr_bleed": _score("bleed", "CNR bleed", "the bleed against grey and white matter"),
    "cnr_oedema": _score("oedema", "CNR oedema", "the oedema against white matter"),
    "cnr_grey_white": _score("grey_white", "CNR grey/white", "grey against white matter"),
}
"""Name to `Score`, in the order of tables; functions of (sources, fused, labels) in 0..255."""
