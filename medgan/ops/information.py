"""Entropy (EN), and mutual information of a fused image with its sources (MI, NMI)."""

import math

from keras import ops

from medgan.ops.filters import grey, pair

LEVELS = 256


def _levels(images):
    """Whole grey levels, int32, of `(batch, height, width)`, one line per image."""
    images = ops.clip(ops.round(images), 0, LEVELS - 1)
    return ops.reshape(ops.cast(images, "int32"), (ops.shape(images)[0], -1))


def _histograms(levels, bins):
    """Share of each of the bins in every line of `levels`: `(lines, bins)`."""
    lines, pixels = ops.shape(levels)
    numbers = ops.reshape(levels + bins * ops.arange(lines)[:, None], (-1,))
    counts = ops.segment_sum(ops.ones_like(numbers), numbers, num_segments=lines * bins)
    return ops.reshape(ops.cast(counts, "float32"), (lines, bins)) / ops.cast(pixels, "float32")


def _entropy(probabilities):
    """Entropy in nats over all but the first axis; empty bins add nothing."""
    # Minus stands inside, so that the sum of a constant image is 0, not -0.
    terms = probabilities * -ops.log(ops.maximum(probabilities, 1e-30))
    return ops.sum(terms, axis=tuple(range(1, len(probabilities.shape))))


def _unless_nan(values, *images):
    """NaN for every image of `(batch, height, width)` that holds one, which is no grey level."""
    for each in images:
        values = ops.where(ops.any(ops.isnan(each), axis=(1, 2)), float("nan"), values)
    return values


def _entropies(sources, fused):
    """Entropies in nats of both sources, of the fused image, and of both pairs with it."""
    fused, sources = grey(fused), pair(sources)
    count = ops.shape(fused)[0]
    levels = _levels(fused)
    first, second = (_levels(source) for source in sources)
    pairs = ops.concatenate([first * LEVELS + levels, second * LEVELS + levels], axis=0)
    joint = ops.reshape(_histograms(pairs, LEVELS * LEVELS), (2 * count, LEVELS, LEVELS))
    of_source, of_fused = _entropy(ops.sum(joint, axis=2)), _entropy(ops.sum(joint, axis=1))
    joint = _unless_nan(
        _entropy(joint), ops.concatenate(sources, axis=0), ops.tile(fused, (2, 1, 1))
    )
    return [(of_source[s], of_fused[s], joint[s]) for s in (slice(count), slice(count, None))]


def entropy(images):
    """Entropy of the grey levels of every image, in bits, over 256 bins.

    Noise raises it; never read it alone.

    Args:
        images: `(batch, height, width, 1)`, in 0..255; rounded to whole grey levels.

    Returns:
        `(batch,)`, in [0, 8]; 0 for a constant image, NaN for one that holds NaN.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import entropy
        >>> half_black = np.repeat([0.0, 200.0], 8).reshape(1, 4, 4, 1)
        >>> round(float(entropy(half_black)[0]), 6)
        1.0

    Reference:
        Shannon, A mathematical theory of communication, 1948.
    """
    images = grey(ops.convert_to_tensor(images))
    bits = _entropy(_histograms(_levels(images), LEVELS)) / math.log(2.0)
    return _unless_nan(bits, images)


def fusion_mutual_information(sources, fused, unit="nats"):
    """How much the grey levels of the fused image tell about those of its sources (MI).

    The sum over both sources of `H(source) + H(fused) - H(source, fused)`, with 256 bins each.
    A fused image that equals one source scores high: it tells everything about that one.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255; rounded to whole grey levels.
        fused: `(batch, height, width, 1)`, in 0..255; likewise.
        unit: `"nats"` or `"bits"`, which are 1.4427 times as many.

    Returns:
        `(batch,)`, at least 0; 0 where the fused image is constant, NaN where an image holds NaN.

    Raises:
        ValueError: if the unit is another one.

    Reference:
        Qu, Zhang and Yan, Information measure for performance of image fusion, 2002.
    """
    units = {"nats": 1.0, "bits": math.log(2.0)}
    if unit not in units:
        raise ValueError(f'Received the unit {unit!r}, expected "nats" or "bits".')
    total = 0.0
    for of_source, of_fused, joint in _entropies(sources, fused):
        total = total + ops.maximum(of_source + of_fused - joint, 0.0)
    return total / units[unit]


def normalised_mutual_information(sources, fused):
    """`fusion_mutual_information` relative to the entropies, so that rich images win nothing (NMI).

    `2 I(A, F) / (H(A) + H(F)) + 2 I(B, F) / (H(B) + H(F))`. It does not depend on the unit.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255; rounded to whole grey levels.
        fused: `(batch, height, width, 1)`, in 0..255; likewise.

    Returns:
        `(batch,)`, in [0, 2]; a source adds nothing where it and the fused image are constant; NaN
        where an image holds NaN.

    Reference:
        Hossny, Nahavandi and Creighton, Comments on information measure for performance of image
        fusion, 2008.
    """
    total = 0.0
    for of_source, of_fused, joint in _entropies(sources, fused):
        shared = ops.maximum(of_source + of_fused - joint, 0.0)
        entropies = of_source + of_fused
        empty = entropies <= 0
        total = total + ops.where(empty, 0.0, 2 * shared / ops.where(empty, 1.0, entropies))
    return total
