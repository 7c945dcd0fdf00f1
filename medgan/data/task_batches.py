"""Batches of the tasks that are no fusion: pairs to translate, two domains apart, one modality."""

import numpy as np

from medgan.data.pairs import Pairs
from medgan.data.pipeline import evaluation_batches, training_batches
from medgan.errors import DataError

# Tells the draws of the second of two streams from those of the first.
OTHER_STREAM = 1 << 40


def translation_batches(pairs: Pairs, batch_size: int, source: int = 1, **settings):
    """Endless batches (source, target) of the same places, for training on pairs.

    Args:
        pairs: at least one pair.
        batch_size: samples in a batch.
        source: channel that is translated, 0 or 1; the other is the target.
        **settings: see `medgan.data.training_batches`, whose order and draws these are.

    Returns:
        A `tf.data.Dataset` of two float32 `(batch_size, height, width, 1)` in [0, 1].

    Raises:
        DataError: as `training_batches` does, or if there is no such channel.

    Example:
        >>> from medgan.data import phantoms, translation_batches
        >>> pairs = phantoms(count=3, patients=3, image_size=64)
        >>> mr, ct = next(iter(translation_batches(pairs, batch_size=2, crop=32)))
        >>> mr.shape, ct.shape
        (TensorShape([2, 32, 32, 1]), TensorShape([2, 32, 32, 1]))
    """
    source, target = _channels(source)
    return _mapped(
        training_batches(pairs, batch_size, **settings),
        lambda images: (images[..., source], images[..., target]),
    )


def single_batches(pairs: Pairs, batch_size: int, source: int = 1, **settings):
    """Endless batches of one modality, for training without a target.

    Args:
        pairs: at least one pair.
        batch_size: samples in a batch.
        source: channel that is wanted, 0 or 1.
        **settings: see `medgan.data.training_batches`, whose order and draws these are.

    Returns:
        A `tf.data.Dataset` of float32 `(batch_size, height, width, 1)` in [0, 1].

    Raises:
        DataError: as `training_batches` does, or if there is no such channel.
    """
    source, _ = _channels(source)
    return _mapped(
        training_batches(pairs, batch_size, **settings), lambda images: images[..., source]
    )


def unpaired_batches(
    pairs: Pairs, batch_size: int, source: int = 1, division: int = 0, seed: int = 0, **settings
):
    """Endless batches (source, target) of different places, images and patients.

    Both modalities of a patient never meet: the patients are divided by `divide_patients`, the
    source images are of one half, the target images of the other. Order, crops and flips of the
    two streams are drawn apart. As in `training_batches`, every sample is a pure function of the
    seed and of its index, so `first_step` resumes exactly.

    Args:
        pairs: at least one pair.
        batch_size: samples in a batch.
        source: channel that is translated, 0 or 1; the other is the target.
        division: seed of `divide_patients`.
        seed: any integer of 40 bits.
        **settings: see `medgan.data.training_batches`.

    Returns:
        A `tf.data.Dataset` of two float32 `(batch_size, height, width, 1)` in [0, 1].

    Raises:
        DataError: as `training_batches` does, or if there is no such channel.

    Example:
        >>> from medgan.data import phantoms, unpaired_batches
        >>> pairs = phantoms(count=4, patients=2, image_size=64)
        >>> mr, ct = next(iter(unpaired_batches(pairs, batch_size=2, crop=32)))
        >>> mr.shape, ct.shape
        (TensorShape([2, 32, 32, 1]), TensorShape([2, 32, 32, 1]))
    """
    import tensorflow as tf

    source, target = _channels(source)
    sides = divide_patients(pairs, division)
    streams = [
        training_batches(side, batch_size, seed=own, **settings)
        for side, own in zip(sides, (seed, seed + OTHER_STREAM), strict=True)
    ]
    return _mapped(
        tf.data.Dataset.zip(tuple(streams)),
        lambda first, second: (first[..., source], second[..., target]),
    )


def divide_patients(pairs: Pairs, seed: int = 0) -> tuple[Pairs, Pairs]:
    """Divides pairs into two halves without a patient in common.

    Args:
        pairs: at least one pair.
        seed: draws the patients of the halves.

    Returns:
        `(first, second)`: of an odd number of patients the first half has one more. The pairs of
        a single patient are in both, for there is no other way.

    Example:
        >>> from medgan.data import divide_patients, phantoms
        >>> pairs = phantoms(count=3, patients=3, image_size=32)
        >>> [len(set(half.patients)) for half in divide_patients(pairs)]
        [2, 1]
    """
    patients = sorted(set(pairs.patients))
    if len(patients) < 2:
        return pairs, pairs
    order = np.random.default_rng(seed).permutation(len(patients))
    shuffled = [patients[place] for place in order]
    middle = (len(patients) + 1) // 2
    return pairs.of_patients(shuffled[:middle]), pairs.of_patients(shuffled[middle:])


def translation_images(pairs: Pairs, batch_size: int = 8, source: int = 1):
    """Whole images (source, target), in order, once; see `evaluation_batches`."""
    source, target = _channels(source)
    return _mapped(
        evaluation_batches(pairs, batch_size),
        lambda images: (images[..., source], images[..., target]),
    )


def single_images(pairs: Pairs, batch_size: int = 8, source: int = 1):
    """Whole images of one modality, in order, once; see `evaluation_batches`."""
    source, _ = _channels(source)
    return _mapped(evaluation_batches(pairs, batch_size), lambda images: images[..., source])


def _channels(source):
    """The channel of the source and the other, as slices that keep the axis."""
    if source not in (0, 1):
        raise DataError(f"Received source={source!r}; expected channel 0 or 1 of the pairs.")
    return slice(source, source + 1), slice(1 - source, 2 - source)


def _mapped(dataset, function):
    import tensorflow as tf

    dataset = dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)
