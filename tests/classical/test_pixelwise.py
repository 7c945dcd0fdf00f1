import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.classical import average, clipped_sum, maximum

SOURCES = np.array([[[[0.2, 0.4], [0.9, 0.5]], [[0.0, 0.0], [1.0, 1.0]]]], "float32")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (average, [[0.3, 0.7], [0, 1]]),
        (maximum, [[0.4, 0.9], [0, 1]]),
        (clipped_sum, [[0.6, 1], [0, 1]]),
    ],
)
def test_rules_by_hand_eager_in_a_graph_and_in_a_model(method, expected):
    expected = np.array(expected)[None, ..., None]
    assert_allclose(method(SOURCES), expected, rtol=1e-6)
    signature = [tf.TensorSpec([None, None, None, 2])]
    assert_allclose(tf.function(method, input_signature=signature)(SOURCES), expected, rtol=1e-6)
    unknown = [tf.TensorSpec(None)]
    assert_allclose(tf.function(method, input_signature=unknown)(SOURCES), expected, rtol=1e-6)
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, method(inputs))
    assert_allclose(model(SOURCES), expected, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_average_of_grey_levels_rounds_as_numpy_does(compiled):
    levels = np.arange(256)
    first, second = np.meshgrid(levels, levels)
    sources = np.stack([first, second], axis=-1)[None].astype("float32") / np.float32(255)
    rule = tf.function(average) if compiled else average
    grey = np.asarray(rule(sources))[0, ..., 0] * np.float32(255)
    assert_array_equal(np.round(grey), np.round((first + second) / 2))


def test_wrong_channels_are_refused_when_the_graph_is_built():
    with pytest.raises(ValueError, match=r"expected \(batch, height, width, 2\)"):
        average(keras.Input((8, 8, 1)))
