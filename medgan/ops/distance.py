"""How far two batches of images are apart."""

from keras import ops


def mean_distance(first, second):
    """Mean absolute difference, a scalar in float32.

    Args:
        first: tensor of any shape and precision.
        second: tensor of the same shape.

    Example:
        >>> import numpy as np
        >>> from medgan.ops.distance import mean_distance
        >>> float(mean_distance(np.array([0.0, 1.0]), np.array([0.5, 0.5])))
        0.5
    """
    return ops.mean(ops.abs(ops.cast(first, "float32") - ops.cast(second, "float32")))
