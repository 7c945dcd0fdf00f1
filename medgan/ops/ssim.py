"""Structural similarity (SSIM), and the variants that fusion papers print."""

from keras import ops

from medgan.ops.filters import blur, gaussian_window, grey, image_mean, pair

WINDOW = gaussian_window(11, 1.5)
UNIFORM_WINDOW = (1 / 7,) * 7


def similarity_maps(references, image, window, data_range, sample_covariance=False):
    """The two factors of SSIM, at every pixel whose window lies inside the image.

    Structure is written with the variance of the difference, which is the same as with the
    covariance (`2 cov(x, y) = var(x) + var(y) - var(x - y)`) but rounds less where the images are
    alike, and takes three blurs for every reference and one for the image.

    Args:
        references: list of `(batch, height, width)` tensors.
        image: `(batch, height, width)`, compared with each of them.
        window: weights along a row or a column, an odd number.
        data_range: distance between the darkest and the brightest possible value.
        sample_covariance: whether variances are those of a sample of `len(window)**2` pixels
            instead of weighted means.

    Returns:
        A list with one pair `(luminance, structure)` for each reference, both
        `(batch, height - len(window) + 1, width - len(window) + 1)`; their product is the SSIM map.
    """
    count = len(references)
    squares = [reference * reference + image * image for reference in references]
    differences = [ops.square(reference - image) for reference in references]
    stacked = ops.concatenate([image, *references, *squares, *differences], axis=0)
    mean, *blurred = ops.split(blur(stacked, window), 3 * count + 1, axis=0)
    pixels = len(window) ** 2
    correction = pixels / (pixels - 1) if sample_covariance else 1.0
    luminance_constant = (0.01 * data_range) ** 2
    contrast_constant = (0.03 * data_range) ** 2 / correction
    pairs = []
    for reference_mean, square, difference in zip(
        blurred[:count], blurred[count : 2 * count], blurred[2 * count :], strict=True
    ):
        gap = ops.square(reference_mean - mean)
        level = reference_mean * reference_mean + mean * mean
        # Variances are differences of large numbers: what rounding makes of them stays possible.
        apart = ops.maximum(difference - gap, 0.0)
        contrast = ops.maximum(square - level, apart / 2)
        luminance = (2 * reference_mean * mean + luminance_constant) / (level + luminance_constant)
        pairs.append((luminance, 1 - apart / (contrast + contrast_constant)))
    return pairs


def _maps(references, image, data_range):
    pairs = similarity_maps(references, image, WINDOW, data_range)
    return [luminance * structure for luminance, structure in pairs]


def ssim_map(first, second, data_range=1.0):
    """Structural similarity at every pixel whose 11x11 window lies inside the image.

    Args:
        first: `(batch, height, width, 1)`.
        second: like `first`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch, height - 10, width - 10, 1)`, in [-1, 1].
    """
    return _maps([grey(first)], grey(second), data_range)[0][..., None]


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
    return image_mean(_maps([grey(first)], grey(second), data_range)[0])


def fusion_ssim_map(sources, fused, data_range=1.0):
    """Mean over both sources of the SSIM map, `(batch, height - 10, width - 10)`."""
    first, second = _maps(pair(sources), grey(fused), data_range)
    return (first + second) / 2


def fusion_ssim(sources, fused, data_range=1.0):
    """Structural similarity of a fused image with its sources: the mean of the two SSIMs.

    Some papers print the sum instead, others use a data range of 1 or 2 on 0..255 data; their
    figures cannot be compared with this one. They are `fusion_ssim_legacy_sum` and
    `fusion_ssim_matlab`.

    Args:
        sources: `(batch, height, width, 2)`.
        fused: `(batch, height, width, 1)`.
        data_range: distance between the darkest and the brightest possible value.

    Returns:
        `(batch,)`, in [-1, 1].
    """
    return image_mean(fusion_ssim_map(sources, fused, data_range))


def _uniform(sources, fused, data_range):
    """SSIMs with both sources: 7x7 pixels of equal weight, sample covariance, borders cut."""
    pairs = similarity_maps(pair(sources), grey(fused), UNIFORM_WINDOW, data_range, True)
    return [image_mean(luminance * structure) for luminance, structure in pairs]


def fusion_ssim_uniform(sources, fused):
    """`fusion_ssim` with the defaults of scikit-image: 7x7 pixels of equal weight, L = 255.

    Sample covariance, borders cut, mean over both sources. At most .016 from the Gaussian one on
    CT-MRI pairs.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255, at least 7 pixels a side.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [-1, 1].
    """
    first, second = _uniform(sources, fused, 255.0)
    return (first + second) / 2


def fusion_ssim_legacy_sum(sources, fused):
    """The SSIM of the CDDFuse evaluator: to compare with published tables only.

    The sum over both sources of the SSIM with 7x7 pixels of equal weight, sample covariance and
    borders cut, for a data range of 2 although the images are in 0..255: older scikit-image took
    that range for granted with float images. Its constants are so small that grey levels hardly
    differing count as different.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255, at least 7 pixels a side.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [-2, 2].

    Reference:
        Zhao et al., CDDFuse: correlation-driven dual-branch feature decomposition, 2023, its code.
    """
    first, second = _uniform(sources, fused, 2.0)
    return first + second


def fusion_ssim_matlab(sources, fused):
    """The SSIM of the MATLAB fusion toolboxes: to compare with published tables only.

    Gaussian window 11x11 with sigma 1.5, biased variances, for a data range of 1 although the
    images are in 0..255; the border pixels are repeated outwards, so that every pixel counts; mean
    over both sources. Computed in float64, for which JAX wants `jax_enable_x64`; float32
    does not resolve flat bright regions, which is about 1e-3 of the score of a clipped image.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [-1, 1], float32.

    Reference:
        Wang et al., Image quality assessment, 2004, as `ssim(image, reference)` of MATLAB computes
        it for images of type double.
    """
    margin = len(WINDOW) // 2

    def prepare(images):
        # C2 is 0.0009 here: float32 variances of bright regions are not good to that
        images = ops.cast(images, "float64")
        for axis in (1, 2):
            length = ops.shape(images)[axis]
            nearest = ops.clip(ops.arange(-margin, length + margin), 0, length - 1)
            images = ops.take(images, nearest, axis=axis)
        return images

    window = WINDOW.astype("float64")
    pairs = similarity_maps(
        [prepare(source) for source in pair(sources)],
        prepare(grey(fused)),
        window / window.sum(),
        1.0,
    )
    first, second = (image_mean(luminance * structure) for luminance, structure in pairs)
    return ops.cast((first + second) / 2, "float32")
