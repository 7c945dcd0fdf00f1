import numpy as np
import pytest
from backend_values import KINDS, collected
from numpy.testing import assert_allclose

SUBJECTS = [subject for subjects, _ in KINDS for subject in subjects]


@pytest.fixture(scope="module")
def with_jax(jax_process):
    """What the second process computed: subject to name to array."""
    process, folder = jax_process
    assert process.wait() == 0, (folder / "errors.txt").read_text()[-4000:]
    values = {}
    with np.load(folder / "values.npz") as archive:
        for key in archive.files:
            subject, _, name = key.partition("|")
            values.setdefault(subject, {})[name] = archive[key]
    return values


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_jax_gives_the_values_of_tensorflow(subject, with_jax):
    expected, received = collected(subject), with_jax[subject.name]
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert np.isfinite(value).all(), name
        assert_allclose(received[name], value, rtol=1e-4, atol=1e-4, err_msg=name)
