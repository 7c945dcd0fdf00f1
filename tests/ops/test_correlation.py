import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan import ops


def images(seed, *shape):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=shape).astype("float32")


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_pearson_is_that_of_numpy(scale):
    first, second = scale * images(1, 3, 8, 9), scale * images(2, 3, 8, 9)
    second[1] += first[1]
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second, strict=True)]
    assert_allclose(ops.pearson(first, second), expected, atol=1e-5)


def test_pearson_is_one_for_any_rising_line_and_minus_one_for_a_falling_one():
    first = images(1, 1, 10, 10)
    assert_allclose(ops.pearson(first, 3 * first + 2), [1], atol=1e-5)
    assert_allclose(ops.pearson(first, 1 - 0.2 * first), [-1], atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, 100.3, 255.0])
def test_pearson_with_a_constant_image_is_zero(level):
    constant = np.full((1, 16, 16), level, "float32")
    assert_allclose(ops.pearson(constant, 255 * images(1, 1, 16, 16)), [0], atol=1e-4)
    assert_allclose(ops.pearson(constant, constant), [0], atol=1e-4)


def test_scd_is_the_sum_of_two_correlations():
    sources, fused = 255 * images(1, 2, 12, 10, 2), 255 * images(2, 2, 12, 10, 1)
    expected = []
    for (a, b), f in zip(sources.transpose(0, 3, 1, 2), fused[..., 0], strict=True):
        first = np.corrcoef((f - b).ravel(), a.ravel())[0, 1]
        expected.append(first + np.corrcoef((f - a).ravel(), b.ravel())[0, 1])
    assert_allclose(ops.sum_of_correlations_of_differences(sources, fused), expected, atol=1e-5)


def test_scd_of_the_plain_sum_is_two():
    sources = 255 * images(1, 2, 12, 12, 2)
    total = sources.sum(axis=-1, keepdims=True)
    assert_allclose(ops.sum_of_correlations_of_differences(sources, total), [2, 2], atol=1e-5)


def test_cc_is_the_mean_of_both_correlations_with_the_sources():
    sources, fused = 255 * images(1, 2, 12, 10, 2), 255 * images(2, 2, 12, 10, 1)
    fused[1] += sources[1].sum(axis=-1, keepdims=True)
    expected = [
        np.mean([np.corrcoef(s[..., i].ravel(), f.ravel())[0, 1] for i in range(2)])
        for s, f in zip(sources, fused, strict=True)
    ]
    assert_allclose(ops.fusion_correlation(sources, fused), expected, atol=1e-6)
    assert_allclose(ops.fusion_correlation(sources[..., ::-1], fused), expected, atol=1e-6)


def test_cc_ignores_brightness_and_contrast_and_counts_a_constant_source_zero():
    fused = 255 * images(1, 1, 16, 16, 1)
    sources = np.concatenate([fused / 4 + 90, 255 - fused / 3], axis=-1)
    assert_allclose(ops.fusion_correlation(sources[..., [0, 0]], fused), [1], rtol=1e-5)
    assert_allclose(ops.fusion_correlation(sources, fused), [0], atol=1e-6)
    sources[..., 1] = 30
    assert_allclose(ops.fusion_correlation(sources, fused), [0.5], rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradient_with_a_raised_epsilon_is_small_on_flat_images(level):
    sources = tf.fill((1, 16, 16, 2), level)
    fused = tf.fill((1, 16, 16, 1), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(fused)
        score = ops.sum_of_correlations_of_differences(sources, fused, epsilon=1e-6)
    assert_allclose(score, [0], atol=1e-6)
    assert np.abs(tape.gradient(score, fused)).max() < 1e-3


def test_wrong_channels_are_refused():
    with pytest.raises(ValueError, match="two sources stacked"):
        ops.sum_of_correlations_of_differences(images(1, 1, 8, 8, 1), images(2, 1, 8, 8, 1))
    with pytest.raises(ValueError, match="expected grey images"):
        ops.sum_of_correlations_of_differences(images(1, 1, 8, 8, 2), images(2, 1, 8, 8, 2))
