import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d
from sklearn.linear_model import orthogonal_mp

from medgan.classical import cosine_dictionary, sparse_representation

ATOMS = cosine_dictionary(4, 6)


def pairs(seed, *shape):
    return np.random.default_rng(seed).uniform(size=(*shape, 2)).astype("float32")


def by_hand(pair, mean, atoms):
    """The method on scikit-learn's patches and pursuit; patches at every pixel."""
    signals = [extract_patches_2d(pair[..., source], (4, 4)).reshape(-1, 16) for source in (0, 1)]
    means = [signal.mean(axis=1) for signal in signals]
    codes = [
        orthogonal_mp(ATOMS.T.astype("float64"), (s - m[:, None]).T, n_nonzero_coefs=atoms).T
        for s, m in zip(signals, means, strict=True)
    ]
    first = np.abs(codes[0]).sum(axis=1) >= np.abs(codes[1]).sum(axis=1)
    level = np.maximum(*means) if mean == "maximum" else np.where(first, *means)
    patches = np.where(first[:, None], *codes) @ ATOMS + level[:, None]
    return reconstruct_from_patches_2d(patches.reshape(-1, 4, 4), pair.shape[:2])


@pytest.mark.parametrize("mean", ["maximum", "chosen"])
def test_method_is_that_of_scikit_learn(mean):
    sources = pairs(0, 1, 9, 11)
    settings = {"dictionary": ATOMS, "step": 1, "tolerance": 1e-3, "atoms": 3, "mean": mean}
    expected = np.clip(by_hand(sources[0].astype("float64"), mean, 3), 0, 1)
    assert_allclose(sparse_representation(sources, **settings)[0, ..., 0], expected, atol=1e-4)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_image_fused_with_itself_comes_back_to_the_tolerance(step):
    image = pairs(1, 1, 13, 15)[..., :1]
    fused = sparse_representation(
        np.repeat(image, 2, axis=-1), dictionary=ATOMS, step=step, tolerance=1e-3, atoms=16
    )
    assert_allclose(fused, image, atol=1e-3)


def test_bright_flat_region_keeps_its_brightness_beside_texture():
    sources = np.full((1, 24, 24, 2), 0.9, "float32")
    sources[..., 1] = 0.3 + 0.2 * pairs(2, 1, 24, 24)[..., 0]
    texture = sources[0, ..., 1]
    fused = sparse_representation(sources)[0, ..., 0]
    assert_allclose(fused.mean(), 0.9, atol=0.02)
    assert np.corrcoef(fused.ravel(), texture.ravel())[0, 1] > 0.8
    chosen = sparse_representation(sources, mean="chosen")[0, ..., 0]
    assert_allclose(chosen.mean(), texture.mean(), atol=0.02)


def test_length_of_the_users_atoms_does_not_matter():
    sources = pairs(3, 1, 12, 12)
    lengths = np.random.default_rng(4).uniform(0.1, 9, size=(len(ATOMS), 1))
    assert_allclose(
        sparse_representation(sources, dictionary=ATOMS * lengths),
        sparse_representation(sources, dictionary=ATOMS),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dictionary": np.ones((5, 15))}, r"shape \(5, 15\); .* pixels of a square patch"),
        ({"dictionary": np.ones(16)}, r"shape \(16,\)"),
        ({"dictionary": np.full((4, 16), np.nan)}, "dictionary with NaN"),
        ({"step": 9}, "step=9; expected at most 8"),
        ({"atoms": 65}, "atoms=65; expected at most 64"),
        ({"atoms": 0}, "atoms=0; expected a whole number"),
        ({"tolerance": 0}, "tolerance=0; expected a number above 0"),
        ({"mean": "average"}, 'mean=\'average\'; expected "maximum" or "chosen"'),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        sparse_representation(np.zeros((1, 16, 16, 2)), **settings)
