import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage, signal

from medgan import ops


def pixel_domain_vif(reference, image, noise_variance=2.0, flat=1e-10):
    """Sheikh and Bovik's vifp_mscale, transcribed in float64."""
    reference, image = reference.astype("float64"), image.astype("float64")
    numerator = denominator = 0.0
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        offsets = np.arange(size) - size // 2
        window = np.exp(-np.add.outer(offsets**2, offsets**2) / (2 * (size / 5) ** 2))
        window /= window.sum()

        def local(values, window=window):
            return signal.convolve2d(values, window, mode="valid")

        if scale > 1:
            reference, image = local(reference)[::2, ::2], local(image)[::2, ::2]
        mean_1, mean_2 = local(reference), local(image)
        var_1 = np.maximum(local(reference**2) - mean_1**2, 0)
        var_2 = np.maximum(local(image**2) - mean_2**2, 0)
        cov = local(reference * image) - mean_1 * mean_2
        gain = cov / (var_1 + flat)
        noise = var_2 - gain * cov
        gain[var_1 < flat] = 0
        noise[var_1 < flat] = var_2[var_1 < flat]
        var_1[var_1 < flat] = 0
        gain[var_2 < flat] = 0
        noise[var_2 < flat] = 0
        noise[gain < 0] = var_2[gain < 0]
        gain[gain < 0] = 0
        noise[noise <= flat] = flat
        numerator += np.log10(1 + gain**2 * var_1 / (noise + noise_variance)).sum()
        denominator += np.log10(1 + var_1 / noise_variance).sum()
    return numerator / denominator


def textured(seed, count=2, side=48):
    rng = np.random.default_rng(seed)
    """Blurred noise on 0..255 beside a black background, like a slice of a head."""
    noise = rng.normal(size=(count, side, side))
    smooth = ndimage.gaussian_filter(noise, (0, 1.2, 1.2))
    grey = np.clip(110 + 170 * smooth, 0, 255)
    grey[:, :, : side // 4] = 0
    return np.round(grey).astype("float32")


def stacked(first, second):
    return np.stack([first, second], axis=-1)


def test_score_is_the_sum_of_the_published_algorithm_over_both_sources():
    first, second = textured(1), textured(2)
    for fused in (np.maximum(first, second), np.round((first + second) / 2), 255 - first):
        expected = [
            pixel_domain_vif(a, f) + pixel_domain_vif(b, f)
            for a, b, f in zip(first, second, fused, strict=True)
        ]
        score = ops.visual_information(stacked(first, second), fused[..., None])
        assert_allclose(score, expected, rtol=1e-3, atol=1e-4)


def test_sides_need_not_be_equal_or_even():
    first, second = textured(1, 1, 60)[:, :41, :57], textured(2, 1, 60)[:, :41, :57]
    fused = np.maximum(first, second)
    expected = pixel_domain_vif(first[0], fused[0]) + pixel_domain_vif(second[0], fused[0])
    assert_allclose(
        ops.visual_information(stacked(first, second), fused[..., None]), [expected], rtol=1e-3
    )


def test_two_equal_sources_returned_unchanged_score_two():
    image = textured(1, 1)
    assert_allclose(ops.visual_information(stacked(image, image), image[..., None]), [2], rtol=1e-3)


def test_exaggerated_contrast_scores_more_than_two_and_blur_less():
    image = textured(1, 1) / 2
    sources = stacked(image, image)
    assert float(ops.visual_information(sources, 2 * image[..., None])[0]) > 2.05
    blurred = ndimage.gaussian_filter(image, (0, 2, 2))[..., None].astype("float32")
    assert float(ops.visual_information(sources, blurred)[0]) < 1


@pytest.mark.parametrize("level", [0, 1, 77, 251, 255])
@pytest.mark.parametrize("fused_level", [0, 13, 191, 255])
def test_source_without_structure_counts_one(level, fused_level):
    constant = np.full((1, 48, 48), level, "float32")
    fused = np.full((1, 48, 48, 1), fused_level, "float32")
    assert_allclose(ops.visual_information(stacked(constant, constant), fused), [2])


@pytest.mark.parametrize("level", [0, 255])
def test_constant_result_of_structured_sources_scores_zero(level):
    fused = np.full((1, 48, 48, 1), level, "float32")
    score = ops.visual_information(stacked(textured(1, 1), textured(2, 1)), fused)
    assert_allclose(score, [0], atol=1e-4)


def test_smooth_version_is_close_to_the_score_on_textured_images():
    first, second = textured(1), textured(2)
    sources = stacked(first, second)
    for fused in (np.maximum(first, second), np.round((first + second) / 2)):
        fused = fused[..., None]
        # they differ where a window is flat, and by the floor of 1e-3 beside variances of hundreds
        assert_allclose(
            ops.smooth_visual_information(sources, fused),
            ops.visual_information(sources, fused),
            rtol=1e-4,
        )


@pytest.mark.parametrize("kind", ["black", "white", "textured", "equal", "opposed"])
def test_gradient_of_the_smooth_version_is_finite(kind):
    first, second = textured(1, 1), textured(2, 1)
    fused = {
        "black": np.zeros_like(first),
        "white": np.full_like(first, 255),
        "textured": np.maximum(first, second),
        "equal": first,
        "opposed": 255 - first,
    }[kind]
    for sources in (stacked(first, second), np.full((1, 48, 48, 2), fused.max(), "float32")):
        image = tf.constant(fused[..., None])
        with tf.GradientTape() as tape:
            tape.watch(image)
            score = ops.smooth_visual_information(sources, image)
        assert np.isfinite(score).all()
        assert np.isfinite(tape.gradient(score, image)).all()


@pytest.mark.parametrize("function", [ops.visual_information, ops.smooth_visual_information])
def test_wrong_channels_and_small_images_are_refused(function):
    with pytest.raises(ValueError, match=r"40x48.*at least 41 pixels"):
        function(np.zeros((1, 40, 48, 2), "float32"), np.zeros((1, 40, 48, 1), "float32"))
    with pytest.raises(ValueError, match="two sources stacked"):
        function(np.zeros((1, 48, 48, 1), "float32"), np.zeros((1, 48, 48, 1), "float32"))
    with pytest.raises(ValueError, match="expected grey images"):
        function(np.zeros((1, 48, 48, 2), "float32"), np.zeros((1, 48, 48, 3), "float32"))
