"""Visual information fidelity (VIF) in the pixel domain, for fusion."""

from keras import ops

from medgan.ops.filters import LOG10, blur, gaussian_window, grey, pair

NOISE_VARIANCE = 2.0
WINDOWS = tuple(gaussian_window(size, size / 5) for size in (17, 9, 5, 3))
SMALLEST_SIDE = 41
RESOLUTION = 1e-6  # of a variance, relative to the mean square, in float32


def _scales(reference, image):
    """Yields `(var(reference), var(image), cov, mean squares of both)` maps of the four scales."""
    for scale, window in enumerate(WINDOWS):
        count = ops.shape(reference)[0]
        if scale:
            both = blur(ops.concatenate([reference, image], axis=0), window, stride=2)
            reference, image = both[:count], both[count:]
        stacked = [reference, image, reference * reference, image * image, reference * image]
        blurred = blur(ops.concatenate(stacked, axis=0), window)
        mean_1, mean_2, square_1, square_2, product = (
            blurred[index * count : (index + 1) * count] for index in range(5)
        )
        yield (
            ops.maximum(square_1 - mean_1 * mean_1, 0.0),
            ops.maximum(square_2 - mean_2 * mean_2, 0.0),
            product - mean_1 * mean_2,
            (square_1, square_2),
        )


def _check(images):
    sides = images.shape[1:3]
    if any(side is not None and side < SMALLEST_SIDE for side in sides):
        raise ValueError(
            f"Received images of {sides[0]}x{sides[1]}; the four scales of VIF need at least "
            f"{SMALLEST_SIDE} pixels a side. Use larger images or crops."
        )


def _total(values):
    return ops.sum(values, axis=(1, 2)) / LOG10


def _fidelity(reference, image, floor):
    """VIF of `(batch, height, width)` tensors, for scores."""
    numerator = denominator = 0.0
    for variance_1, variance_2, covariance, squares in _scales(reference, image):
        # A variance is a difference of squares: below a few ulp of these it is rounding alone.
        flat_1, flat_2 = (
            variance < ops.maximum(floor, RESOLUTION * square)
            for variance, square in zip((variance_1, variance_2), squares, strict=True)
        )
        gain = covariance / ops.maximum(variance_1, floor)
        noise = variance_2 - gain * covariance
        opposed = gain < 0
        nothing = ops.logical_or(ops.logical_or(flat_1, flat_2), opposed)
        noise = ops.where(ops.logical_or(flat_1, opposed), variance_2, noise)
        noise = ops.maximum(ops.where(flat_2, 0.0, noise), 0.0)
        gain = ops.where(nothing, 0.0, gain)
        variance_1 = ops.where(flat_1, 0.0, variance_1)
        signal = gain * gain * variance_1 / (noise + NOISE_VARIANCE)
        numerator = numerator + _total(ops.log1p(signal))
        denominator = denominator + _total(ops.log1p(variance_1 / NOISE_VARIANCE))
    empty = denominator <= 0
    return ops.where(empty, 1.0, numerator / ops.where(empty, 1.0, denominator))


def visual_information(sources, fused):
    """Visual information fidelity of a fused image: the sum over both sources.

    Pixel domain, four scales with Gaussian windows of 17, 9, 5 and 3 taps (sigma a fifth of it),
    noise variance 2 on a 0..255 scale. A source without any structure counts 1.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255, at least 41 pixels a side.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, at least 0; about 2 at most, more only if the result exaggerates contrast.

    Raises:
        ValueError: if the images are too small for four scales.

    Reference:
        Sheikh and Bovik, Image information and visual quality, 2006; the sum over the sources
        follows the fusion literature. We treat variances below 1e-10 as flat like the reference
        code, and also those below 1e-6 of the mean square: float32 cannot tell them from nothing.
    """
    first, second = pair(sources)
    fused = grey(fused)
    _check(fused)
    count = ops.shape(fused)[0]
    both = _fidelity(
        ops.concatenate([first, second], axis=0), ops.concatenate([fused, fused], axis=0), 1e-10
    )
    return both[:count] + both[count:]


def smooth_visual_information(sources, fused, floor=1e-3):
    """`visual_information` with a gradient that is finite everywhere, for losses.

    Variances are floored and the gain is `relu(cov / (var + floor))`; away from flat regions the
    value is that of the score.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255, at least 41 pixels a side.
        fused: `(batch, height, width, 1)`, in 0..255.
        floor: smallest variance, in squared grey levels.

    Returns:
        `(batch,)`.
    """
    first, second = pair(sources)
    fused = grey(fused)
    _check(fused)
    count = ops.shape(fused)[0]
    reference = ops.concatenate([first, second], axis=0)
    image = ops.concatenate([fused, fused], axis=0)
    numerator = denominator = 0.0
    for variance_1, variance_2, covariance, _ in _scales(reference, image):
        variance_1 = ops.maximum(variance_1, floor)
        variance_2 = ops.maximum(variance_2, floor)
        gain = ops.relu(covariance / (variance_1 + floor))
        noise = ops.maximum(variance_2 - gain * covariance, floor)
        signal = gain * gain * variance_1 / (noise + NOISE_VARIANCE)
        numerator = numerator + _total(ops.log1p(signal))
        denominator = denominator + _total(ops.log1p(variance_1 / NOISE_VARIANCE))
    both = numerator / denominator
    return both[:count] + both[count:]
