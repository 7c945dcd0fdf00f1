import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan.classical import guided_filter


def weights(guides, choices, radius, regularisation):
    """Guided filter of He et al. on SciPy's box filter."""

    def mean(image):
        return ndimage.uniform_filter(image, 2 * radius + 1)

    maps = []
    for guide, choice in zip(guides, choices, strict=True):
        covariance = mean(guide * choice) - mean(guide) * mean(choice)
        slope = covariance / (mean(guide**2) - mean(guide) ** 2 + regularisation)
        offset = mean(choice) - slope * mean(guide)
        maps.append(np.clip(mean(slope) * guide + mean(offset), 0, 1))
    return [one / (maps[0] + maps[1]) for one in maps]


def by_hand(first, second):
    """The method as its paper tells it, on SciPy."""
    guides = first, second
    bases = [ndimage.uniform_filter(image, 31) for image in guides]
    saliency = [
        ndimage.gaussian_filter(np.abs(ndimage.laplace(image)), 5, radius=5, mode="mirror")
        for image in guides
    ]
    first_wins = (saliency[0] >= saliency[1]).astype("float64")
    choices = first_wins, 1 - first_wins
    base = weights(guides, choices, 45, 0.3)
    detail = weights(guides, choices, 7, 1e-6)
    return sum(
        b * base_ + d * (image - base_)
        for b, d, image, base_ in zip(base, detail, guides, bases, strict=True)
    )


def test_method_is_that_of_its_paper():
    rng = np.random.default_rng(0)
    sources = ndimage.gaussian_filter(rng.uniform(size=(2, 60, 71, 2)), (0, 2, 2, 0))
    sources = (0.5 + 2 * (sources - 0.5)).astype("float32")
    for pair, fused in zip(sources.astype("float64"), guided_filter(sources), strict=True):
        expected = np.clip(by_hand(pair[..., 0], pair[..., 1]), 0, 1)
        assert_allclose(fused[..., 0], expected, atol=2e-5)


def test_each_half_shows_the_source_with_structure_there():
    stripes = 0.4 + 0.2 * (np.arange(60) % 4 < 2) * np.ones((60, 1))
    left = np.where(np.arange(60) < 30, stripes, 0.5)
    right = np.where(np.arange(60) < 30, 0.5, stripes)
    fused = guided_filter(np.stack([left, right], axis=-1)[None])[0, ..., 0]
    assert_allclose(fused[:, :20], stripes[:, :20], atol=0.02)
    assert_allclose(fused[:, 40:], stripes[:, 40:], atol=0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_size": 30}, "base_size=30; expected an odd number"),
        ({"base_radius": 0}, "base_radius=0; expected a whole number of at least 1"),
        ({"detail_radius": 1.5}, "detail_radius=1.5"),
        ({"detail_regularisation": 0}, "detail_regularisation=0; expected numbers above 0"),
        ({"base_regularisation": float("nan")}, "base_regularisation=nan"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        guided_filter(np.zeros((1, 16, 16, 2)), **settings)
