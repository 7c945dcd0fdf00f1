import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from medgan.layers import LeadingCrop2D

IMAGES = np.random.default_rng(0).uniform(size=(2, 5, 7, 3)).astype("float32")

# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])


@training_or_not
@pytest.mark.parametrize("crop", [0, 1, 3])
def test_first_rows_and_columns_are_gone(crop, training):
    result = LeadingCrop2D(crop)(IMAGES, training=training)
    assert_array_equal(result, IMAGES[:, crop:, crop:])


@training_or_not
def test_gradient_is_zero_where_it_was_cropped(training):
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(LeadingCrop2D(2)(images, training=training) * IMAGES[:, 2:, 2:])
    expected = IMAGES.copy()
    expected[:, :2] = 0
    expected[:, :, :2] = 0
    assert_array_equal(tape.gradient(total, images), expected)


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = LeadingCrop2D(1)
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda images: layer(images, training=training), input_signature=signature)
    for images in (IMAGES, IMAGES[:1, :3], IMAGES[:, :, :4]):
        assert_array_equal(graph(images), images[:, 1:, 1:])


def test_output_shape_shrinks_where_it_is_known():
    layer = LeadingCrop2D(2)
    assert layer.compute_output_shape((None, 5, None, 3)) == (None, 3, None, 3)
    assert layer(keras.Input((None, 6, 1))).shape == (None, None, 4, 1)


def test_config_round_trip():
    layer = LeadingCrop2D(3, name="edge")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is LeadingCrop2D
    assert (copy.crop, copy.name) == (3, "edge")


def test_negative_crop_is_refused():
    with pytest.raises(ValueError, match=r"crop=-1, expected 0 or more"):
        LeadingCrop2D(-1)
