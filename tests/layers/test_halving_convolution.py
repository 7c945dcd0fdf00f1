import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.layers import HalvingConv2D

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(2, 6, 7, 3)).astype("float32")

# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])


def made(**kwargs):
    layer = HalvingConv2D(2, **kwargs)
    layer.build(IMAGES.shape)
    layer.kernel.assign(GENERATOR.normal(size=layer.kernel.shape))
    if layer.use_bias:
        layer.bias.assign(GENERATOR.normal(size=(2,)))
    return layer


def windows(images):
    """`(batch, height, width, channels, 3, 3)`: what each output pixel sees."""
    padded = np.pad(images.astype("float64"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]


def convolved(layer, images):
    maps = np.einsum("bhwcij,ijcf->bhwf", windows(images), layer.kernel.numpy())
    return maps + (layer.bias.numpy() if layer.use_bias else 0)


@training_or_not
@pytest.mark.parametrize("use_bias", [False, True])
def test_result_is_the_sum_over_every_second_window(use_bias, training):
    layer = made(use_bias=use_bias)
    assert_allclose(layer(IMAGES, training=training), convolved(layer, IMAGES), atol=1e-5)


@training_or_not
def test_gradients_are_those_by_hand(training):
    layer, images = made(), tf.constant(IMAGES)
    slopes = GENERATOR.normal(size=convolved(layer, IMAGES).shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(layer(images, training=training) * slopes)
    of_images, of_kernel, of_bias = tape.gradient(total, [images, layer.kernel, layer.bias])
    kernel, expected = layer.kernel.numpy(), np.zeros((2, 9, 10, 3))
    for row, column in np.ndindex(3, 3):
        part = slopes @ kernel[row, column].T
        height, width = part.shape[1:3]
        expected[:, row : row + 2 * height : 2, column : column + 2 * width : 2] += part
    assert_allclose(of_images, expected[:, 1:7, 1:8], atol=1e-5)
    expected = np.einsum("bhwcij,bhwf->ijcf", windows(IMAGES), slopes)
    assert_allclose(of_kernel, expected, atol=1e-4)
    assert_allclose(of_bias, slopes.sum(axis=(0, 1, 2)), atol=1e-5)


@training_or_not
def test_activation_comes_last(training):
    layer = made(activation="relu")
    expected = np.maximum(convolved(layer, IMAGES), 0)
    assert_allclose(layer(IMAGES, training=training), expected, atol=1e-5)


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = made()
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda images: layer(images, training=training), input_signature=signature)
    for images in (IMAGES, IMAGES[:1, :3], IMAGES[:, :, :4]):
        assert_allclose(graph(images), convolved(layer, images), atol=1e-5)


def test_output_shape_is_half_where_it_is_known():
    layer = HalvingConv2D(5)
    assert layer.compute_output_shape((None, 8, None, 3)) == (None, 4, None, 5)
    assert layer(keras.Input((None, 7, 1))).shape == (None, None, 4, 5)


def test_settings_survive_serialisation():
    layer = HalvingConv2D(4, use_bias=False, name="down")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is HalvingConv2D
    assert (copy.filters, copy.strides, copy.use_bias, copy.name) == (4, (2, 2), False, "down")


@pytest.mark.parametrize("setting", [{"padding": "same"}, {"strides": 1}, {"kernel_size": 4}])
def test_what_would_be_another_convolution_is_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=rf"Received {name}=.*For others there is Keras"):
        HalvingConv2D(2, **setting)
