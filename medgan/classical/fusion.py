"""Pixel-wise fusion rules."""

from keras import ops


def average(sources):
    """Mean of the two sources at every pixel.

    Args:
        sources: `(batch, height, width, 2)`.

    Returns:
        `(batch, height, width, 1)`.
    """
    return ops.mean(sources, axis=-1, keepdims=True)


def maximum(sources):
    """Brighter of the two sources at every pixel: no parameter, and above most published networks.

    Args:
        sources: `(batch, height, width, 2)`.

    Returns:
        `(batch, height, width, 1)`.
    """
    return ops.max(sources, axis=-1, keepdims=True)
