"""Contrast of an image: its standard deviation (SD) and average gradient (AG)."""

from keras import ops

from medgan.ops.filters import grey, image_mean


def standard_deviation(images):
    """Standard deviation of the grey values of every image, over all of its pixels.

    It is in the images' own unit. Clipping and stretching raise it; never read it without SSIM.

    Args:
        images: `(batch, height, width, 1)`.

    Returns:
        `(batch,)`, at least 0; 0 for a constant image.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import standard_deviation
        >>> float(standard_deviation(np.array([0.0, 0.0, 6.0, 6.0]).reshape(1, 2, 2, 1))[0])
        3.0
    """
    images = grey(ops.convert_to_tensor(images))
    return ops.sqrt(image_mean(ops.square(images - ops.mean(images, axis=(1, 2), keepdims=True))))


def _slope(images, axis):
    """Derivative along an axis: half the difference of the neighbours, one-sided at the border."""
    images = ops.swapaxes(images, 1, axis)
    first, last = images[:, 1:2] - images[:, :1], images[:, -1:] - images[:, -2:-1]
    inside = (images[:, 2:] - images[:, :-2]) / 2
    return ops.swapaxes(ops.concatenate([first, inside, last], axis=1), 1, axis)


def average_gradient(images, interior=False):
    """Mean length of the grey value gradient, over the root of two (AG).

    `AG = sum(sqrt((gx^2 + gy^2) / 2)) / (rows * columns)`, with central differences, one-sided at
    the border. It is in the images' own unit: give 0..255 to compare with tables. Noise and ringing
    raise it too; never read it without Qabf.

    Args:
        images: `(batch, height, width, 1)`, at least 2 pixels a side.
        interior: whether to divide the same sum by `(rows - 1) * (columns - 1)`, as MATLAB
            toolboxes do: 1.0078 times as much at 256x256.

    Returns:
        `(batch,)`, at least 0.

    Raises:
        ValueError: if a side whose length is known is shorter than 2 pixels.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import average_gradient
        >>> ramp = np.add.outer(np.arange(8.0), np.arange(8.0)) * 3
        >>> float(average_gradient(ramp[None, :, :, None])[0])
        3.0

    Reference:
        Cui et al., Detail preserved fusion of visible and infrared images using regional saliency
        extraction and multi-scale image decomposition, 2015.
    """
    images = grey(ops.convert_to_tensor(images))
    known_sides = images.shape[1:3]
    if any(side is not None and side < 2 for side in known_sides):
        raise ValueError(
            f"Received images of {known_sides[0]}x{known_sides[1]}; a gradient needs at least 2 "
            "pixels a side. Use larger images."
        )
    squared = ops.square(_slope(images, 1)) + ops.square(_slope(images, 2))
    total = ops.sum(ops.sqrt(squared / 2), axis=(1, 2))
    height, width = (ops.cast(side - int(interior), "float32") for side in ops.shape(images)[1:3])
    return total / (height * width)
