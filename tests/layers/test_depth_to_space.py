import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from medgan.layers import DepthToSpace


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixels_are_laid_out_as_by_tensorflow(factor):
    maps = np.random.default_rng(0).normal(size=(2, 4, 5, 2 * factor**2)).astype("float32")
    expected = tf.nn.depth_to_space(maps, factor) if factor > 1 else maps
    assert_array_equal(DepthToSpace(factor)(maps), expected)


def test_sides_that_are_not_known_stay_unknown():
    assert DepthToSpace(2)(keras.Input((None, 5, 12))).shape == (None, None, 10, 3)


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"Received 6 channels, expected a number divisible by .*4"
    ):
        DepthToSpace(2)(np.zeros((1, 2, 2, 6), "float32"))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="factor=0, expected 1 or more"):
        DepthToSpace(0)
