import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage
from skimage.metrics import (
    mean_squared_error,
    normalized_root_mse,
    peak_signal_noise_ratio,
    structural_similarity,
)

from medgan import ops

SCORES = {
    "mae": ops.mean_absolute_error,
    "rmse": ops.root_mean_square_error,
    "psnr": ops.peak_signal_to_noise,
    "ncc": ops.normalised_cross_correlation,
}
NUMPY = {
    "mae": lambda x, y: np.abs(x - y).mean(),
    "rmse": lambda x, y: np.sqrt(((x - y) ** 2).mean()),
    "psnr": lambda x, y: 10 * np.log10(255**2 / ((x - y) ** 2).mean()),
    "ncc": lambda x, y: np.corrcoef(x, y)[0, 1],
}


def images(seed, *shape):
    return 255 * np.random.default_rng(seed).uniform(size=shape).astype("float32")


def pictures(seed, count=2, height=24, width=31):
    """A target and an output that resembles it."""
    target = ndimage.gaussian_filter(images(seed, count, height, width, 1), (0, 2, 2, 0))
    return target, 0.8 * target + 0.2 * images(seed + 1, count, height, width, 1)


def masks(seed, count=2, height=24, width=31):
    return (np.random.default_rng(seed).uniform(size=(count, height, width)) < 0.3).astype(
        "float32"
    )


@pytest.mark.parametrize("name", SCORES)
def test_score_inside_a_mask_is_that_of_its_pixels_alone(name):
    target, output = pictures(1)
    mask = masks(2)
    expected = [
        NUMPY[name](x[m > 0, 0].astype("float64"), y[m > 0, 0].astype("float64"))
        for x, y, m in zip(target, output, mask, strict=True)
    ]
    assert_allclose(SCORES[name](target, output, mask=mask), expected, rtol=1e-5)


@pytest.mark.parametrize("name", SCORES)
def test_score_without_a_mask_or_with_an_empty_one_is_that_of_the_frame(name):
    target, output = pictures(1)
    expected = [
        NUMPY[name](x.ravel().astype("float64"), y.ravel().astype("float64"))
        for x, y in zip(target, output, strict=True)
    ]
    assert_allclose(SCORES[name](target, output), expected, rtol=1e-5)
    mask = np.stack([np.zeros((24, 31)), np.ones((24, 31))])
    assert_allclose(SCORES[name](target, output, mask=mask), expected, rtol=1e-5)


@pytest.mark.parametrize("name", SCORES)
def test_what_lies_outside_the_mask_does_not_count(name):
    target, output = pictures(1)
    mask = masks(2)
    elsewhere = np.where(mask[..., None] > 0, output, 255 - output)
    expected = SCORES[name](target, output, mask=mask)
    assert_allclose(SCORES[name](target, elsewhere, mask=mask), expected, rtol=1e-6)


def test_errors_are_those_of_scikit_image():
    target, output = (batch[..., 0].astype("float64") for batch in pictures(3, count=1))
    ours = ops.peak_signal_to_noise(target[..., None], output[..., None])
    assert_allclose(ours, [peak_signal_noise_ratio(target, output, data_range=255)], rtol=1e-5)
    ours = ops.root_mean_square_error(target[..., None], output[..., None])
    assert_allclose(ours, [np.sqrt(mean_squared_error(target, output))], rtol=1e-5)
    spread = normalized_root_mse(target, output, normalization="min-max")
    assert_allclose(ours, [spread * (target.max() - target.min())], rtol=1e-5)


@pytest.mark.parametrize(("name", "best"), [("mae", 0), ("rmse", 0), ("psnr", 100), ("ncc", 1)])
def test_equal_images_score_best(name, best):
    target = images(1, 2, 16, 16, 1)
    assert_allclose(SCORES[name](target, target), [best, best], rtol=1e-6)


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_symmetric(name):
    target, output = pictures(1)
    assert_allclose(SCORES[name](output, target), SCORES[name](target, output), rtol=1e-6)


@pytest.mark.parametrize("name", SCORES)
def test_scores_worsen_with_noise_and_blur(name):
    target = ndimage.gaussian_filter(images(1, 1, 40, 40, 1), (0, 1, 1, 0))
    noise = np.random.default_rng(2).normal(size=target.shape)
    better = -1 if name in ("mae", "rmse") else 1
    noisy = [target + sigma * noise for sigma in (0, 3, 9, 27)]
    blurred = [ndimage.gaussian_filter(target, (0, sigma, sigma, 0)) for sigma in (0, 0.6, 1.2, 3)]
    for series in (noisy, blurred):
        values = np.array([float(SCORES[name](target, output)[0]) for output in series])
        assert (better * np.diff(values) < 0).all()


def test_ncc_ignores_brightness_and_contrast():
    target, output = pictures(1)
    expected = ops.normalised_cross_correlation(target, output)
    changed = ops.normalised_cross_correlation(target, 20 + output / 3)
    assert_allclose(changed, expected, rtol=1e-5)
    opposite = ops.normalised_cross_correlation(target, 255 - output)
    assert_allclose(opposite, -np.asarray(expected), rtol=1e-5)


def test_psnr_depends_on_peak_over_error_alone_and_ends_at_a_hundred():
    target, output = pictures(1)
    expected = ops.peak_signal_to_noise(target, output)
    scaled = ops.peak_signal_to_noise(target / 255, output / 255, peak=1.0)
    assert_allclose(scaled, expected, rtol=1e-5)
    almost = np.full((1, 8, 8, 1), 1e-4, "float32")
    assert_allclose(ops.peak_signal_to_noise(np.zeros((1, 8, 8, 1)), almost), [100], rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 100.3, 255.0])
def test_constant_images_have_a_defined_score(level):
    constant, rich = np.full((1, 16, 16, 1), level, "float32"), images(1, 1, 16, 16, 1)
    mask = np.zeros((1, 16, 16), "float32")
    mask[:, 3:9, 4:12] = 1
    for chosen in (None, mask, 0 * mask):
        ncc = ops.normalised_cross_correlation(constant, rich, mask=chosen)
        assert_allclose(ncc, [0], atol=1e-4)
        ncc = ops.normalised_cross_correlation(constant, constant, mask=chosen)
        assert_allclose(ncc, [0], atol=1e-4)
        assert_allclose(ops.peak_signal_to_noise(constant, constant, mask=chosen), [100], rtol=1e-6)


def test_masked_ssim_is_the_map_of_scikit_image_inside_the_mask():
    target, output = pictures(1)
    mask = np.zeros((2, 24, 31), "float32")
    mask[0, 4:15, 9:20] = 1
    expected = []
    for x, y, m in zip(target[..., 0], output[..., 0], mask, strict=True):
        _, values = structural_similarity(
            x.astype("float64"),
            y.astype("float64"),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        values, m = values[5:-5, 5:-5], m[5:-5, 5:-5]
        expected.append(values[m > 0].mean() if m.any() else values.mean())
    assert_allclose(ops.masked_ssim(target, output, mask, 255.0), expected, atol=3e-6)
    whole = ops.masked_ssim(target, output, np.ones_like(mask), 255.0)
    assert_allclose(whole, ops.ssim(target, output, 255.0), rtol=1e-6)


def test_masked_ssim_whose_mask_lies_in_the_cut_border_is_that_of_the_frame():
    target, output = pictures(1)
    mask = np.zeros((2, 24, 31), "float32")
    mask[:, :5] = 1
    expected = ops.ssim(target, output, 255.0)
    assert_allclose(ops.masked_ssim(target, output, mask, 255.0), expected, rtol=1e-6)


@pytest.mark.parametrize("peak", [255.0, None])
def test_fusion_psnr_takes_the_mean_error_over_both_sources(peak):
    sources, fused = images(1, 2, 12, 14, 2), images(2, 2, 12, 14, 1) / 2
    errors = [
        mean_squared_error(s, np.repeat(f, 2, -1)) for s, f in zip(sources, fused, strict=True)
    ]
    peaks = fused.max(axis=(1, 2, 3)) if peak is None else peak
    expected = 10 * np.log10(peaks**2 / np.array(errors))
    assert_allclose(ops.fusion_peak_signal_to_noise(sources, fused, peak), expected, rtol=1e-5)


def test_fusion_psnr_of_equal_images_is_a_hundred_even_where_they_are_black():
    image = images(1, 1, 12, 12, 1)
    for fused in (image, 0 * image):
        sources = np.repeat(fused, 2, axis=-1)
        for peak in (255.0, None):
            assert_allclose(ops.fusion_peak_signal_to_noise(sources, fused, peak), [100], rtol=1e-6)


def test_colour_images_are_refused():
    colour = np.zeros((1, 16, 16, 3), "float32")
    for score in SCORES.values():
        with pytest.raises(ValueError, match="expected grey images"):
            score(colour, colour)
