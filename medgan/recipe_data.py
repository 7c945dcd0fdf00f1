"""The images that a recipe names: read, brought to size, divided by patient."""

import functools

import cv2
import numpy as np

from medgan import data
from medgan.data import Pairs, split_by_patient, training_batches
from medgan.data.pairs import FULL_SCALE
from medgan.errors import DataError, RecipeError
from medgan.recipe.building import check_keys, find, signature
from medgan.recipe.checking import near

SPLIT_KEYS = ("validation_patients", "test_patients")
PIPELINE_KEYS = ("crop", "flips", "vertical_flips", "rotations", "minimum_foreground")
TASK_KEYS = {"task": "fusion", "source": "", "resize": 0}


class RecipeData:
    """What `[data]` of a recipe comes to.

    Args:
        recipe: a `medgan.recipe.Recipe`.

    Attributes:
        pairs: all pairs.
        split: training, validation and test pairs.
        seed: `data.seed`, which draws phantoms and divides patients.
        source: channel of `data.source`, 0 or 1; None where the recipe names none.
        settings: settings of the batches for training.

    Raises:
        RecipeError: for an unknown key or modality.
        DataError: for anything wrong with the images or the split.
    """

    def __init__(self, recipe):
        table = recipe["data"]
        self._recipe = recipe
        self.pairs, self.split = load_data(recipe)
        self.seed = table.get("seed", 0)
        self.settings = {key: table[key] for key in PIPELINE_KEYS if key in table}
        self.source = None
        wanted, modalities = table.get("source", ""), self.pairs.modalities
        if wanted and wanted not in modalities:
            raise RecipeError(f"[data] source: received {wanted!r}. {near(wanted, modalities)}")
        if wanted:
            self.source = modalities.index(wanted)

    @functools.cached_property
    def labels(self):
        """What every pixel of the phantoms shows; see `load_labels`. Drawn when first asked for."""
        return load_labels(self._recipe, self.pairs)


def load_data(recipe):
    """Reads the pairs that `[data]` names and divides them by patient.

    Keys of the other built-in source may stand in the table, so that `data.type` alone turns a
    recipe from one to the other.

    Returns:
        `(pairs, split)`.

    Raises:
        RecipeError: for an unknown key.
        DataError: for anything wrong with the images or the split.
    """
    table = recipe["data"]
    source = find(table.get("type"), "[data]")
    known = signature(source)
    others = {**signature(data.phantoms), **signature(data.paired_folders), **TASK_KEYS}
    pipeline = signature(training_batches)
    others.update({key: pipeline[key] for key in PIPELINE_KEYS})
    check_keys(table, {**others, "seed": 0, **known}, "[data]", extra=SPLIT_KEYS)
    if "root" in known and not table.get("root"):
        raise DataError(
            f"data.root is empty, expected the folder of the {table['type']}. "
            "Set it: --set data.root=DIR."
        )
    if "root" not in known and table.get("root"):
        raise RecipeError(
            f"data.root is {table['root']!r}, but {table['type']} read no folder. Set the type of "
            "your images too: --set data.type=paired_folders."
        )
    arguments = {key: value for key, value in table.items() if key in known}
    pairs = resized(source(**arguments), table.get("resize", 0))
    parts = {key: table[key] for key in SPLIT_KEYS if key in table}
    return pairs, split_by_patient(pairs, seed=table.get("seed", 0), **parts)


def load_labels(recipe, pairs):
    """What every pixel of the phantoms shows.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        pairs: all pairs of the recipe, from `load_data`.

    Returns:
        Name of a pair to a map `(height, width)`; None where the data are no phantoms, or were
        resized.
    """
    table = recipe["data"]
    if find(table.get("type"), "[data]") is not data.phantoms:
        return None
    known = signature(data.phantoms)
    arguments = {key: value for key, value in table.items() if key in known}
    maps = data.phantom_labels(**arguments)
    if any(label.shape != size for label, size in zip(maps, pairs.sizes(), strict=True)):
        return None
    return dict(zip(pairs.names, maps, strict=True))


def resized(pairs, side):
    """Pairs whose shorter side is `side`, the middle square of each; 0 leaves them as they are.

    Averages over areas where it reduces, so that nothing aliases.

    Args:
        pairs: `Pairs`.
        side: pixels.

    Returns:
        `Pairs`; the same where every image has the size already.
    """
    if not side or set(pairs.sizes()) == {(side, side)}:
        return pairs
    images = tuple(_square(image, side) for image in pairs.images)
    return Pairs(pairs.names, pairs.patients, images, pairs.modalities)


def _square(image, side):
    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = np.ascontiguousarray(image[top : top + edge, left : left + edge])
    way = cv2.INTER_AREA if edge > side else cv2.INTER_LINEAR
    scaled = cv2.resize(middle, (side, side), interpolation=way)
    # Sums in float32 may overshoot full scale by a rounding.
    return np.clip(scaled, 0, FULL_SCALE[image.dtype.name]).astype(image.dtype)


def spread(pairs, count):
    """At most `count` pairs, evenly spread over all of them."""
    return pairs.select(
        sorted({round(i) for i in np.linspace(0, len(pairs) - 1, min(count, len(pairs)))})
    )


def of_one_size(pairs):
    """The pairs that have the size of the first."""
    sizes = pairs.sizes()
    return pairs.select(index for index, size in enumerate(sizes) if size == sizes[0])
