"""Convolutions to few channels."""

import keras
from keras import ops

from medgan.layers import on_cpu


@keras.saving.register_keras_serializable(package="medgan")
class NarrowConv2D(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` of stride 1 without padding, for very few filters: an image.

    The same convolution with the same weights. Kernels for CPUs compute 16 filters at a time, even
    if there is one: the last 7x7 convolution of a ResNet generator took a fourteenth of its time
    for a thousandth of its work. In training with TensorFlow on CPUs this one goes column by column
    of the kernel, each a filter of its own, and sums them up by a second convolution: a third of
    the time.

    Args:
        filters: channels of the output.
        kernel_size: side of the kernel, or `(rows, columns)`.
        activation, use_bias, kernel_initializer, bias_initializer: as in `keras.layers.Conv2D`;
            further arguments of it work as well.

    Raises:
        ValueError: if there is padding, a stride, dilation or several groups.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import NarrowConv2D
        >>> layer = NarrowConv2D(1, 3, kernel_initializer="ones")
        >>> layer(np.ones((1, 4, 4, 2), "float32"), training=True)[0, :, :, 0].numpy().tolist()
        [[18.0, 18.0], [18.0, 18.0]]
    """

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        check_settings(self, strides=(1, 1))

    def call(self, inputs, training=False):
        """Convolves `(batch, height, width, channels)`."""
        if not (training and on_cpu.pays()):
            return super().call(inputs)
        outputs = on_cpu.convolved(inputs, self.kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def check_settings(layer, **expected):
    """Raises a `ValueError` about the first setting of a convolution that is another."""
    fixed = {
        "padding": "valid",
        "dilation_rate": (1, 1),
        "groups": 1,
        "data_format": "channels_last",
    }
    for name, value in {**expected, **fixed}.items():
        received = getattr(layer, name, value)
        if received != value:
            raise ValueError(
                f"Received {name}={received!r}, expected {value!r}. For others there is Keras's "
                "own layer."
            )
