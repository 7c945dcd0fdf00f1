"""Structural similarity on five scales (MS-SSIM)."""

from keras import ops

from medgan.ops.fidelity import mean_inside
from medgan.ops.filters import grey, pair
from medgan.ops.ssim import WINDOW, similarity_maps

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_SIDE = len(WINDOW) * 2 ** (len(WEIGHTS) - 1)
SMALLEST_FACTOR = 1e-6


def _check(images):
    sides = images.shape[1:3]
    if any(side is not None and side < SMALLEST_SIDE for side in sides):
        raise ValueError(
            f"Received images of {sides[0]}x{sides[1]}; the five scales of MS-SSIM need at least "
            f"{SMALLEST_SIDE} pixels a side. Use larger images or crops, or SSIM."
        )


def _halve(images):
    """Means of 2x2 pixels; an odd last row or column is left out."""
    return ops.average_pool(images[..., None], 2, 2, data_format="channels_last")[..., 0]


def _multi_scale(references, image, data_range, mask=None):
    """MS-SSIM of each reference `(batch, height, width)` with the image."""
    _check(image)
    margin = len(WINDOW) // 2
    products = [1.0] * len(references)
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            halves = _halve(ops.concatenate([image, *references], axis=0))
            image, *references = ops.split(halves, len(references) + 1, axis=0)
            mask = None if mask is None else _halve(mask)
        inside = None if mask is None else mask[:, margin:-margin, margin:-margin]
        pairs = similarity_maps(references, image, WINDOW, data_range)
        for index, (luminance, structure) in enumerate(pairs):
            values = structure if scale < len(WEIGHTS) - 1 else luminance * structure
            factor = ops.maximum(mean_inside(values, inside), SMALLEST_FACTOR)
            products[index] = products[index] * factor**weight
    return products


def ms_ssim(first, second, data_range=1.0, mask=None):
    """Structural similarity of two images on five scales.

    The scales differ by means of 2x2 pixels. Contrast and structure count on each of them,
    luminance on the coarsest only; the mean of each over the image, to the power .0448, .2856,
    .3001, .2363, .1333, is a factor of the result. A mean below 1e-6 counts as 1e-6, as a negative
    number has no such power.

    Args:
        first: `(batch, height, width, 1)`, at least 176 pixels a side: 11 on the coarsest scale.
        second: like `first`.
        data_range: distance between the darkest and the brightest possible value.
        mask: `(batch, height, width)` of 0 and 1, or None: where the means are taken, 5 pixels off
            the border. It is carried to the coarser scales like the images, and the share of a
            pixel that it covers is the pixel's weight; the whole frame counts on scales where
            nothing is left of it.

    Returns:
        `(batch,)`, in (0, 1]; 1 only for equal images.

    Raises:
        ValueError: if a side whose length is known is shorter than 176 pixels.

    Reference:
        Wang, Simoncelli and Bovik, Multi-scale structural similarity for image quality assessment,
        2003, eq. 7.
    """
    if mask is not None:
        mask = ops.cast(mask, "float32")
    return _multi_scale([grey(first)], grey(second), data_range, mask)[0]


def fusion_ms_ssim(sources, fused, data_range=1.0):
    """`ms_ssim` of a fused image with its sources: the mean of the two.

    Args:
        sources: `(batch, height, width, 2)`, at least 176 pixels a side.
        fused: `(batch, height, width, 1)`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch,)`, in (0, 1].

    Raises:
        ValueError: if a side whose length is known is shorter than 176 pixels.
    """
    first, second = _multi_scale(pair(sources), grey(fused), data_range)
    return (first + second) / 2
