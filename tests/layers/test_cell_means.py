import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.layers import CellMeans


def maps(height, width, channels=3):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(2, height, width, channels)).astype("float32")


def test_cells_of_whole_pixels_are_block_means():
    images = maps(6, 8)
    expected = images.reshape(2, 2, 3, 2, 4, 3).mean(axis=(2, 4)).reshape(2, -1)
    assert_allclose(CellMeans(2)(images), expected, rtol=1e-5)


@pytest.mark.parametrize(("height", "width", "cells"), [(5, 7, 2), (4, 5, 3), (1, 2, 4)])
def test_pixels_are_shared_by_the_cells_that_they_lie_in(height, width, cells):
    images = maps(height, width)
    # every pixel drawn as cells x cells small ones, so that cells hold whole ones
    fine = images.repeat(cells, axis=1).repeat(cells, axis=2)
    blocks = fine.reshape(2, cells, height, cells, width, 3)
    assert_allclose(CellMeans(cells)(images), blocks.mean(axis=(2, 4)).reshape(2, -1), rtol=1e-5)


def test_unknown_sizes_in_a_graph_and_serialisation():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, CellMeans(2, name="cells")(image))
    assert model.output_shape == (None, 12)
    copy = keras.Model.from_config(model.get_config())
    assert copy.get_layer("cells").cells == 2
    graph = tf.function(copy, input_signature=[tf.TensorSpec((None, None, None, 3))])
    assert_allclose(graph(maps(9, 4)), CellMeans(2)(maps(9, 4)), rtol=1e-5)


def test_no_cells_are_refused():
    with pytest.raises(ValueError, match="cells=0, expected 1 or more"):
        CellMeans(0)
