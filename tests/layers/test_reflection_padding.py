import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.layers import ReflectionPadding2D

IMAGES = np.random.default_rng(0).uniform(size=(2, 5, 7, 3)).astype("float32")


@pytest.mark.parametrize("padding", [0, 1, 3, 4])
def test_result_is_that_of_numpy(padding):
    sides = (padding, padding)
    expected = np.pad(IMAGES, ((0, 0), sides, sides, (0, 0)), mode="reflect")
    assert_array_equal(ReflectionPadding2D(padding)(IMAGES), expected)


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
