import numpy as np
from numpy.testing import assert_allclose

from medgan.classical import principal_components


def test_weights_are_those_of_the_leading_eigenvector():
    rng = np.random.default_rng(0)
    shared = rng.uniform(size=(3, 10, 12))
    sources = np.stack([0.7 * shared, 0.2 * shared], axis=-1)
    sources += 0.3 * rng.uniform(size=sources.shape) * [1, 0.5]
    # The last pair is negatively correlated: magnitudes count.
    sources[2, ..., 1] = 0.6 - 0.5 * sources[2, ..., 0]
    fused = principal_components(sources)
    for pair, result in zip(sources, fused, strict=True):
        _, vectors = np.linalg.eigh(np.cov(pair.reshape(-1, 2).T))
        weights = np.abs(vectors[:, -1]) / np.abs(vectors[:, -1]).sum()
        assert_allclose(result[..., 0], pair @ weights, atol=1e-6)


def test_constant_beside_an_image_has_no_weight():
    image = np.random.default_rng(1).uniform(size=(1, 8, 8))
    for sources in ([image, image * 0 + 0.3], [image * 0 + 0.3, image]):
        assert_allclose(principal_components(np.stack(sources, axis=-1))[..., 0], image, atol=1e-6)


def test_two_constants_are_averaged():
    sources = np.broadcast_to([0.3, 0.7], (1, 7, 9, 2)).astype("float32")
    assert_allclose(principal_components(sources), np.full((1, 7, 9, 1), 0.5), rtol=1e-6)
