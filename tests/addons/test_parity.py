"""Against values that the real tensorflow-addons 0.23 made: see make_golden.py."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from medgan.addons import WeightNormalization, load_model

FILES = sorted(
    path.name
    for path in (pathlib.Path(__file__).parent / "golden").iterdir()
    if path.suffix in (".keras", ".h5")
)


def test_every_model_is_there_in_both_forms():
    assert {pathlib.Path(name).stem for name in FILES if name.endswith(".keras")} == {
        "combined",
        "discriminator",
        "generator",
        "normalizations",
        "ordinary",
        "sequential",
        "spectral",
        "weight",
    }
    assert len(FILES) == 15  # `ordinary` in one form


@pytest.mark.parametrize("name", FILES)
def test_inference_is_that_of_the_add_ons(golden, values, name):
    expected = values(pathlib.Path(name).stem)
    outputs = keras.tree.flatten(load_model(golden / name)(expected["x"], training=False))
    assert len(outputs) == sum(key.startswith("y") for key in expected)
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(output, expected[f"y{i}"], atol=1e-5, rtol=1e-5)


def test_training_pass_of_a_loaded_model_has_the_gradients_of_the_add_ons(golden, values):
    for name in ("normalizations", "spectral", "weight"):
        model, expected = load_model(golden / f"{name}.keras"), values(name)
        inputs = tf.constant(expected["x"])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs, training=True)
            loss = sum(tf.reduce_sum(y * expected[f"weights{i}"]) for i, y in enumerate(outputs))
        variables = [variable.value for variable in model.trainable_variables]
        found, *gradients = tape.gradient(loss, [inputs, *variables])
        np.testing.assert_allclose(found, expected["x_gradient"], atol=2e-5, rtol=1e-4)
        compared = set()
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            key = f"{_add_ons_name(variable)}/gradient"
            np.testing.assert_allclose(
                gradient, expected[key], atol=2e-5, rtol=1e-4, err_msg=f"{name} {key}"
            )
            compared.add(key)
        assert compared == {key for key in expected if key.endswith("/gradient")}


def test_spectral_normalization_stores_what_the_add_ons_store(golden, values):
    model, expected = load_model(golden / "spectral.h5"), values("spectral")
    model(expected["x"], training=True)
    stored = {f"{_add_ons_name(weight)}/after": weight for weight in model.weights}
    changed = {key for key in expected if key.endswith("/after")}
    assert changed == {key for key in stored if key.split("/")[1] in ("kernel", "sn_u")}
    for key in changed:
        np.testing.assert_allclose(stored[key], expected[key], atol=1e-6, err_msg=key)


def test_beginning_from_data_is_that_of_the_add_ons(values):
    expected = values("beginning")
    layer = WeightNormalization(keras.layers.Conv2D(3, 3, activation="relu"))
    layer.build(expected["x"].shape)
    layer.layer.kernel.assign(expected["kernel"])
    layer.initialize(expected["x"])
    np.testing.assert_allclose(layer.g, expected["g"], rtol=1e-5)
    np.testing.assert_allclose(layer.layer.bias, expected["bias"], atol=1e-6)
    np.testing.assert_allclose(layer(expected["x"]), expected["y0"], atol=1e-5)


@pytest.mark.slow
def test_inference_is_that_of_the_add_ons_under_jax(golden):
    script = """
import pathlib, sys
import keras, numpy as np
from medgan.addons import load_model
assert keras.backend.backend() == "jax"
folder = pathlib.Path(sys.argv[1])
values = np.load(folder / "values.npz")
for path in (folder / name for name in sys.argv[2:]):
    outputs = keras.tree.flatten(load_model(path)(values[f"{path.stem}/x"], training=False))
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(
            output, values[f"{path.stem}/y{i}"], atol=1e-5, rtol=1e-5, err_msg=str(path)
        )
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    names = ["normalizations.h5", "spectral.keras", "weight.keras", "ordinary.keras"]
    subprocess.run([sys.executable, "-c", script, golden, *names], check=True, env=environment)


def _add_ons_name(variable):
    """`dense/dense_3/kernel`, the variable of a wrapped layer, is `dense/kernel` there."""
    first, *_, last = variable.path.split("/")
    return f"{first}/{last}"
