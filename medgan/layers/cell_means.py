"""Pooling to a fixed number of cells, whatever the size of the image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medgan")
class CellMeans(keras.layers.Layer):
    """Averages a feature map over the cells of a square grid, as a flat vector.

    Cells cover the map exactly: a pixel on a border counts for each side with its share, so that
    any height and width from 1 up will do, and every pixel counts the same.

    Args:
        cells: rows and columns of the grid.

    Raises:
        ValueError: if there are no cells.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import CellMeans
        >>> line = np.array([[0.0, 3.0, 9.0]]).reshape(1, 1, 3, 1)
        >>> CellMeans(2)(line)[0].numpy().tolist()  # left, right; the same row twice
        [1.0, 7.0, 1.0, 7.0]
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        if cells < 1:
            raise ValueError(f"Received cells={cells}, expected 1 or more.")
        self.cells = cells

    def call(self, inputs):
        """Pools `(batch, height, width, channels)` to `(batch, cells * cells * channels)`."""
        height, width = ops.shape(inputs)[1:3]
        rows, columns = self._shares(height, inputs.dtype), self._shares(width, inputs.dtype)
        means = ops.einsum("rh,bhwc,sw->brsc", rows, inputs, columns)
        return ops.reshape(means, (-1, self.cells**2 * inputs.shape[-1]))

    def _shares(self, length, dtype):
        """`(cells, length)`: how much each pixel of a line says in the mean of each cell."""
        # In units of which a pixel has `cells` and a cell `length`: whole numbers, no rounding.
        edges = self.cells * ops.arange(length + 1)[None, :]
        reached = ops.clip(edges - length * ops.arange(self.cells)[:, None], 0, length)
        return ops.cast(reached[:, 1:] - reached[:, :-1], dtype) / ops.cast(length, dtype)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, cells * cells * channels)`."""
        return input_shape[0], self.cells**2 * input_shape[-1]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "cells": self.cells}
