import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.layers import NarrowConv2D

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(2, 9, 8, 3)).astype("float32")

# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])
kernels = pytest.mark.parametrize("filters, size", [(1, (7, 7)), (2, (5, 3)), (3, (1, 4))])


def made(filters, size, **kwargs):
    layer = NarrowConv2D(filters, size, **kwargs)
    layer.build(IMAGES.shape)
    layer.kernel.assign(GENERATOR.normal(size=layer.kernel.shape))
    if layer.use_bias:
        layer.bias.assign(GENERATOR.normal(size=(filters,)))
    return layer


def windows(images, size):
    """`(batch, height, width, channels, rows, columns)`: what each output pixel sees."""
    return np.lib.stride_tricks.sliding_window_view(images.astype("float64"), size, axis=(1, 2))


def convolved(layer, images):
    kernel = layer.kernel.numpy()
    maps = np.einsum("bhwcij,ijcf->bhwf", windows(images, layer.kernel_size), kernel)
    return maps + (layer.bias.numpy() if layer.use_bias else 0)


@training_or_not
@kernels
@pytest.mark.parametrize("use_bias", [False, True])
def test_result_is_the_sum_over_each_window(filters, size, use_bias, training):
    layer = made(filters, size, use_bias=use_bias)
    assert_allclose(layer(IMAGES, training=training), convolved(layer, IMAGES), atol=1e-4)


@training_or_not
@kernels
def test_gradients_are_those_by_hand(filters, size, training):
    layer, images = made(filters, size), tf.constant(IMAGES)
    slopes = GENERATOR.normal(size=convolved(layer, IMAGES).shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(layer(images, training=training) * slopes)
    of_images, of_kernel, of_bias = tape.gradient(total, [images, layer.kernel, layer.bias])
    kernel = layer.kernel.numpy()
    expected = np.zeros(IMAGES.shape)
    height, width = slopes.shape[1:3]
    for row, column in np.ndindex(*size):
        part = slopes @ kernel[row, column].T
        expected[:, row : row + height, column : column + width] += part
    assert_allclose(of_images, expected, atol=1e-4)
    expected = np.einsum("bhwcij,bhwf->ijcf", windows(IMAGES, size), slopes)
    assert_allclose(of_kernel, expected, atol=1e-3)
    assert_allclose(of_bias, slopes.sum(axis=(0, 1, 2)), atol=1e-4)


@training_or_not
def test_activation_comes_last(training):
    layer = made(1, 3, activation="relu")
    expected = np.maximum(convolved(layer, IMAGES), 0)
    assert_allclose(layer(IMAGES, training=training), expected, atol=1e-4)


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = made(2, 3)
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda images: layer(images, training=training), input_signature=signature)
    for images in (IMAGES, IMAGES[:1, :3], IMAGES[:, :, :4]):
        assert_allclose(graph(images), convolved(layer, images), atol=1e-4)


def test_settings_survive_serialisation():
    layer = NarrowConv2D(2, (5, 3), activation="tanh", use_bias=False, name="image")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is NarrowConv2D
    assert (copy.filters, copy.kernel_size, copy.use_bias) == (2, (5, 3), False)
    assert (copy.activation, copy.name) == (keras.activations.tanh, "image")


@pytest.mark.parametrize(
    "setting", [{"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}]
)
def test_what_goes_another_way_is_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=rf"Received {name}=.*For others there is Keras"):
        NarrowConv2D(2, 3, **setting)
