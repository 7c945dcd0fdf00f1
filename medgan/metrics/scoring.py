"""All scores of a method at once, image by image, averaged by patient."""

import functools

import keras
import numpy as np

from medgan.metrics.fusion_scores import FUSION_SCORES
from medgan.metrics.image_scores import scaled
from medgan.metrics.translation_scores import TRANSLATION_SCORES
from medgan.ops import quantise

# Fusion is scored as 8-bit files would hold it; a translation keeps its precision.
TASKS = {"fusion": (FUSION_SCORES, quantise), "translation": (TRANSLATION_SCORES, scaled)}


def applicable(scores, side, keys=None):
    """Keys of the scores that images with this shorter side have room for.

    Args:
        scores: table of `Score`s.
        side: shorter side in pixels.
        keys: the scores that are wanted; None means all.

    Returns:
        Tuple of keys, in the order of the table.

    Raises:
        ValueError: if a wanted score is not in the table.
    """
    unknown = [key for key in keys or () if key not in scores]
    if unknown:
        raise ValueError(
            f"Received the score {unknown[0]!r}, expected some of {', '.join(scores)}."
        )
    wanted = scores if keys is None else keys
    return tuple(key for key in scores if key in wanted and scores[key].smallest_side <= side)


@functools.lru_cache(maxsize=32)
def scorer(task, keys):
    """Compiles several scores into one function, which shares what they have in common.

    Args:
        task: `"fusion"` or `"translation"`.
        keys: tuple of score names.

    Returns:
        Function from (reference, result), float in [0, 1] of any batch size, to a dict of one
        value per image and score.
    """
    scores, prepared = TASKS[task]

    def score(reference, result):
        reference, result = prepared(reference), prepared(result)
        return {key: scores[key].function(reference, result) for key in keys}

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(score, reduce_retracing=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(score)
    return score


def score_images(task, reference, result, keys=None):
    """Scores a batch of results against what they were made of, or should be.

    Args:
        task: `"fusion"` or `"translation"`.
        reference: fusion: sources `(batch, height, width, 2)`; translation: targets
            `(batch, height, width, 1)`; float in [0, 1].
        result: `(batch, height, width, 1)`, float in [0, 1].
        keys: names of the scores; None means every one that the size has room for.

    Returns:
        Score name to an array with one value per image; NaN for an image that is not finite.

    Raises:
        ValueError: if a score is not in the table of the task.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import score_images
        >>> target = np.zeros((2, 16, 16, 1), "float32")
        >>> score_images("translation", target, target + 1, ["rmse", "psnr"])["rmse"].tolist()
        [255.0, 255.0]
    """
    reference, result = np.asarray(reference, "float32"), np.asarray(result, "float32")
    keys = applicable(TASKS[task][0], min(reference.shape[1:3]), keys)
    values = scorer(task, keys)(reference, result)
    # Clipping, masks and bins could make a number of what is none.
    finite = np.isfinite(reference).all(axis=(1, 2, 3)) & np.isfinite(result).all(axis=(1, 2, 3))
    return {key: np.where(finite, np.asarray(values[key]), np.float32("nan")) for key in keys}


def score_fusion(method, batches, keys=None):
    """Scores what a method makes of batches of sources.

    Args:
        method: callable from sources `(batch, height, width, 2)` in [0, 1] to fused images
            `(batch, height, width, 1)`; a Keras model is called with `training=False` by default.
        batches: iterable of sources.
        keys: names in `FUSION_SCORES`; None means every one that the images have room for.

    Returns:
        Score name to an array with one value per image, on 0..255, clipped and rounded; NaN for an
        image that is too small for a score which others have room for.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import score_fusion
        >>> sources = np.random.default_rng(0).uniform(size=(2, 48, 48, 2))
        >>> scores = score_fusion(lambda x: x.max(-1, keepdims=True), [sources], ["ssim", "vif"])
        >>> sorted(scores), scores["vif"].shape
        (['ssim', 'vif'], (2,))
    """
    return _joined(score_images("fusion", x, method(x), keys) for x in batches)


def score_translation(method, batches, keys=None):
    """Scores what a method makes of batches of (source, target).

    Args:
        method: callable from sources `(batch, height, width, channels)` in [0, 1] to outputs
            `(batch, height, width, 1)`.
        batches: iterable of (source, target).
        keys: names in `TRANSLATION_SCORES`; None means every one that the images have room for.

    Returns:
        Score name to an array with one value per image, on 0..255, clipped; NaN for an image that
        is too small for a score which others have room for.
    """
    return _joined(score_images("translation", y, method(x), keys) for x, y in batches)


def _joined(parts):
    """Arrays of several batches as one; an absent score counts as NaN."""
    parts = list(parts)
    keys = list(dict.fromkeys(key for part in parts for key in part))
    counts = [len(next(iter(part.values()), ())) for part in parts]
    return {
        key: np.concatenate(
            [
                part.get(key, np.full(count, np.nan))
                for part, count in zip(parts, counts, strict=True)
            ]
        )
        for key in keys
    }


def mean_by_patient(values, patients=None):
    """Averages within each patient first, then over the patients, so that each counts the same.

    Args:
        values: one value per image; NaN counts as missing.
        patients: the image's patient, as many; None counts every image alike.

    Returns:
        A float; NaN where every value is missing.

    Example:
        >>> from medgan.metrics import mean_by_patient
        >>> mean_by_patient([1.0, 1.0, 4.0], ["a", "a", "b"])
        2.5
    """
    values = np.asarray(values, dtype="float64")
    patients = np.asarray(range(len(values)) if patients is None else patients)
    if len(patients) != len(values):
        raise ValueError(
            f"Received {len(patients)} patients for {len(values)} images, expected one per image."
        )
    there = ~np.isnan(values)
    values, patients = values[there], patients[there]
    if not len(values):
        return float("nan")
    return float(np.mean([values[patients == patient].mean() for patient in np.unique(patients)]))
