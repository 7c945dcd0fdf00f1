"""Channels laid out as pixels."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medgan")
class DepthToSpace(keras.layers.Layer):
    """Makes a map larger by laying each pixel's channels out as a square of pixels.

    The channels of a pixel are its square row by row, as in `tf.nn.depth_to_space`; PyTorch's
    `PixelShuffle` orders them with the square last. No tensor has more than five dimensions.

    Args:
        factor: side of the square.

    Call arguments:
        inputs: `(batch, height, width, channels)`, channels divisible by `factor * factor`.

    Raises:
        ValueError: if the factor is below 1; when it is built, if the channels do not fit.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import DepthToSpace
        >>> pixel = np.arange(4.0).reshape(1, 1, 1, 4)
        >>> DepthToSpace(2)(pixel)[0, :, :, 0].numpy().tolist()
        [[0.0, 1.0], [2.0, 3.0]]

    Reference:
        Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network, 2016.
    """

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"Received factor={factor}, expected 1 or more.")
        self.factor = factor

    def build(self, input_shape):
        """Checks the number of channels."""
        if input_shape[-1] % self.factor**2:
            raise ValueError(
                f"Received {input_shape[-1]} channels, expected a number divisible by "
                f"factor * factor = {self.factor**2}."
            )

    def call(self, inputs):
        """Returns `(batch, factor * height, factor * width, channels / factor^2)`."""
        height, width = ops.shape(inputs)[1:3]
        channels = inputs.shape[-1] // self.factor**2
        rows = ops.reshape(inputs, (-1, height, width, self.factor, self.factor * channels))
        rows = ops.transpose(rows, (0, 1, 3, 2, 4))
        return ops.reshape(rows, (-1, self.factor * height, self.factor * width, channels))

    def compute_output_shape(self, input_shape):
        """Multiplies the sides that are known."""
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else self.factor * height,
            None if width is None else self.factor * width,
            channels // self.factor**2,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "factor": self.factor}
