"""Linear filters on image batches: Gaussian windows, Sobel, Haar."""

import math

import numpy as np
from keras import ops


def gaussian_window(size, sigma):
    """Returns the weights of a one-dimensional Gaussian window that sum to one.

    Args:
        size: number of taps, odd.
        sigma: standard deviation in pixels.

    Returns:
        NumPy array of shape `(size,)`, float32.

    Example:
        >>> from medgan.ops import gaussian_window
        >>> gaussian_window(3, 1.0).round(3).tolist()
        [0.27399998903274536, 0.4519999921321869, 0.27399998903274536]
    """
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    return (weights / weights.sum()).astype("float32")


def _band(window, length, stride):
    """Matrix `(outputs, length)` that applies a window to a line, borders cut."""
    size = len(window)
    outputs = (length - size) // stride + 1
    offset = ops.arange(length)[None, :] - stride * ops.arange(outputs)[:, None]
    inside = ops.logical_and(offset >= 0, offset < size)
    taps = ops.take(ops.convert_to_tensor(window), ops.clip(offset, 0, size - 1), axis=0)
    return ops.where(inside, taps, ops.zeros_like(taps))


def blur(images, window, stride=1):
    """Filters rows and columns with the same symmetric window; borders are cut ("valid").

    Written as two products with band matrices: on one-channel images this is several times
    as fast, forwards and backwards, as a convolution on CPU and GPU alike.

    Args:
        images: `(batch, height, width)`, float.
        window: `(size,)` weights, for instance of `gaussian_window`.
        stride: keep every `stride`-th row and column of the result.

    Returns:
        `(batch, (height - size) // stride + 1, (width - size) // stride + 1)`.

    Raises:
        ValueError: if a side whose length is known is shorter than the window.
    """
    height, width = images.shape[1:3]
    if any(side is not None and side < len(window) for side in (height, width)):
        raise ValueError(
            f"Received images of {height}x{width}; a window of {len(window)} taps needs at least "
            f"{len(window)} pixels a side. Use larger images or crops."
        )
    height, width = ops.shape(images)[1:3]
    rows = ops.cast(_band(window, height, stride), images.dtype)
    columns = ops.transpose(ops.cast(_band(window, width, stride), images.dtype))
    return ops.matmul(rows, ops.matmul(images, columns))


def sobel(images, padding="reflect"):
    """Horizontal and vertical Sobel derivatives, kernels `[1, 2, 1] x [-1, 0, 1]`.

    Args:
        images: `(batch, height, width)`, float.
        padding: what stands beyond the border, `"reflect"` or `"constant"` (zero).

    Returns:
        Two tensors of the images' shape: derivative along x and along y.
    """
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1)), mode=padding)
    smooth_y = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_x = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    return smooth_y[:, :, 2:] - smooth_y[:, :, :-2], smooth_x[:, 2:] - smooth_x[:, :-2]


def haar(images):
    """One level of the orthonormal Haar wavelet transform.

    An odd last row or column is left out.

    Args:
        images: `(batch, height, width, channels)`, float.

    Returns:
        `(low, details)`: `low` of `(batch, height // 2, width // 2, channels)`, and `details` with
        the three detail bands (along x, along y, diagonal) stacked in a new last axis.
    """
    height, width = ops.shape(images)[1] // 2 * 2, ops.shape(images)[2] // 2 * 2
    a = images[:, 0:height:2, 0:width:2]
    b = images[:, 0:height:2, 1:width:2]
    c = images[:, 1:height:2, 0:width:2]
    d = images[:, 1:height:2, 1:width:2]
    details = ops.stack([a - b + c - d, a + b - c - d, a - b - c + d], axis=-1)
    return (a + b + c + d) / 2, details / 2


def quantise(images):
    """Maps [0, 1] to what an 8-bit file holds: 0..255, clipped and rounded, never stretched.

    Args:
        images: float tensor of any shape, nominally in [0, 1].

    Returns:
        Float32 tensor of whole numbers from 0 to 255.
    """
    return ops.round(255.0 * ops.clip(ops.cast(images, "float32"), 0.0, 1.0))


def grey(images):
    """Drops the channel axis of `(batch, height, width, 1)`; float32.

    Raises:
        ValueError: if there is not exactly one channel.
    """
    if len(images.shape) != 4 or images.shape[-1] != 1:
        raise ValueError(
            f"Received a tensor of shape {tuple(images.shape)}, expected grey images "
            "(batch, height, width, 1). Score the channels one by one."
        )
    return ops.cast(images[..., 0], "float32")


def pair(sources):
    """Splits `(batch, height, width, 2)` into its two sources `(batch, height, width)`; float32.

    Raises:
        ValueError: if there are not exactly two channels.
    """
    if len(sources.shape) != 4 or sources.shape[-1] != 2:
        raise ValueError(
            f"Received a tensor of shape {tuple(sources.shape)}, expected the two sources stacked "
            "as channels (batch, height, width, 2)."
        )
    sources = ops.cast(sources, "float32")
    return sources[..., 0], sources[..., 1]


def image_mean(values):
    """Mean over everything but the batch axis."""
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


def safe_sqrt(values, floor=1e-12):
    """Square root whose gradient stays finite at zero."""
    return ops.sqrt(ops.maximum(values, floor))


LOG10 = math.log(10.0)
