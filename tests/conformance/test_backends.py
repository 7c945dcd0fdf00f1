import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from backend_values import KINDS, collected
from numpy.testing import assert_allclose

SCRIPT = pathlib.Path(__file__).with_name("backend_values.py")
SUBJECTS = [subject for subjects, _ in KINDS for subject in subjects]


@pytest.fixture(scope="module")
def with_jax(tmp_path_factory):
    """What a second process computes with JAX: subject to name to array."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install jax.")
    path = tmp_path_factory.mktemp("jax") / "values.npz"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(path)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    values = {}
    with np.load(path) as archive:
        for key in archive.files:
            subject, _, name = key.partition("|")
            values.setdefault(subject, {})[name] = archive[key]
    return values


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_jax_gives_the_values_of_tensorflow(subject, with_jax):
    expected, received = collected(subject), with_jax[subject.name]
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert np.isfinite(value).all(), name
        assert_allclose(received[name], value, rtol=1e-4, atol=1e-4, err_msg=name)
