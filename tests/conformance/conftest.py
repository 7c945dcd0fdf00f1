import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# The lists of subjects serve these tests and a script that runs with another backend.
sys.path.insert(0, str(HERE))
# XLA reads it when it is first used: functions that run once or twice need not run fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


def _waits_for_jax(item):
    return item.path == HERE / "test_backends.py"


def pytest_collection_modifyitems(items):
    """What waits for the process that computes with JAX comes last."""
    items.sort(key=_waits_for_jax)


@pytest.fixture(scope="session")
def jax_process(tmp_path_factory):
    """A second process that computes every subject with JAX, and the folder it writes to."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install jax.")
    folder = tmp_path_factory.mktemp("jax")
    with open(folder / "errors.txt", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "backend_values.py"), str(folder / "values.npz")],
            env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
            stdout=errors,
            stderr=errors,
        )
    yield process, folder
    process.kill()
    process.wait()


@pytest.fixture(scope="session", autouse=True)
def _begin_with_jax(request):
    """The second process runs beside the other tests; workers of xdist fill the cores already."""
    wanted = any(map(_waits_for_jax, request.session.items))
    installed = importlib.util.find_spec("jax") is not None
    if wanted and installed and "PYTEST_XDIST_WORKER" not in os.environ:
        request.getfixturevalue("jax_process")
