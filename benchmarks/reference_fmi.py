"""FMI in plain NumPy, in double precision: what `medgan.ops` is compared with.

Facts from the authors' MATLAB code (2014): the feature "gradient" is the derivative along x alone,
central inside and one-sided at the border; windows of 3x3 whose pixels are read column by column;
only windows inside the image; a window whose two features are equal counts 1.

That code overwrites the fused window with its scaled copy before it asks whether the second source
equals it, so that a flat window shared with the second source alone is not recognised. Here both
sources are treated alike.
"""

import numpy as np

SIDE = 3
PIXELS = SIDE * SIDE


def features(image):
    """Derivative along x, `(height, width)`; MATLAB's `gradient` with one output."""
    return np.gradient(np.asarray(image, "float64"), axis=1)


def windows(feature):
    """All 3x3 windows, `(count, 9)`, pixels column by column."""
    views = np.lib.stride_tricks.sliding_window_view(feature, (SIDE, SIDE))
    return views.transpose(0, 1, 3, 2).reshape(-1, PIXELS)


def distributions(values):
    """Windows scaled to 0..1 and normalised to a sum of one; flat ones are uniform."""
    lowest, highest = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    flat = highest == lowest
    scaled = np.where(flat, 1.0, (values - lowest) / np.where(flat, 1.0, highest - lowest))
    return scaled / scaled.sum(axis=1, keepdims=True), flat[:, 0]


def bits(probabilities, axes):
    """Entropy; a negative "probability" counts with the logarithm of its size, as in MATLAB."""
    sizes = np.abs(probabilities)
    return -np.sum(probabilities * np.log2(np.where(sizes > 0, sizes, 1.0)), axis=axes)


def correlations(first, second):
    """Pearson correlation of the pixels of every window, 0 where one is constant."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.where(scale > 0, scale, 1.0)


def spread(probabilities):
    """Standard deviation of the position in the window."""
    position = np.arange(1, PIXELS + 1)
    mean = probabilities @ position
    return np.sqrt(np.maximum(probabilities @ position**2 - mean**2, 0.0))


def similarities(source, fused):
    """Normalised mutual information of every window of two features, `(count,)`."""
    first, second = windows(source), windows(fused)
    equal = (first == second).all(axis=1)
    (first, first_flat), (second, second_flat) = distributions(first), distributions(second)
    correlation = np.where(first_flat | second_flat, 0.0, correlations(first, second))

    along = np.cumsum(second, axis=1)[:, :, None]
    across = np.cumsum(first, axis=1)[:, None, :]
    rising = (correlation >= 0)[:, None, None]
    bound = np.where(rising, np.minimum(along, across), np.maximum(along + across - 1, 0))
    covariance = (bound - along * across).sum(axis=(1, 2))
    scale = spread(first) * spread(second)
    possible = (scale > 0) & (covariance != 0)
    weight = correlation * scale / np.where(possible, covariance, 1.0)
    weight = np.where(possible, weight, 0.0)[:, None, None]

    joint = np.diff(np.diff(bound, axis=1, prepend=0), axis=2, prepend=0)
    joint = weight * joint + (1 - weight) * second[:, :, None] * first[:, None, :]
    entropies = bits(first, 1) + bits(second, 1)
    shared = entropies - bits(joint, (1, 2))
    return np.where(equal, 1.0, 2 * shared / np.where(entropies > 0, entropies, 1.0))


def fmi(a, b, f):
    """FMI of a fused image `f` with its sources `a` and `b`, `(height, width)` each."""
    fused = features(f)
    return np.mean([similarities(features(source), fused).mean() for source in (a, b)])


def similarity_loops(first, second):
    """`similarities` of one pair of windows of nine values, cell by cell."""
    if all(first == second):
        return 1.0
    probabilities = []
    for window in (first, second):
        low, high = min(window), max(window)
        scaled = [1.0 if high == low else (value - low) / (high - low) for value in window]
        probabilities.append([value / sum(scaled) for value in scaled])
    p, q = probabilities
    correlation = 0.0
    if min(first) < max(first) and min(second) < max(second):
        correlation = np.corrcoef(p, q)[0, 1]

    def entropy(values):
        return -sum(value * np.log2(abs(value)) for value in values if value != 0)

    def deviation(values):
        mean = sum((index + 1) * value for index, value in enumerate(values))
        square = sum((index + 1) ** 2 * value for index, value in enumerate(values))
        return np.sqrt(max(square - mean**2, 0.0))

    def bound(i, j):
        """Frechet's bound of the joint cumulative distribution, zero before the first pixel."""
        below_p, below_q = sum(p[:i]), sum(q[:j])
        if correlation >= 0:
            return min(below_p, below_q)
        return max(below_p + below_q - 1, 0.0)

    weight = 0.0
    scale = deviation(p) * deviation(q)
    if correlation != 0 and scale > 0:
        covariance = 0.0
        for i in range(1, PIXELS + 1):
            for j in range(1, PIXELS + 1):
                covariance += bound(i, j) - sum(p[:i]) * sum(q[:j])
        weight = correlation / (covariance / scale)
    joint = []
    for i in range(1, PIXELS + 1):
        for j in range(1, PIXELS + 1):
            cell = bound(i, j) - bound(i - 1, j) - bound(i, j - 1) + bound(i - 1, j - 1)
            joint.append(weight * cell + (1 - weight) * p[i - 1] * q[j - 1])
    total = entropy(p) + entropy(q)
    return 2 * (total - entropy(joint)) / total if total > 0 else 0.0


def fmi_loops(a, b, f):
    """`fmi` window by window and cell by cell: slow, for tiny images."""
    values = []
    for source in (a, b):
        feature, fused = features(source), features(f)
        height, width = fused.shape
        for row in range(height - SIDE + 1):
            for column in range(width - SIDE + 1):
                here = slice(row, row + SIDE), slice(column, column + SIDE)
                pair = feature[here].T.ravel(), fused[here].T.ravel()
                values.append(similarity_loops(*pair))
    return np.mean(values)
