"""Structural similarity (SSIM)."""

from keras import ops

from medgan.ops.filters import blur, gaussian_window, grey, image_mean, pair

WINDOW = gaussian_window(11, 1.5)


def _ssim_map(first, second, data_range):
    """SSIM map of `(batch, height, width)` tensors."""
    count = ops.shape(first)[0]
    stacked = ops.concatenate(
        [first, second, first * first, second * second, first * second], axis=0
    )
    blurred = blur(stacked, WINDOW)
    mean_1, mean_2, square_1, square_2, product = (
        blurred[index * count : (index + 1) * count] for index in range(5)
    )
    luminance_constant, contrast_constant = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    means = mean_1 * mean_2
    squares = mean_1 * mean_1 + mean_2 * mean_2
    covariance = product - means
    variances = square_1 + square_2 - squares
    return ((2 * means + luminance_constant) * (2 * covariance + contrast_constant)) / (
        (squares + luminance_constant) * (variances + contrast_constant)
    )


def ssim_map(first, second, data_range=1.0):
    """Structural similarity at every pixel whose 11x11 window lies inside the image.

    Args:
        first: `(batch, height, width, 1)`.
        second: like `first`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch, height - 10, width - 10, 1)`, in [-1, 1].
    """
    return _ssim_map(grey(first), grey(second), data_range)[..., None]


def ssim(first, second, data_range=1.0):
    """Mean structural similarity of two images.

    Gaussian window 11x11 with sigma 1.5, K = (0.01, 0.03), biased variances, borders cut: the
    settings of the paper.

    Args:
        first: `(batch, height, width, 1)`, at least 11 pixels a side.
        second: like `first`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch,)`, in [-1, 1]; 1 only for equal images.

    Reference:
        Wang, Bovik, Sheikh and Simoncelli, Image quality assessment, 2004, eq. 13.
    """
    return image_mean(_ssim_map(grey(first), grey(second), data_range))


def fusion_ssim_map(sources, fused, data_range=1.0):
    """Mean over both sources of the SSIM map, `(batch, height - 10, width - 10)`."""
    first, second = pair(sources)
    fused = grey(fused)
    count = ops.shape(fused)[0]
    both = _ssim_map(
        ops.concatenate([first, second], axis=0),
        ops.concatenate([fused, fused], axis=0),
        data_range,
    )
    return (both[:count] + both[count:]) / 2


def fusion_ssim(sources, fused, data_range=1.0):
    """Structural similarity of a fused image with its sources: the mean of the two SSIMs.

    Some papers print the sum instead, others use a data range of 1 or 2 on 0..255 data; their
    figures cannot be compared with this one.

    Args:
        sources: `(batch, height, width, 2)`.
        fused: `(batch, height, width, 1)`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch,)`, in [-1, 1].
    """
    return image_mean(fusion_ssim_map(sources, fused, data_range))
