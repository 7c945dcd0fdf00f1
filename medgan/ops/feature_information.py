"""Feature mutual information (FMI) of a fused image."""

import functools
import itertools

from keras import ops

from medgan.ops.filters import grey, pair

SIDE = 3
PIXELS = SIDE * SIDE
CHUNK = 16384  # windows at a time, so that what they need stays in the cache


def _sum(arrays):
    return functools.reduce(ops.add, arrays)


def _derivative(images):
    """Derivative along x of `(..., height, width)`: central, one-sided at the border."""
    inside = (images[..., 2:] - images[..., :-2]) / 2
    first = images[..., 1:2] - images[..., :1]
    last = images[..., -1:] - images[..., -2:-1]
    return ops.concatenate([first, inside, last], axis=-1)


def _over_windows(combine, values):
    """Folds every window of `(..., height, width)` with a function of two arguments."""
    height, width = ops.shape(values)[-2:]
    rows = [values[..., row : height - 2 + row, :] for row in range(SIDE)]
    rows = functools.reduce(combine, rows)
    columns = [rows[..., column : width - 2 + column] for column in range(SIDE)]
    return functools.reduce(combine, columns)


def _distribution(pixels):
    """Scales windows, given as nine arrays `(count,)`, to a minimum of zero and a sum of one."""
    lowest = functools.reduce(ops.minimum, pixels)
    pixels = [pixel - lowest for pixel in pixels]
    total = _sum(pixels)
    return [pixel / total for pixel in pixels]


def _cumulated(distribution):
    """Cumulative distribution, without its last entry, which is one."""
    sums = distribution[:1]
    for probability in distribution[1:-1]:
        sums.append(sums[-1] + probability)
    return sums


def _variance(cumulated):
    """Variance of the position in the window, around its middle so that float32 can hold it."""
    mean = (PIXELS - 1) / 2 - _sum(cumulated)
    weighted = [(2 * k - PIXELS) * value for k, value in enumerate(cumulated, 1)]
    square = ((PIXELS - 1) / 2) ** 2 - _sum(weighted)
    return ops.maximum(square - mean * mean, 0.0)


def _plogp(probability):
    """`p log |p|`, 0 at 0: the mixture below may go beyond its bound, and below zero."""
    return probability * ops.log(ops.maximum(ops.abs(probability), 1e-30))


def _joint_plogp(first, second, cumulated, weight):
    """Sum of p log p over the cells of the mixed joint distribution of two windows.

    It has `weight` of the comonotone distribution, whose cumulative distribution is the smaller
    one of the marginals, and the rest of the product of the marginals.
    """
    along, across = ([weight * value for value in values] + [weight] for values in cumulated)
    rest = 1 - weight
    total, before = 0.0, None
    for probability, below in zip(first, along, strict=True):
        bound = [ops.minimum(below, value) for value in across]
        line = bound
        if before is not None:
            line = [now - then for now, then in zip(bound, before, strict=True)]
        cells = [line[0]] + [right - left for left, right in itertools.pairwise(line)]
        independent = rest * probability
        for cell, other in zip(cells, second, strict=True):
            total = total + _plogp(cell + independent * other)
        before = bound
    return total


def _similarity(first, second):
    """Normalised mutual information of windows that are neither flat nor equal.

    Args:
        first: nine arrays `(count,)`, the pixels of windows column by column.
        second: like `first`.

    Returns:
        `(count,)`, at most 1.
    """
    first, second = _distribution(first), _distribution(second)
    centred = [[value - 1 / PIXELS for value in values] for values in (first, second)]
    norms = [_sum([value * value for value in values]) for values in centred]
    products = [value * other for value, other in zip(*centred, strict=True)]
    correlation = _sum(products) / ops.sqrt(norms[0] * norms[1])

    # The lower bound of a pair is the upper bound after one of both is read backwards.
    opposed = correlation < 0
    first = [
        ops.where(opposed, backward, forward)
        for forward, backward in zip(first, reversed(first), strict=True)
    ]
    cumulated = _cumulated(first), _cumulated(second)
    lowest = [ops.minimum(below, other) for below in cumulated[0] for other in cumulated[1]]
    covariance = _sum(lowest) - _sum(cumulated[0]) * _sum(cumulated[1])
    spread = ops.sqrt(_variance(cumulated[0]) * _variance(cumulated[1]))
    # A window with a single bright pixel has no spread, and its bound no covariance.
    weight = ops.abs(correlation) * spread / ops.maximum(covariance, 1e-5)
    weight = ops.where(covariance > 1e-5, weight, 0.0)

    entropies = -_sum([_plogp(value) for value in first + second])
    shared = entropies + _joint_plogp(first, second, cumulated, weight)
    return 2 * shared / ops.maximum(entropies, 1e-6)


def feature_mutual_information(sources, fused):
    """How much the local gradients of a fused image tell about those of its sources (FMI).

    The feature is the derivative along x, in windows of 3x3. Each window, scaled to a minimum of
    zero and a sum of one, is read as a distribution over its pixels; the joint distribution mixes
    the product of two such with Frechet's bound, so that it has their correlation; the score is
    `2 I / (H1 + H2)`, 1 where both windows are equal, averaged over windows and both sources.
    A flat window says nothing about another one: such a pair counts 0.

    Background that is equal in all three counts 1 and lifts every method alike: half of a brain
    image. Only windows where there is something to compute are computed, so that noise takes
    longer than a brain.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255, at least 3 pixels a side.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, about 0 to 1; 1 where all three are constant, or the same.

    Raises:
        ValueError: if the images are smaller than a window.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import feature_mutual_information
        >>> image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype("float32")
        >>> sources = np.concatenate([image, 0 * image], axis=-1)
        >>> float(feature_mutual_information(sources, image)[0])  # 1 with one, 0 with the other
        0.5

    Reference:
        Haghighat, Aghagolzadeh and Seyedarabi, A non-reference image fusion metric based on mutual
        information of image features, 2011; Haghighat and Razian, Fast-FMI, 2014. Their code asks
        whether windows are equal after it has scaled one of them, for the second source only, and
        so counts flat windows that it shares with the result as 0; here both sources are alike.
    """
    images = ops.stack([*pair(sources), grey(fused)], axis=0)
    if any(side is not None and side < SIDE for side in images.shape[2:]):
        raise ValueError(
            f"Received images of {images.shape[2]}x{images.shape[3]}; the windows of FMI need at "
            f"least {SIDE} pixels a side. Use larger images or crops."
        )
    features = _derivative(images)
    count, height, width = ops.shape(features)[1:]
    windows = (height - SIDE + 1) * (width - SIDE + 1)
    flat = _over_windows(ops.maximum, features) == _over_windows(ops.minimum, features)
    equal = _over_windows(ops.logical_and, features[:2] == features[2:])
    undecided = ops.logical_not(flat[:2] | flat[2:] | equal)

    # The numbers of the undecided windows, packed.
    undecided = ops.cast(ops.reshape(undecided, (-1,)), "int32")
    rank = ops.cumsum(undecided)
    total, size = rank[-1], 2 * count * windows
    place = ops.where(undecided > 0, rank - 1, size)[:, None]
    numbers = ops.scatter(place, ops.arange(size, dtype="int32"), (size + 1 + CHUNK,))
    features = ops.reshape(features, (-1,))
    offsets = [row * width + column for column in range(SIDE) for row in range(SIDE)]

    def add_chunk(start, sums):
        number = ops.slice(numbers, (start,), (CHUNK,))
        there = ops.arange(CHUNK, dtype="int32") < total - start
        number = ops.where(there, number, 0)
        image, number = number // windows, number % windows
        corner = number // (width - 2) * width + number % (width - 2)
        first, second = (
            [ops.take(features, corner + which * height * width + offset) for offset in offsets]
            for which in (image, 2 * count + image % count)
        )
        similarity = ops.where(there, _similarity(first, second), 0.0)
        return start + CHUNK, sums + ops.segment_sum(similarity, image, num_segments=2 * count)

    sums = ops.reshape(ops.sum(ops.cast(equal, "float32"), axis=(2, 3)), (-1,))
    start = ops.zeros((), dtype="int32")
    _, sums = ops.while_loop(lambda start, sums: start < total, add_chunk, (start, sums))
    return (sums[:count] + sums[count:]) / (2.0 * ops.cast(windows, "float32"))
