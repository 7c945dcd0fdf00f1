import pathlib

import numpy as np
import pytest

# Runs under TensorFlow 2.15 only, by hand: see its head.
collect_ignore = ["make_golden.py"]

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture
def golden():
    """The folder of models that Keras 2.15 and the real add-ons have saved."""
    return GOLDEN


@pytest.fixture(scope="session")
def values():
    """`values(name)`: what the real add-ons made of a model, key to array."""
    with np.load(GOLDEN / "values.npz") as file:
        everything = dict(file)

    def of(name):
        return {
            key.removeprefix(f"{name}/"): value
            for key, value in everything.items()
            if key.startswith(f"{name}/")
        }

    return of
