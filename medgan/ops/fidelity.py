"""How near an image is to its target, over the frame or inside a mask: for translation."""

from keras import ops

from medgan.ops.filters import LOG10, grey, pair, safe_sqrt
from medgan.ops.ssim import WINDOW, ssim_map

HIGHEST_PSNR = 100.0


def mean_inside(values, mask=None):
    """Mean of every image's values, weighted by a mask.

    Args:
        values: `(batch, height, width)`.
        mask: `(batch, height, width)` of 0 and 1, or weights between them; None is the whole frame.

    Returns:
        `(batch,)`; the mean over the frame where the mask is empty.
    """
    mean = ops.mean(values, axis=(1, 2))
    if mask is None:
        return mean
    mask = ops.cast(mask, values.dtype)
    total = ops.sum(mask, axis=(1, 2))
    empty = total <= 0
    inside = ops.sum(values * mask, axis=(1, 2)) / ops.where(empty, 1.0, total)
    return ops.where(empty, mean, inside)


def mean_absolute_error(target, output, mask=None):
    """Mean absolute difference (MAE), in the images' own unit.

    Args:
        target: `(batch, height, width, 1)`.
        output: like `target`.
        mask: `(batch, height, width)` of 0 and 1: where to count; the whole frame where it is
            empty, or None.

    Returns:
        `(batch,)`, at least 0; 0 only for equal images.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import mean_absolute_error
        >>> target, output = np.zeros((1, 2, 2, 1)), np.array([0, 2, 2, 8]).reshape(1, 2, 2, 1)
        >>> float(mean_absolute_error(target, output)[0])
        3.0
        >>> left = np.array([[[1, 0], [1, 0]]])
        >>> float(mean_absolute_error(target, output, mask=left)[0])
        1.0
    """
    target, output = _grey_pair(target, output)
    return mean_inside(ops.abs(target - output), mask)


def root_mean_square_error(target, output, mask=None):
    """Root of the mean squared difference (RMSE), in the images' own unit.

    Args:
        target: `(batch, height, width, 1)`.
        output: like `target`.
        mask: `(batch, height, width)` of 0 and 1: where to count; the whole frame where it is
            empty, or None.

    Returns:
        `(batch,)`, at least 0; 0 only for equal images.
    """
    target, output = _grey_pair(target, output)
    return ops.sqrt(mean_inside(ops.square(target - output), mask))


def peak_signal_to_noise(target, output, peak=255.0, mask=None):
    """Peak signal-to-noise ratio (PSNR) in decibels, `10 log10(peak^2 / MSE)`.

    Args:
        target: `(batch, height, width, 1)`.
        output: like `target`.
        peak: the brightest possible value.
        mask: `(batch, height, width)` of 0 and 1: where to count; the whole frame where it is
            empty, or None.

    Returns:
        `(batch,)`; 100 for equal images, and never more.
    """
    target, output = _grey_pair(target, output)
    return _decibels(mean_inside(ops.square(target - output), mask), peak)


def fusion_peak_signal_to_noise(sources, fused, peak=255.0):
    """PSNR of a fused image, with the mean over both sources of the squared error.

    It is highest for the plain average of the sources, whatever that looks like.

    Args:
        sources: `(batch, height, width, 2)`.
        fused: `(batch, height, width, 1)`.
        peak: the brightest possible value; None takes every fused image's own maximum instead (1
            where that is black), as the CDDFuse evaluator does.

    Returns:
        `(batch,)`; 100 for three equal images, and never more.
    """
    first, second = pair(sources)
    fused = grey(fused)
    if peak is None:
        peak = ops.max(fused, axis=(1, 2))
        peak = ops.where(peak > 0, peak, 1.0)
    return _decibels(
        mean_inside((ops.square(first - fused) + ops.square(second - fused)) / 2), peak
    )


def normalised_cross_correlation(target, output, mask=None):
    """Normalised cross-correlation (NCC) about the means: Pearson's r, inside the mask.

    Args:
        target: `(batch, height, width, 1)`.
        output: like `target`.
        mask: `(batch, height, width)` of 0 and 1: where to count; the whole frame where it is
            empty, or None.

    Returns:
        `(batch,)`, in [-1, 1]; 0 where one of the two is constant.
    """
    target, output = (
        images - mean_inside(images, mask)[:, None, None] for images in _grey_pair(target, output)
    )
    variances = mean_inside(target * target, mask) * mean_inside(output * output, mask)
    # as in `pearson`: the floor decides where both are constant
    return mean_inside(target * output, mask) / safe_sqrt(variances + 1e-12)


def masked_ssim(target, output, mask, data_range=1.0):
    """`ssim` inside a mask: the mean of the map's values whose centre the mask marks.

    The map has no values within 5 pixels of the border, whatever the mask says.

    Args:
        target: `(batch, height, width, 1)`, at least 11 pixels a side.
        output: like `target`.
        mask: `(batch, height, width)` of 0 and 1; the whole frame counts where it is empty.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch,)`, in [-1, 1].
    """
    margin = len(WINDOW) // 2
    values = ssim_map(target, output, data_range)[..., 0]
    return mean_inside(values, mask[:, margin:-margin, margin:-margin])


def _grey_pair(target, output):
    return grey(ops.convert_to_tensor(target)), grey(ops.convert_to_tensor(output))


def _decibels(square_error, peak):
    """PSNR of a mean squared error."""
    ratio = ops.cast(square_error, "float32") / (peak * peak)
    return -10 / LOG10 * ops.log(ops.maximum(ratio, 10 ** (-HIGHEST_PSNR / 10)))
