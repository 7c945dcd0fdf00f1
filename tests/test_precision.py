import types

import keras
import pytest
import tensorflow as tf

from medgan import precision
from medgan.errors import RecipeError


def with_gpus(monkeypatch, *details):
    gpus = [types.SimpleNamespace(name=f"GPU:{index}") for index in range(len(details))]
    known = dict(zip([gpu.name for gpu in gpus], details, strict=True))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: gpus)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: known[device.name]
    )


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 0)], "mixed_float16"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0)], "mixed_bfloat16"),
        ([(12, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "mixed_float16"),
    ],
)
def test_the_oldest_gpu_decides(monkeypatch, capabilities, chosen):
    with_gpus(monkeypatch, *({"compute_capability": numbers} for numbers in capabilities))
    assert precision.choose("auto") == chosen


def test_a_gpu_that_tells_nothing_gets_float32(monkeypatch):
    with_gpus(monkeypatch, {})
    assert precision.choose() == "float32"
    assert precision.gpus() == [{"name": "GPU:0", "compute_capability": None}]


@pytest.mark.parametrize(
    ("platform", "capability", "chosen"),
    [
        ("gpu", "9.0", "mixed_bfloat16"),
        ("gpu", "7.5", "mixed_float16"),
        ("gpu", None, "float32"),
        ("cpu", None, "float32"),
    ],
)
def test_jax_is_asked_where_it_is_the_backend(monkeypatch, platform, capability, chosen):
    jax = pytest.importorskip("jax")
    device = types.SimpleNamespace(
        platform=platform, device_kind="X", compute_capability=capability
    )
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: [device])
    assert precision.choose() == chosen


@pytest.mark.parametrize("word", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_word_is_taken_as_it_is(word):
    assert precision.choose(word) == word


def test_an_unknown_word_lists_those_known():
    with pytest.raises(RecipeError, match=r"'float16'.*auto, float32, mixed_float16, mixed_bf"):
        precision.choose("float16")


def test_the_old_policy_is_back_after_an_exception():
    before = keras.config.dtype_policy()
    with pytest.raises(ZeroDivisionError), precision.policy("mixed_float16"):
        assert keras.config.dtype_policy().name == "mixed_float16"
        raise ZeroDivisionError
    assert keras.config.dtype_policy() == before
