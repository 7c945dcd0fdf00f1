import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan.losses import IntensityDetailLoss

rng = np.random.default_rng(4)
SOURCES = rng.uniform(size=(2, 9, 11, 2)).astype("float32")
FUSED = rng.uniform(size=(2, 9, 11, 1)).astype("float32")
LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


def of_images(function):
    return np.array([function(s, f[..., 0]) for s, f in zip(SOURCES, FUSED, strict=True)])


def laplacian(image):
    return ndimage.convolve(image, LAPLACIAN)[1:-1, 1:-1]


def test_default_is_the_intensity_of_the_first_and_the_laplacian_of_the_second_source():
    terms = IntensityDetailLoss(100.0, 500.0).terms(SOURCES, FUSED)
    intensity = of_images(lambda s, f: 100 * np.mean((f - s[..., 0]) ** 2))
    detail = of_images(lambda s, f: 500 * np.mean((laplacian(f) - laplacian(s[..., 1])) ** 2))
    assert_allclose(terms["intensity"], intensity, rtol=1e-5)
    assert_allclose(terms["detail"], detail, rtol=1e-5)
    assert_allclose(
        IntensityDetailLoss(100.0, 500.0)(SOURCES, FUSED), np.mean(intensity + detail), rtol=1e-5
    )


def test_variation_is_the_mean_absolute_difference_of_neighbours_and_sources_may_change_places():
    loss = IntensityDetailLoss(2.0, 3.0, intensity_source=1, kind="variation")
    terms = loss.terms(SOURCES, FUSED)

    def variation(sources, fused):
        difference = fused - sources[..., 0]
        right, down = np.diff(difference, axis=1)[:-1], np.diff(difference, axis=0)[:, :-1]
        return 3 * np.mean(np.abs(right) + np.abs(down))

    assert_allclose(terms["detail"], of_images(variation), rtol=1e-5)
    intensity = of_images(lambda s, f: 2 * np.mean((f - s[..., 1]) ** 2))
    assert_allclose(terms["intensity"], intensity, rtol=1e-5)


def test_contrast_is_the_mean_of_eight_neighbours_minus_the_pixel():
    terms = IntensityDetailLoss(detail=3.0, kind="contrast").terms(SOURCES, FUSED)
    kernel = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]]) / 8

    def contrast(sources, fused):
        difference = ndimage.convolve(fused - sources[..., 1], kernel)[1:-1, 1:-1]
        return 3 * np.mean(np.abs(difference))

    assert_allclose(terms["detail"], of_images(contrast), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"intensity": -1.0}, "intensity=-1.0, expected a weight of 0 or more"),
        ({"intensity_source": 2}, "intensity_source=2, expected 0 or 1"),
        ({"kind": "sobel"}, "kind='sobel', expected one of laplacian, variation, contrast"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        IntensityDetailLoss(**arguments)
