"""Scores folders of generated images as sets: nothing pairs, so there is no value per image."""

import numpy as np

from medgan.errors import DataError, RecipeError
from medgan.evaluation.folders import UnusableImage
from medgan.evaluation.loading import load_network, saved_network
from medgan.metrics.synthesis_scores import BATCH, SMALLEST_SET, encode, score_features
from medgan.networks import inception_encoder

BUILT_IN = (
    "Features: medgan's wavelet scattering encoder, which nobody trained. Its distances compare "
    "runs on the same data; they are no FID of the literature."
)


def load_encoder(path):
    """An encoder from a file, or None for the built-in one.

    Args:
        path: a `.keras` file of a model from `(batch, height, width, 1)` in [0, 1] to
            `(batch, features)`, an `.h5` file of InceptionV3's weights, or None.

    Returns:
        `(encoder or None, sentence that names it)`.

    Raises:
        RecipeError: if the file holds neither, or its model gives no vector for each image.
    """
    if path is None:
        return None, BUILT_IN
    weights = str(path).endswith(".h5")
    encoder = load_network(
        path,
        f"--encoder {path}",
        "a .keras model or the .h5 weights of InceptionV3",
        inception_encoder if weights else saved_network,
    )
    if weights:
        return encoder, f"Features: InceptionV3, weights of {path}."
    shape = getattr(encoder, "output_shape", None)
    # A model that is no graph of layers does not know; one of several outputs has several shapes.
    if shape is not None and not (
        isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[1], int)
    ):
        raise RecipeError(
            f"Received --encoder {path} with an output of shape {shape}, expected "
            "(batch, features). End it with a global average pooling."
        )
    return encoder, f"Features: {encoder.name} of {path}."


def folder_features(folder, encoder, problems, on_progress=None):
    """Features of every image of a folder that can be used.

    Args:
        folder: an `ImageFolder`.
        encoder: Keras model from grey images to features, or None for the built-in one.
        problems: `Problems` that take images that are left out.
        on_progress: called after every batch with the number of its images.

    Returns:
        `(images, features)`.

    Raises:
        DataError: if too few images are left.
    """
    waiting, parts = {}, []
    before = len(problems.lines)

    def flush(shape):
        stems, images = zip(*waiting.pop(shape), strict=True)
        try:
            parts.append(encode(encoder, [np.stack(images)[..., None]]))
        except ValueError as error:
            said = (
                f"the encoder cannot take images of {shape[0]} x {shape[1]} pixels: "
                f"{' '.join(str(error).split())[:200]} Give larger images, or another --encoder."
            )
            for stem in stems:
                problems.add(UnusableImage(folder.files[stem].name, folder.title, said))
        if on_progress is not None:
            on_progress(len(images))

    for stem in folder.files:
        try:
            image = folder.read(stem)
        except UnusableImage as error:
            problems.add(error)
            continue
        waiting.setdefault(image.shape, []).append((stem, image))
        if len(waiting[image.shape]) == BATCH:
            flush(image.shape)
    for shape in list(waiting):
        flush(shape)
    count = sum(len(part) for part in parts)
    if count < SMALLEST_SET:
        lines = problems.lines[before:]
        first = f" The first of {len(lines)} problems: {lines[0]}" if lines else ""
        raise DataError(
            f"{folder.title}: received {count} images that can be used, expected at least "
            f"{SMALLEST_SET} to compare sets. Give more images.{first}"
        )
    return np.concatenate(parts)


def score_sets(real, generated, encoder, problems, on_progress=None):
    """Scores sets of generated images against one set of real images.

    Args:
        real: `ImageFolder` of images that no generator has seen.
        generated: `ImageFolder`s, called like the methods.
        encoder: Keras model from grey images to features, or None for the built-in one.
        problems: `Problems` that take images that are left out.
        on_progress: called after every batch with the number of its images.

    Returns:
        `(scores, sizes, notes)`: method to score to a float; number of images of each set, the
        real one first; sentences about the sets.

    Raises:
        DataError: if a set has too few images, or features that are not finite.
    """
    folders = [real, *generated]
    features = [folder_features(folder, encoder, problems, on_progress) for folder in folders]
    scores = {}
    for folder, own in zip(generated, features[1:], strict=True):
        try:
            scores[folder.title] = score_features(features[0], own)
        except ValueError as error:
            raise DataError(
                f"{folder.title} against {real.title}: {error} Or take another --encoder."
            ) from error
    sizes = [len(own) for own in features]
    counts = [f"{folder.title} {size}" for folder, size in zip(folders, sizes, strict=True)]
    notes = [
        f"Images in the sets: {', '.join(counts)}. Scores are of whole sets: no intervals and no "
        "tests."
    ]
    if len(set(sizes[1:])) > 1:
        notes.append(
            "Sets of different numbers cannot be compared in FID, precision, recall, density or "
            "coverage; read KID."
        )
    for folder in folders:
        notes += folder.notes()
    return scores, sizes, notes
