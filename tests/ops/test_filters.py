import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, signal

from medgan import ops


def images(seed, *shape):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=shape).astype("float32")


@pytest.mark.parametrize(("size", "sigma"), [(3, 0.6), (11, 1.5), (17, 3.4)])
def test_gaussian_window_is_the_impulse_response_of_scipy(size, sigma):
    impulse = np.zeros(size)
    impulse[size // 2] = 1
    radius = size // 2
    expected = ndimage.gaussian_filter1d(impulse, sigma, radius=radius)
    window = ops.gaussian_window(size, sigma)
    assert_allclose(window, expected, rtol=1e-6)
    assert_allclose(window.sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(7, 12), (11, 7)])
def test_blur_is_a_valid_correlation_that_skips(height, width, stride):
    batch = images(1, 2, height, width)
    window = np.array([0.1, 0.2, 0.4, 0.2, 0.1], "float32")
    kernel = np.outer(window, window)
    expected = [signal.correlate2d(image, kernel, mode="valid") for image in batch]
    blurred = ops.blur(batch, window, stride)
    assert_allclose(blurred, np.stack(expected)[:, ::stride, ::stride], rtol=1e-5)


def test_blur_accepts_an_image_as_large_as_its_window():
    assert_allclose(ops.blur(np.ones((1, 5, 5), "float32"), np.full(5, 0.2, "float32")), [[[1]]])


def test_blur_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match=r"4x9.*at least 5 pixels"):
        ops.blur(images(1, 1, 4, 9), ops.gaussian_window(5, 1.0))


@pytest.mark.parametrize(("padding", "scipy_mode"), [("reflect", "mirror"), ("constant", None)])
def test_sobel_is_that_of_scipy(padding, scipy_mode):
    batch = images(1, 2, 6, 9)
    mode = {"mode": scipy_mode} if scipy_mode else {"mode": "constant", "cval": 0.0}
    along_x, along_y = ops.sobel(batch, padding)
    for index, image in enumerate(batch):
        assert_allclose(along_x[index], ndimage.sobel(image, axis=1, **mode), atol=1e-6)
        assert_allclose(along_y[index], ndimage.sobel(image, axis=0, **mode), atol=1e-6)


def test_sobel_of_a_ramp_is_eight_times_its_slope():
    ramp = np.tile(3 * np.arange(6, dtype="float32"), (5, 1))[None]
    along_x, along_y = ops.sobel(ramp)
    assert_allclose(along_x[:, :, 1:-1], np.full((1, 5, 4), 24.0))
    assert_array_equal(along_y, np.zeros((1, 5, 6)))


def test_haar_by_hand():
    image = np.array([[1, 2], [3, 5]], "float32")[None, :, :, None]
    low, details = ops.haar(image)
    # (1+2+3+5)/2; left less right, top less bottom, diagonal, each halved
    assert_allclose(np.ravel(low), [5.5])
    assert_allclose(np.ravel(details), [-1.5, -2.5, 0.5])


def test_haar_bands_name_their_direction():
    along_x = np.tile([1.0, 0.0], (4, 2)).astype("float32")[None, :, :, None]
    _, details = ops.haar(along_x)
    assert_allclose(details[..., 0], np.full((1, 2, 2, 1), 1.0))
    assert_allclose(details[..., 1:], np.zeros((1, 2, 2, 1, 2)))
    _, details = ops.haar(along_x.transpose(0, 2, 1, 3))
    assert_allclose(details[..., 1], np.full((1, 2, 2, 1), 1.0))


def test_haar_preserves_energy():
    batch = images(1, 3, 8, 6, 2)
    low, details = ops.haar(batch)
    energy = np.sum(np.square(low), axis=(1, 2, 3)) + np.sum(np.square(details), axis=(1, 2, 3, 4))
    assert_allclose(energy, np.sum(batch**2, axis=(1, 2, 3)), rtol=1e-5)


def test_haar_leaves_out_an_odd_row_and_column():
    batch = images(1, 1, 7, 9, 1)
    for whole, cut in zip(ops.haar(batch), ops.haar(batch[:, :6, :8]), strict=True):
        assert_array_equal(whole, cut)


def test_quantise_clips_and_rounds_and_never_stretches():
    values = np.array([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 0.25, 1.0, 7.0], "float32")
    assert_array_equal(ops.quantise(values), [0, 0, 0, 1, 64, 255, 255])


def test_quantise_returns_every_grey_level_that_a_file_held():
    levels = np.arange(256, dtype="uint8")
    assert_array_equal(ops.quantise(levels.astype("float32") / np.float32(255)), levels)
