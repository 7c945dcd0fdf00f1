import numpy as np
from numpy.testing import assert_allclose
from sklearn.linear_model import orthogonal_mp

from medgan.classical.matching_pursuit import CHUNK, matching_pursuit


def problem(count):
    """Signals of very different length, and an over-complete dictionary."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(40, 16))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    signals = rng.normal(size=(count, 16)) * 10 ** rng.uniform(-2, 1, size=(count, 1))
    return signals.astype("float32"), atoms.astype("float32")


def test_codes_to_a_tolerance_are_those_of_scikit_learn():
    signals, atoms = problem(2 * CHUNK)
    # scikit-learn gives even those one atom that need none
    signals = signals[np.linalg.norm(signals, axis=1) > 0.5]
    assert len(signals) > CHUNK
    approximations, sums = matching_pursuit(signals, atoms, tolerance=0.5, atoms=16)
    codes = orthogonal_mp(atoms.T.astype("float64"), signals.T.astype("float64"), tol=0.25)
    assert_allclose(approximations, codes.T @ atoms, atol=1e-4)
    assert_allclose(sums, np.abs(codes).sum(axis=0), atol=1e-4, rtol=1e-4)
    assert np.linalg.norm(signals - approximations, axis=1).max() <= 0.5001


def test_codes_of_few_atoms_are_those_of_scikit_learn():
    signals, atoms = problem(50)
    approximations, sums = matching_pursuit(signals, atoms, tolerance=0.0, atoms=3)
    codes = orthogonal_mp(atoms.T.astype("float64"), signals.T.astype("float64"), n_nonzero_coefs=3)
    assert_allclose(approximations, codes.T @ atoms, atol=1e-4)
    assert_allclose(sums, np.abs(codes).sum(axis=0), atol=1e-4, rtol=1e-4)


def test_short_signals_have_an_empty_code():
    signals, atoms = problem(5)
    approximations, sums = matching_pursuit(signals * 0, atoms, tolerance=0.1, atoms=4)
    assert_allclose(approximations, np.zeros((5, 16)))
    assert_allclose(sums, np.zeros(5))


def test_what_no_atom_explains_is_left():
    # Only two directions: the pursuit must not divide by the nothing that a third atom adds.
    atoms = np.eye(3, 4, dtype="float32")[[0, 1, 0]]
    signals = np.array([[3, 1, 2, 5], [0, 0, 0, 1]], "float32")
    approximations, sums = matching_pursuit(signals, atoms, tolerance=0.1, atoms=4)
    assert_allclose(approximations, [[3, 1, 0, 0], [0, 0, 0, 0]], atol=1e-6)
    assert_allclose(sums, [4, 0], atol=1e-6)
