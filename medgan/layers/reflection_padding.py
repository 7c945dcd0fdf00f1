"""Padding by reflection."""

import keras
from keras import ops

from medgan.layers import on_cpu


@keras.saving.register_keras_serializable(package="medgan")
class ReflectionPadding2D(keras.layers.Layer):
    """Pads rows and columns with their mirror image; the border itself is not repeated.

    Args:
        padding: rows and columns added on each side; smaller than the image.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import ReflectionPadding2D
        >>> line = np.arange(3.0).reshape(1, 1, 3, 1).repeat(3, axis=1)
        >>> ReflectionPadding2D(1)(line)[0, 0, :, 0].numpy().tolist()
        [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        if padding < 0:
            raise ValueError(f"Received padding={padding}, expected 0 or more.")
        self.padding = padding

    def call(self, inputs, training=False):
        """Pads `(batch, height, width, channels)`."""
        if training and self.padding and on_cpu.pays():
            return on_cpu.reflected(inputs, self.padding)
        return self._padded(self._padded(inputs, 1), 2)

    def _padded(self, images, axis):
        """Joins slices: LiteRT runs its own mirror padding several times slower."""
        if self.padding == 0:
            return images

        def slices(start, stop):
            index = [slice(None)] * 4
            index[axis] = slice(start, stop)
            edge = images[tuple(index)]
            return edge if self.padding == 1 else ops.flip(edge, axis)

        before, after = slices(1, self.padding + 1), slices(-self.padding - 1, -1)
        return ops.concatenate([before, images, after], axis=axis)

    def compute_output_shape(self, input_shape):
        """Adds twice the padding to the sides that are known."""
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return (
            batch,
            None if height is None else height + grow,
            None if width is None else width + grow,
            channels,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}
