import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan import ops


def images(seed, *shape):
    return 255 * np.random.default_rng(seed).uniform(size=shape).astype("float32")


def test_standard_deviation_is_that_of_numpy():
    batch = images(1, 3, 17, 12, 1)
    batch[1] = 200 + batch[1] / 100
    assert_allclose(ops.standard_deviation(batch), batch.std(axis=(1, 2, 3)), rtol=1e-5)


def test_standard_deviation_scales_with_contrast_and_ignores_brightness():
    batch = images(1, 2, 16, 16, 1)
    expected = 0.25 * np.asarray(ops.standard_deviation(batch))
    assert_allclose(ops.standard_deviation(100 + batch / 4), expected, rtol=1e-5)


def test_average_gradient_is_that_of_numpy():
    batch = images(1, 2, 9, 14, 1)
    expected = [
        np.sqrt(sum(g.astype("float64") ** 2 for g in np.gradient(b[..., 0])) / 2).sum()
        for b in batch
    ]
    assert_allclose(ops.average_gradient(batch), np.divide(expected, 9 * 14), rtol=1e-5)
    interior = ops.average_gradient(batch, interior=True)
    assert_allclose(interior, np.divide(expected, 8 * 13), rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 5), (5, 2)])
def test_average_gradient_of_a_ramp_is_its_slope(height, width):
    ramp = 3.0 * np.add.outer(np.arange(height), np.arange(width))
    assert_allclose(ops.average_gradient(ramp[None, :, :, None]), [3], rtol=1e-6)


def test_turning_an_image_changes_neither():
    batch = images(1, 2, 12, 15, 1)
    for score in (ops.standard_deviation, ops.average_gradient):
        assert_allclose(score(np.rot90(batch, axes=(1, 2))), score(batch), rtol=1e-6)


def test_both_fall_with_blur_and_rise_with_noise():
    image = ndimage.gaussian_filter(images(1, 48, 48), 2)
    noise = np.random.default_rng(2).normal(size=image.shape)
    blurred = [ndimage.gaussian_filter(image, sigma) for sigma in (3, 2, 1)]
    noisy = [image + sigma * noise for sigma in (0, 4, 8, 16)]
    for score in (ops.standard_deviation, ops.average_gradient):
        values = np.asarray(score(np.stack(blurred + noisy)[..., None]))
        assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("level", [0.0, 100.3, 255.0])
def test_both_are_zero_on_constant_images(level):
    constant = np.full((1, 16, 16, 1), level, "float32")
    assert_allclose(ops.standard_deviation(constant), [0], atol=1e-4)
    assert_allclose(ops.average_gradient(constant), [0])


def test_a_single_row_has_no_gradient():
    with pytest.raises(ValueError, match=r"1x8.*at least 2 pixels"):
        ops.average_gradient(np.zeros((1, 1, 8, 1), "float32"))
