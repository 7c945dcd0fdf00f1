import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan.classical import laplacian

TAPS = np.array([1, 4, 6, 4, 1]) / 16


def shrunk(image):
    """Blur, borders mirrored, and every second pixel: SciPy's way to what `pyrDown` does."""
    for axis in (0, 1):
        image = ndimage.correlate1d(image, TAPS, axis=axis, mode="mirror")
    return image[::2, ::2]


def grown(image, shape):
    """Zeros between the pixels, then a blur; OpenCV mirrors at the first, repeats the last."""
    padded = np.pad(image, ((1, 0), (1, 0)), mode="reflect")
    padded = np.pad(padded, ((0, 1), (0, 1)), mode="edge")
    sparse = np.zeros([2 * side for side in padded.shape])
    sparse[::2, ::2] = padded
    for axis in (0, 1):
        sparse = ndimage.correlate1d(sparse, 2 * TAPS, axis=axis, mode="constant")
    return sparse[2 : 2 + shape[0], 2 : 2 + shape[1]]


def by_hand(first, second, levels, base):
    if levels == 0:
        return np.maximum(first, second) if base == "maximum" else (first + second) / 2
    low = shrunk(first), shrunk(second)
    details = [first - grown(low[0], first.shape), second - grown(low[1], second.shape)]
    stronger = np.where(np.abs(details[0]) >= np.abs(details[1]), *details)
    return grown(by_hand(*low, levels - 1, base), first.shape) + stronger


@pytest.mark.parametrize("base", ["maximum", "average"])
@pytest.mark.parametrize(("size", "levels"), [((16, 24), 2), ((17, 23), 2), ((32, 32), 3)])
def test_pyramid_is_that_of_scipy(size, levels, base):
    # In the middle of the range, so that nothing is clipped.
    sources = 0.4 + 0.2 * np.random.default_rng(0).uniform(size=(1, *size, 2)).astype("float32")
    expected = by_hand(*sources[0].astype("float64").transpose(2, 0, 1), levels, base)
    assert_allclose(laplacian(sources, levels=levels, base=base)[0, ..., 0], expected, atol=1e-6)


def test_small_images_have_fewer_levels():
    sources = np.random.default_rng(1).uniform(size=(1, 9, 30, 2))
    # 9 pixels a side become 5, then 3, which are not halved again
    assert_allclose(laplacian(sources, levels=7), laplacian(sources, levels=2))


def test_flat_regions_show_the_brighter_source():
    sources = np.zeros((1, 64, 64, 2), "float32")
    sources[:, :, :32, 0], sources[:, :, 32:, 1] = 0.8, 0.6
    fused = laplacian(sources)[0, ..., 0]
    assert_allclose(fused[:, :4], 0.8, atol=0.1)
    assert_allclose(fused[:, -4:], 0.6, atol=0.1)
    halved = laplacian(sources, base="average")[0, ..., 0]
    assert_allclose(halved[:, :4], 0.4, atol=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "mean"}, 'base=\'mean\'; expected "average" or "maximum"'),
        ({"levels": 0}, "levels=0; expected a whole number of at least 1"),
        ({"levels": 2.5}, r"levels=2\.5"),
        ({"levels": True}, "levels=True"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        laplacian(np.zeros((1, 16, 16, 2)), **settings)
