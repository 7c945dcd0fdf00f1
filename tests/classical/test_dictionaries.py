import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.classical import cosine_dictionary, learn_dictionary


def waves(seed, size):
    """Images of oblique stripes, which a few atoms can explain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:size, :size]
    phases = rng.uniform(0, 6, size=(3, 2))
    images = [
        [np.sin(0.6 * rows + phase) + np.sin(0.9 * columns + phase) for phase in pair]
        for pair in phases
    ]
    return (0.5 + 0.2 * np.moveaxis(images, 1, -1)).astype("float32")


def test_atoms_are_unit_vectors_without_mean():
    dictionaries = (
        cosine_dictionary(),
        cosine_dictionary(5, 7),
        learn_dictionary(waves(0, 32), atoms=12, patch_size=4, patches=200),
    )
    for atoms in dictionaries:
        assert atoms.dtype == np.float32
        assert_allclose(np.linalg.norm(atoms, axis=1), 1, rtol=1e-5)
        assert_allclose(atoms.mean(axis=1), 0, atol=1e-6)


def test_as_many_frequencies_as_pixels_are_a_basis():
    # without the constant, one dimension is missing
    assert np.linalg.matrix_rank(cosine_dictionary(4, 4)) == 15
    assert np.linalg.matrix_rank(cosine_dictionary(4, 8)) == 15


def test_cosine_by_hand():
    # frequency 1 of 2 along x: cos(0), cos(pi / 2), without its mean, of length 1; constant along y
    assert_allclose(cosine_dictionary(2, 2)[0], [0.5, -0.5, 0.5, -0.5], atol=1e-6)


def test_seed_decides_what_is_learnt():
    settings = {"atoms": 8, "patch_size": 4, "patches": 150}
    sources = waves(1, 24)
    learnt = learn_dictionary(sources, seed=3, **settings)
    assert_array_equal(learn_dictionary(sources, seed=3, **settings), learnt)
    assert np.abs(learn_dictionary(sources, seed=4, **settings) - learnt).max() > 0.01


def test_learnt_atoms_explain_the_images_they_are_from():
    sources = waves(2, 40)
    learnt = learn_dictionary(sources, atoms=8, patch_size=4, patches=300)
    patches = sources[0, :, :, 0].reshape(10, 4, 10, 4).transpose(0, 2, 1, 3).reshape(100, 16)
    patches -= patches.mean(axis=1, keepdims=True)
    # these patches lie in four dimensions: sine and cosine along either axis
    solution, *_ = np.linalg.lstsq(learnt.T, patches.T, rcond=None)
    left = patches.T - learnt.T @ solution
    assert np.linalg.norm(left) < 0.05 * np.linalg.norm(patches)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 33}, "32x32; expected at least 33 pixels a side"),
        ({"atoms": 0}, "atoms=0; expected a whole number"),
        ({"patches": 100, "atoms": 101}, "100 of 100 patches are not flat; expected at least 101"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        learn_dictionary(waves(3, 32), **settings)


def test_flat_images_teach_nothing():
    with pytest.raises(ValueError, match="0 of 20000 patches are not flat"):
        learn_dictionary(np.full((1, 16, 16, 2), 0.5))


def test_dictionary_needs_more_than_one_pixel():
    with pytest.raises(ValueError, match="patch_size=1 and frequencies=16; expected 2 or more"):
        cosine_dictionary(1)
