"""Contrast-to-noise ratio (CNR) between two regions of an image."""

import math

from keras import ops

from medgan.ops.filters import grey

QUANTISATION_NOISE = 1 / math.sqrt(12)  # of rounding to whole grey levels


def _mean_and_variance(images, mask):
    """Of the pixels in the mask, `(batch,)` each; NaN where there are none."""
    pixels = ops.sum(mask, axis=(1, 2))
    empty = ops.cast(math.nan, "float32")
    safe = ops.maximum(pixels, 1.0)
    mean = ops.sum(images * mask, axis=(1, 2)) / safe
    deviation = images - mean[:, None, None]
    variance = ops.sum(deviation * deviation * mask, axis=(1, 2)) / safe
    return ops.where(pixels > 0, mean, empty), variance


def contrast_to_noise(images, inside, outside):
    """Difference of the mean grey levels of two regions, divided by the noise in them.

    `|m1 - m2| / sqrt((v1 + v2) / 2)` with the means and variances of the two regions. Variance is
    all that differs within a region: noise, texture, shading. The noise counts no less than that
    of rounding to whole grey levels, `1 / sqrt(12)`, so that two flat regions have a finite ratio.

    Args:
        images: `(batch, height, width, 1)`, in 0..255.
        inside: mask `(batch, height, width)` of one region, 0 and 1 or boolean.
        outside: mask of the region that it is compared with.

    Returns:
        `(batch,)`, at least 0; NaN where a mask is empty: there is no such structure.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import contrast_to_noise
        >>> image = np.array([[10, 12, 20, 22]], "float32")[None, :, :, None]
        >>> right = np.array([[0, 0, 1, 1]])[None]
        >>> float(contrast_to_noise(image, right, 1 - right)[0])  # 10 levels apart, deviation 1
        10.0
    """
    images = grey(ops.convert_to_tensor(images))
    mean, variance = _mean_and_variance(images, ops.cast(inside, "float32"))
    other_mean, other_variance = _mean_and_variance(images, ops.cast(outside, "float32"))
    noise = ops.sqrt(ops.maximum((variance + other_variance) / 2, QUANTISATION_NOISE**2))
    return ops.abs(mean - other_mean) / noise
