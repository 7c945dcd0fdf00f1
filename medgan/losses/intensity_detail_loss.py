"""The content loss of fusion GANs: intensity of one source, detail of the other."""

import keras
from keras import ops

from medgan.losses.fusion_loss import FusionLoss, check_weights
from medgan.ops.filters import grey, image_mean, pair

DETAILS = ("laplacian", "variation", "contrast")


@keras.saving.register_keras_serializable(package="medgan")
class IntensityDetailLoss(FusionLoss):
    """The intensity of one source and the detail of the other, as in FusionGAN and DDcGAN.

    With the source a of intensity, the source b of detail and the fused image F:

        intensity  intensity * mean (F - a)^2
        detail     detail * mean (L F - L b)^2                    "laplacian", FusionGAN
                   detail * mean (|dx (F - b)| + |dy (F - b)|)    "variation", DDcGAN's paper
                   detail * mean |c (F - b)|                      "contrast", DDcGAN's code

    L is the Laplacian of four neighbours, dx and dy are differences of neighbours, c is the mean of
    eight neighbours minus the pixel; borders are cut.
    For CT and MR the intensity is that of CT, the detail that of MR. The default is FusionGAN's:
    100 times both, 5 times the detail again.

    Args:
        intensity: weight of the intensity.
        detail: weight of the detail.
        intensity_source: which source gives the intensity, 0 or 1; the other gives the detail.
        kind: what detail is, `"laplacian"`, `"variation"` or `"contrast"`.

    Raises:
        ValueError: if a weight is negative, or there is no such source or kind.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import IntensityDetailLoss
        >>> sources = np.zeros((1, 8, 8, 2), "float32")
        >>> float(IntensityDetailLoss()(sources, sources[..., :1] + 0.5))
        25.0

    Reference:
        Ma et al., FusionGAN, 2019 (100 and 5 in the authors' code, 8 for 5 in the paper), on images
        in [-1, 1]: beside the adversarial loss both terms weigh a quarter here. Ma et al., DDcGAN,
        2020, whose norms are sums over the pixels: on crops of 84 x 84 and with a factor of 0.6, as
        for infrared, they are `intensity=264.6, detail=5080.3`.
    """

    def __init__(
        self,
        intensity=100.0,
        detail=500.0,
        intensity_source=0,
        kind="laplacian",
        name="intensity_detail_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_weights(intensity=intensity, detail=detail)
        if intensity_source not in (0, 1):
            raise ValueError(f"Received intensity_source={intensity_source}, expected 0 or 1.")
        if kind not in DETAILS:
            raise ValueError(f"Received kind={kind!r}, expected one of {', '.join(DETAILS)}.")
        self.intensity = intensity
        self.detail = detail
        self.intensity_source = intensity_source
        self.kind = kind

    def terms(self, sources, fused):
        """Returns both weighted terms, `(batch,)` each."""
        sources = pair(sources)
        fused = grey(fused)
        intensity = fused - sources[self.intensity_source]
        detail = fused - sources[1 - self.intensity_source]
        measure = {"laplacian": _laplacian, "variation": _variation, "contrast": _contrast}
        return {
            "intensity": self.intensity * image_mean(ops.square(intensity)),
            "detail": self.detail * measure[self.kind](detail),
        }

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "intensity": self.intensity,
            "detail": self.detail,
            "intensity_source": self.intensity_source,
            "kind": self.kind,
        }


def _laplacian(image):
    """Mean square of the Laplacian of `(batch, height, width)`."""
    inner = image[:, 1:-1, 1:-1]
    across = image[:, 1:-1, :-2] + image[:, 1:-1, 2:]
    along = image[:, :-2, 1:-1] + image[:, 2:, 1:-1]
    return image_mean(ops.square(across + along - 4 * inner))


def _variation(image):
    """Mean over pixels of the absolute differences to the right and downwards."""
    right = ops.abs(image[:, :-1, 1:] - image[:, :-1, :-1])
    down = ops.abs(image[:, 1:, :-1] - image[:, :-1, :-1])
    return image_mean(right + down)


def _contrast(image):
    """Mean over pixels of the absolute difference from the mean of the eight neighbours."""
    columns = image[:, :-2] + image[:, 1:-1] + image[:, 2:]
    squares = columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]
    return image_mean(ops.abs(squares - 9 * image[:, 1:-1, 1:-1]) / 8)
