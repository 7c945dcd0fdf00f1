import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import ReflectionPadding2D

IMAGES = np.random.default_rng(0).uniform(size=(2, 5, 7, 3)).astype("float32")


# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])
paddings = pytest.mark.parametrize("padding", [0, 1, 3, 4])


def padded(images, padding):
    sides = (padding, padding)
    return np.pad(images, ((0, 0), sides, sides, (0, 0)), mode="reflect")


@training_or_not
@paddings
def test_result_is_that_of_numpy(padding, training):
    layer = ReflectionPadding2D(padding)
    assert_array_equal(layer(IMAGES, training=training), padded(IMAGES, padding))


@training_or_not
@paddings
def test_gradient_counts_every_pixel_that_shows_one(padding, training):
    images = tf.constant(IMAGES)
    slopes = np.random.default_rng(1).normal(size=padded(IMAGES, padding).shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        shown = ReflectionPadding2D(padding)(images, training=training)
        total = tf.reduce_sum(shown * slopes)
    # Which pixel is shown where, by padding the pixels' numbers.
    numbers = padded(np.arange(IMAGES.size).reshape(IMAGES.shape), padding)
    expected = np.bincount(numbers.ravel(), weights=slopes.ravel()).reshape(IMAGES.shape)
    assert_allclose(tape.gradient(total, images), expected, atol=1e-5)


@training_or_not
def test_gradient_has_a_gradient(training):
    """A gradient penalty differentiates the gradient; of sum(x^3) that is 6 x, once for each."""
    images, layer = tf.constant(IMAGES), ReflectionPadding2D(2)

    @tf.function
    def second():
        total = tf.reduce_sum(layer(images, training=training) ** 3)
        return tf.gradients(tf.gradients(total, images), images)[0]

    places = np.arange(IMAGES[..., :1].size).reshape(IMAGES[..., :1].shape)
    shown = np.bincount(padded(places, 2).ravel()).reshape(places.shape)
    assert_allclose(second(), 6 * IMAGES * shown, rtol=1e-5)


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = ReflectionPadding2D(2)
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda images: layer(images, training=training), input_signature=signature)
    for images in (IMAGES, IMAGES[:1, :3], IMAGES[:, :, :4]):
        assert_array_equal(graph(images), padded(images, 2))


def test_output_shape_grows_where_it_is_known():
    layer = ReflectionPadding2D(2)
    assert layer.compute_output_shape((None, 5, None, 3)) == (None, 9, None, 3)
    assert layer(keras.Input((None, 6, 1))).shape == (None, None, 10, 1)


def test_config_round_trip():
    layer = ReflectionPadding2D(3, name="edge")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is ReflectionPadding2D
    assert (copy.padding, copy.name) == (3, "edge")


def test_negative_padding_is_refused():
    with pytest.raises(ValueError, match=r"padding=-1, expected 0 or more"):
        ReflectionPadding2D(-1)
