import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import SpectralNormalization

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(3, 3, 2, 5)).astype("float32")
LARGEST = np.linalg.svd(KERNEL.reshape(-1, 5), compute_uv=False)[0]
IMAGES = RANDOM.uniform(size=(2, 6, 6, 2)).astype("float32")


def convolution(**kwargs):
    layer = keras.layers.Conv2D(5, 3, bias_initializer="ones", **kwargs)
    normalized = SpectralNormalization(layer, seed=1)
    normalized.build((None, 6, 6, 2))
    layer.kernel.assign(KERNEL)
    return normalized


def settled(**kwargs):
    """A layer whose power iteration has converged."""
    layer = convolution(**kwargs)
    for _ in range(60):
        layer(IMAGES, training=True)
    return layer


@pytest.mark.parametrize("training", [True, False])
def test_kernel_is_used_as_if_divided_by_its_largest_singular_value(training):
    expected = tf.nn.conv2d(IMAGES, KERNEL / LARGEST, 1, "VALID") + 1
    assert_allclose(settled()(IMAGES, training=training), expected, atol=1e-5)


def test_one_call_is_one_step_of_the_power_iteration():
    layer = convolution()
    start = np.asarray(layer.vector)
    matrix = KERNEL.reshape(-1, 5)
    left = matrix @ start / np.linalg.norm(matrix @ start)
    right = matrix.T @ left / np.linalg.norm(matrix.T @ left)
    left = matrix @ right / np.linalg.norm(matrix @ right)
    outputs = layer(IMAGES, training=True)
    assert_allclose(layer.vector, right, atol=1e-6)
    sigma = (left.T @ matrix @ right).item()
    assert_allclose(outputs, tf.nn.conv2d(IMAGES, KERNEL / sigma, 1, "VALID") + 1, atol=1e-5)


def test_neither_training_nor_inference_changes_the_kernel():
    layer = settled()
    assert_array_equal(layer.layer.kernel, KERNEL)
    before = np.asarray(layer.vector)
    layer(IMAGES, training=False)
    assert_array_equal(layer.vector, before)


def test_gradient_of_the_kernel_is_that_of_the_quotient():
    layer = settled()
    left, _, right = np.linalg.svd(KERNEL.reshape(-1, 5), full_matrices=False)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IMAGES, training=False) ** 2)
    ours = tape.gradient(loss, layer.layer.kernel.value)
    kernel = tf.Variable(KERNEL)
    with tf.GradientTape() as tape:
        normalized = kernel / LARGEST
        loss = tf.reduce_sum((tf.nn.conv2d(IMAGES, normalized, 1, "VALID") + 1) ** 2)
    plain = tape.gradient(loss, kernel).numpy()  # sigma as a constant
    # d sigma / d W = u v', and d (W / sigma) = dW / sigma - W d sigma / sigma^2
    of_sigma = np.outer(left[:, 0], right[0]).reshape(KERNEL.shape)
    expected = plain - np.sum(plain * KERNEL) / LARGEST * of_sigma
    assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


def test_a_kernel_of_zeros_gives_the_bias():
    layer = convolution()
    layer.layer.kernel.assign(np.zeros_like(KERNEL))
    assert_array_equal(layer(IMAGES, training=True), np.ones((2, 4, 4, 5), "float32"))


def test_half_precision_normalises_in_float32():
    layer = settled(dtype="mixed_float16")
    tiny = KERNEL * 1e-5  # its square is 0 in float16
    layer.layer.kernel.assign(tiny)
    expected = tf.nn.conv2d(IMAGES, KERNEL / LARGEST, 1, "VALID") + 1
    # what is left is the kernel in float16, which has few digits below 6e-5
    assert np.isfinite(layer(IMAGES, training=True)).all()
    layer.layer.kernel.assign(KERNEL * 1e-2)
    assert_allclose(layer(IMAGES, training=True), expected, atol=2e-2)


def test_vector_is_saved(tmp_path):
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, convolution()(inputs))
    model(IMAGES, training=True)
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        expected = model(IMAGES, training=training)
        assert_allclose(reloaded(IMAGES, training=training), expected, atol=1e-6)


def test_bad_layers_are_refused():
    with pytest.raises(ValueError, match="the activation relu, expected none"):
        SpectralNormalization(keras.layers.Dense(2, activation="relu"))
    with pytest.raises(ValueError, match="power_iterations=0, expected 1 or more"):
        SpectralNormalization(keras.layers.Dense(2), power_iterations=0)
    with pytest.raises(ValueError, match="expected a layer with a kernel"):
        SpectralNormalization(keras.layers.ReLU()).build((None, 2))
