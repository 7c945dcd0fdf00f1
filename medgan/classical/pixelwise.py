"""Fusion of each pixel by itself, in `keras.ops`: these rules work inside graphs as well."""

import keras
import numpy as np
from keras import ops

from medgan.classical.sources import check_shape, check_values

# JAX has no float64 unless its user asks for it.
PRECISE = "float32" if keras.backend.backend() == "jax" else "float64"


def _checked(sources):
    """Float32 sources; a tensor's values are left unseen, for a graph has none yet."""
    check_shape(sources)
    if isinstance(sources, np.ndarray):
        check_values(sources)
    return ops.cast(sources, "float32")


def average(sources):
    """Mean of the two sources at every pixel.

    Of 8-bit sources it is the float32 nearest to the mean of their grey levels, so that a mean
    that ends in a half is rounded to 8 bits as NumPy rounds it, in a graph and outside.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].

    Returns:
        `(batch, height, width, 1)`, float32.

    Raises:
        ValueError: if the shape is another, or a NumPy array has NaN or other values.
    """
    # Times 255 in float32, 8-bit images are whole numbers again. Divided in float64, because
    # compilers turn a division by a constant into a less exact product.
    grey = ops.mean(_checked(sources) * 255.0, axis=-1, keepdims=True)
    return ops.cast(ops.cast(grey, PRECISE) / 255.0, "float32")


def maximum(sources):
    """Brighter of the two sources at every pixel: no parameter, and above most published networks.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].

    Returns:
        `(batch, height, width, 1)`, float32.

    Raises:
        ValueError: if the shape is another, or a NumPy array has NaN or other values.
    """
    return ops.max(_checked(sources), axis=-1, keepdims=True)


def clipped_sum(sources):
    """Sum of the two sources, cut at white: the highest SCD of all, for an overexposed image.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].

    Returns:
        `(batch, height, width, 1)`, float32.

    Raises:
        ValueError: if the shape is another, or a NumPy array has NaN or other values.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import clipped_sum
        >>> sources = np.array([[0.25, 0.5], [0.75, 0.5]]).reshape(1, 2, 1, 2)
        >>> np.asarray(clipped_sum(sources)).ravel().tolist()
        [0.75, 1.0]
    """
    return ops.clip(ops.sum(_checked(sources), axis=-1, keepdims=True), 0.0, 1.0)
