"""Scores folders of generated images as sets: nothing pairs, so there is no value per image."""

import keras
import numpy as np

from medgan.errors import DataError, RecipeError
from medgan.evaluation.folders import UnusableImage
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
        RecipeError: if the file holds neither.
    """
    if path is None:
        return None, BUILT_IN
    try:
        if str(path).endswith(".h5"):
            encoder = inception_encoder(path)
            return encoder, f"Features: InceptionV3, weights of {path}."
        encoder = keras.models.load_model(path, compile=False)
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"Cannot load --encoder {path}: {reason[:200]} Expected a .keras model or the .h5 "
            "weights of InceptionV3."
        ) from error
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
        DataError: if too few images are left, or the encoder cannot take them.
    """
    waiting, parts = {}, []

    def flush(shape):
        images = np.stack(waiting.pop(shape))[..., None]
        try:
            parts.append(encode(encoder, [images]))
        except ValueError as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{folder.title}: the encoder cannot take images of {shape[0]} x {shape[1]} "
                f"pixels: {reason} Give larger images, or another --encoder."
            ) from error
        if on_progress is not None:
            on_progress(len(images))

    for stem in folder.files:
        try:
            image = folder.read(stem)
        except UnusableImage as error:
            problems.add(error)
            continue
        waiting.setdefault(image.shape, []).append(image)
        if len(waiting[image.shape]) == BATCH:
            flush(image.shape)
    for shape in list(waiting):
        flush(shape)
    count = sum(len(part) for part in parts)
    if count < SMALLEST_SET:
        raise DataError(
            f"{folder.title}: received {count} images that can be used, expected at least "
            f"{SMALLEST_SET} to compare sets. Give more images."
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
        `(scores, notes)`: method to score to a float; sentences about the sets.

    Raises:
        DataError: if a set has too few images.
    """
    folders = [real, *generated]
    features = [folder_features(folder, encoder, problems, on_progress) for folder in folders]
    scores = {
        folder.title: score_features(features[0], own)
        for folder, own in zip(generated, features[1:], strict=True)
    }
    counts = [f"{folder.title} {len(own)}" for folder, own in zip(folders, features, strict=True)]
    notes = [
        f"Images in the sets: {', '.join(counts)}. Scores are of whole sets: no intervals and no "
        "tests."
    ]
    if len({len(own) for own in features[1:]}) > 1:
        notes.append(
            "Sets of different numbers cannot be compared in FID, precision, recall, density or "
            "coverage; read KID."
        )
    for folder in folders:
        notes += folder.notes()
    return scores, notes
