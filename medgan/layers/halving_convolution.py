"""Convolutions that halve height and width."""

import keras
from keras import ops

from medgan.layers import on_cpu
from medgan.layers.narrow_convolution import check_settings


@keras.saving.register_keras_serializable(package="medgan")
class HalvingConv2D(keras.layers.Conv2D):
    """A 3x3 `keras.layers.Conv2D` of stride 2 with one pixel of zeros on each side.

    That is PyTorch's padding of 1. Keras's own "same" pads the end alone, where sides are even.
    In training with TensorFlow on CPUs the zeros are not copied around the image, but told to the
    convolution, whose gradient then takes half the time on large maps.

    Args:
        filters: channels of the output.
        kernel_size: 3.
        use_bias, kernel_initializer, bias_initializer: as in `keras.layers.Conv2D`; further
            arguments of it work as well.

    Raises:
        ValueError: if kernel, stride, padding, dilation or groups are others.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import HalvingConv2D
        >>> layer = HalvingConv2D(1, kernel_initializer="ones")
        >>> layer(np.ones((1, 4, 4, 1), "float32"))[0, :, :, 0].numpy().tolist()
        [[4.0, 6.0], [6.0, 9.0]]
    """

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(filters, kernel_size, **{"strides": 2, **kwargs})
        check_settings(self, kernel_size=(3, 3), strides=(2, 2))

    def call(self, inputs, training=False):
        """Convolves `(batch, height, width, channels)`."""
        if not (training and on_cpu.pays()):
            return super().call(ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0))))
        outputs = on_cpu.halved(inputs, self.kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        """Half of the sides that are known, rounded up."""
        batch, height, width, _ = input_shape
        height, width = (None if n is None else (n + 1) // 2 for n in (height, width))
        return batch, height, width, self.filters
