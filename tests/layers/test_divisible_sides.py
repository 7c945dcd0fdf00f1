import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from medgan.layers import DivisibleSides


def image(height, width):
    return np.random.default_rng(0).uniform(size=(1, height, width, 2)).astype("float32")


@pytest.mark.parametrize("size", [(8, 12), (64, 8)])
def test_what_fits_goes_through_untouched(size):
    assert_array_equal(DivisibleSides(4, smallest=5)(image(*size)), image(*size))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((8, 13), "images of 8x13 pixels, expected sides divisible by 4, from 8 up: crop, pad"),
        ((4, 8), "images of 4x8 pixels, expected sides divisible by 4, from 8 up"),
    ],
)
def test_what_does_not_fit_is_refused(size, message):
    with pytest.raises(ValueError, match=message):
        DivisibleSides(4, smallest=5)(image(*size))


def test_a_smallest_side_alone_is_said_alone():
    with pytest.raises(ValueError, match="images of 2x3 pixels, expected sides from 3 up"):
        DivisibleSides(1, smallest=3)(image(2, 3))


def test_a_graph_checks_the_sides_that_it_knows():
    layer = DivisibleSides(4)
    open_height = tf.function(layer, input_signature=[tf.TensorSpec((None, None, 12, 2))])
    assert_array_equal(open_height(image(7, 12)), image(7, 12))
    with pytest.raises(ValueError, match=r"images of \?x6 pixels, expected sides divisible by 4"):
        tf.function(layer).get_concrete_function(tf.TensorSpec((None, None, 6, 2)))


def test_output_has_the_shape_of_the_input():
    assert DivisibleSides(2)(keras.Input((None, 4, 3))).shape == (None, None, 4, 3)


@pytest.mark.parametrize("arguments", [(0,), (2, 0)])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="expected 1 or more of each"):
        DivisibleSides(*arguments)
