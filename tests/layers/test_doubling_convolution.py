import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.layers import DoublingConv2DTranspose

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(2, 4, 5, 3)).astype("float32")

# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])


def made(**kwargs):
    layer = DoublingConv2DTranspose(2, **kwargs)
    layer.build(IMAGES.shape)
    layer.kernel.assign(GENERATOR.normal(size=layer.kernel.shape))
    if layer.use_bias:
        layer.bias.assign(GENERATOR.normal(size=(2,)))
    return layer


def painted(layer, images):
    """Every pixel paints the kernel around twice its place; PyTorch's padding 1 crops before."""
    kernel = layer.kernel.numpy().astype("float64")
    batch, height, width, _ = images.shape
    canvas = np.zeros((batch, 2 * height + 1, 2 * width + 1, 2))
    for row, column in np.ndindex(3, 3):
        part = images @ kernel[row, column].T
        canvas[:, row : row + 2 * height : 2, column : column + 2 * width : 2] += part
    return canvas[:, 1:, 1:] + (layer.bias.numpy() if layer.use_bias else 0)


@training_or_not
@pytest.mark.parametrize("use_bias", [False, True])
def test_every_pixel_paints_the_kernel(use_bias, training):
    layer = made(use_bias=use_bias)
    assert_allclose(layer(IMAGES, training=training), painted(layer, IMAGES), atol=1e-5)


@training_or_not
def test_gradients_are_those_by_hand(training):
    layer, images = made(), tf.constant(IMAGES)
    slopes = GENERATOR.normal(size=painted(layer, IMAGES).shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(layer(images, training=training) * slopes)
    of_images, of_kernel, of_bias = tape.gradient(total, [images, layer.kernel, layer.bias])
    kernel = layer.kernel.numpy()
    canvas = np.pad(slopes, ((0, 0), (1, 0), (1, 0), (0, 0)))
    expected, expected_kernel = np.zeros(IMAGES.shape), np.zeros(kernel.shape)
    for row, column in np.ndindex(3, 3):
        part = canvas[:, row : row + 8 : 2, column : column + 10 : 2]
        expected += part @ kernel[row, column]
        expected_kernel[row, column] = np.einsum("bhwf,bhwc->fc", part, IMAGES)
    assert_allclose(of_images, expected, atol=1e-5)
    assert_allclose(of_kernel, expected_kernel, atol=1e-4)
    assert_allclose(of_bias, slopes.sum(axis=(0, 1, 2)), atol=1e-5)


@training_or_not
def test_activation_comes_last(training):
    layer = made(activation="relu")
    expected = np.maximum(painted(layer, IMAGES), 0)
    assert_allclose(layer(IMAGES, training=training), expected, atol=1e-5)


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = made()
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda images: layer(images, training=training), input_signature=signature)
    for images in (IMAGES, IMAGES[:1, :3], IMAGES[:, :, :4]):
        assert_allclose(graph(images), painted(layer, images), atol=1e-5)


def test_output_shape_is_twice_where_it_is_known():
    layer = DoublingConv2DTranspose(5)
    assert layer.compute_output_shape((None, 8, None, 3)) == (None, 16, None, 5)
    assert layer(keras.Input((None, 7, 1))).shape == (None, None, 14, 5)


def test_settings_survive_serialisation():
    layer = DoublingConv2DTranspose(4, use_bias=False, name="up")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is DoublingConv2DTranspose
    assert (copy.filters, copy.strides, copy.use_bias, copy.name) == (4, (2, 2), False, "up")


@pytest.mark.parametrize(
    "setting", [{"padding": "same"}, {"strides": 3}, {"kernel_size": 4}, {"output_padding": 1}]
)
def test_what_would_be_another_convolution_is_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=rf"Received {name}=.*For others there is Keras"):
        DoublingConv2DTranspose(2, **setting)
