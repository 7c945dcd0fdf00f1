"""Where results come from: a folder that somebody filled, or a function of the sources."""

import numpy as np

from medgan.classical import FUSION_METHODS
from medgan.data.paired_folders import natural_order
from medgan.errors import DataError, RecipeError
from medgan.evaluation.folders import UnusableImage, check_finite
from medgan.evaluation.study import by, several_files

BASELINES = ("average", "maximum", "laplacian")
# Networks overshoot [0, 1] a little and are clipped; beyond this they count in other units.
OVERSHOOT = 0.5


class FolderMethod:
    """A method that is known by its results.

    Args:
        name: what tables call it.
        folder: the `ImageFolder` of its results, called after the images of the study.
    """

    computed = False

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.cost = None

    def check_names(self, study, problems):
        """Reports results that are missing, superfluous, or there more than once.

        Args:
            study: the `Study` to score on.
            problems: `Problems`.

        Raises:
            DataError: if no result has the name of a reference.
        """
        files, twice = self.folder.files, self.folder.twice
        if not any(stem in files for stem in study.stems):
            received = next(iter([*files, *twice]))
            raise DataError(
                f"{self.name}: received results such as {received} in {self.folder.path}, none of "
                f"which is called like one of the {len(study)} images to score, such as "
                f"{study.stems[0]}; expected equal names without extension. Rename the files."
            )
        for name, stem in zip(study.names, study.stems, strict=True):
            if stem in twice:
                problems.add(several_files(stem, self.folder))
            elif stem not in files:
                reason = (
                    f"received no result in {self.folder.path}; expected {stem}.png or another "
                    "image of this name. Add it."
                )
                problems.add(UnusableImage(name, self.name, reason))
        for stem in sorted({*files, *twice} - study.known, key=natural_order):
            name = (twice[stem][0] if stem in twice else files[stem]).name
            reason = (
                "received a result without a source; expected results of the sources alone. "
                "Add the source, or remove it."
            )
            problems.add(UnusableImage(name, self.name, reason))

    def results(self, study, indices, references, problems):
        """Reads the results of some images of one size.

        Args:
            study: the `Study`.
            indices: the images.
            references: `(images, height, width, channels)`.
            problems: `Problems` that take what cannot be used.

        Returns:
            `(results, there)`: float32 `(images, height, width, 1)` in [0, 1], and for each image
            whether there is a result.
        """
        results = np.zeros((*references.shape[:3], 1), "float32")
        there = np.zeros(len(indices), bool)
        for position, index in enumerate(indices):
            stem = study.stems[index]
            if stem not in self.folder.files:
                continue  # said by check_names
            try:
                image = self.folder.read(stem)
                if image.shape != references.shape[1:3]:
                    reason = (
                        f"received {by(image)} pixels, expected {by(references[position])} like "
                        f"{' and '.join(study.titles)}. Resample or pad it."
                    )
                    raise UnusableImage(self.folder.files[stem].name, self.name, reason)
            except UnusableImage as error:
                problems.add(error)
                continue
            results[position, ..., 0], there[position] = image, True
        return results, there


class ComputedMethod:
    """A method that computes its results, which are scored as if saved with 8 bits.

    Args:
        name: what tables call it.
        function: from what the study gives, `(batch, height, width, channels)` in [0, 1], to
            results `(batch, height, width, 1)`.
        batch_size: most images that the function gets at once.
        cost: `{"parameters", "macs", "milliseconds"}`, or None where nobody measured.
    """

    computed = True

    def __init__(self, name, function, batch_size=16, cost=None):
        self.name = name
        self.function = function
        self.batch_size = batch_size
        self.cost = cost

    def check_names(self, study, problems):
        """Nothing to check: it gives a result for every image."""

    def results(self, study, indices, references, problems):
        """Computes the results of some images of one size; see `FolderMethod.results`.

        Images of a size that the function refuses are left out, as are results that are not finite
        or far outside [0, 1]; a small overshoot is clipped.
        """
        there = np.ones(len(indices), bool)
        size = self.batch_size
        try:
            given = study.given(indices, references)
            parts = [
                np.asarray(self.function(given[start : start + size]), "float32")
                for start in range(0, len(given), size)
            ]
        except ValueError as error:
            reason = " ".join(str(error).split())[:300]
            for index in indices:
                problems.add(
                    UnusableImage(study.names[index], self.name, reason[:1].lower() + reason[1:])
                )
            return np.zeros((*references.shape[:3], 1), "float32"), ~there
        results = np.concatenate(parts)
        for position, index in enumerate(indices):
            try:
                _check_computed(results[position])
            except DataError as error:
                problems.add(UnusableImage(study.names[index], self.name, error))
                results[position], there[position] = 0, False
        return _as_saved(np.clip(results, 0, 1)), there


def _check_computed(result):
    """Refuses a result that clipping would turn into another image.

    Raises:
        DataError: if it is not finite, or far outside [0, 1].
    """
    check_finite(result)
    low, high = result.min(), result.max()
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise DataError(
            f"received values from {low:g} to {high:g}, expected [0, 1]. Scale what the method "
            "gives."
        )


def _as_saved(results):
    """What a file of 8 bits would give back.

    An average of two grey levels often lies half way between two others. Rounding to thousandths
    first takes the noise of float32 off it, so that it goes to the even one, as in whole numbers.
    """
    levels = np.round(np.round(255 * results.astype("float64"), 3))
    return (levels / 255).astype("float32")


def classical_methods(names=(), baselines=True):
    """Methods without learning, the baselines first.

    Args:
        names: keys of `medgan.classical.FUSION_METHODS`; `"all"` stands for all of them.
        baselines: whether average, maximum and Laplacian pyramid are there unasked.

    Returns:
        List of `ComputedMethod`.

    Raises:
        RecipeError: if there is no such method.
    """
    wanted = list(BASELINES) if baselines else []
    for name in names:
        if name != "all" and name not in FUSION_METHODS:
            raise RecipeError(
                f"Received --classical {name!r}, expected some of all, {', '.join(FUSION_METHODS)}."
            )
        wanted += FUSION_METHODS if name == "all" else [name]
    return [ComputedMethod(name, FUSION_METHODS[name]) for name in dict.fromkeys(wanted)]
