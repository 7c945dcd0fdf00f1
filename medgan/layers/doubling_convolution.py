"""Transposed convolutions that double height and width."""

import keras
from keras import ops

from medgan.layers import on_cpu
from medgan.layers.narrow_convolution import check_settings


@keras.saving.register_keras_serializable(package="medgan")
class DoublingConv2DTranspose(keras.layers.Conv2DTranspose):
    """A 3x3 `keras.layers.Conv2DTranspose` of stride 2 that crops the first row and column.

    That is PyTorch's padding of 1 with an output padding of 1. Keras's own "same" crops the last
    row and column. In training with TensorFlow on CPUs the convolution itself leaves them out:
    behind one that was computed whole, the gradient of the crop took longer than the convolution.

    Args:
        filters: channels of the output.
        kernel_size: 3.
        use_bias, kernel_initializer, bias_initializer: as in `keras.layers.Conv2DTranspose`;
            further arguments of it work as well.

    Raises:
        ValueError: if kernel, stride, padding, output padding, dilation or groups are others.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import DoublingConv2DTranspose
        >>> layer = DoublingConv2DTranspose(1, kernel_initializer="ones")
        >>> layer(np.ones((1, 2, 2, 1), "float32"))[0, :, :, 0].numpy().tolist()
        [[1.0, 2.0, 1.0, 1.0], [2.0, 4.0, 2.0, 2.0], [1.0, 2.0, 1.0, 1.0], [1.0, 2.0, 1.0, 1.0]]
    """

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(filters, kernel_size, **{"strides": 2, **kwargs})
        check_settings(self, kernel_size=(3, 3), strides=(2, 2), output_padding=None)

    def call(self, inputs, training=False):
        """Convolves `(batch, height, width, channels)`."""
        if not (training and on_cpu.pays()):
            return super().call(inputs)[:, 1:, 1:, :]
        outputs = on_cpu.doubled(inputs, self.kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        """Twice the sides that are known."""
        batch, height, width, _ = input_shape
        height, width = (None if n is None else 2 * n for n in (height, width))
        return batch, height, width, self.filters
