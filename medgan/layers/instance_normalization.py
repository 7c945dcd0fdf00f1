"""Instance normalisation in four dimensions and full precision."""

import keras
from keras import ops

from medgan.layers import on_cpu


@keras.saving.register_keras_serializable(package="medgan")
class InstanceNormalization(keras.layers.Layer):
    """Gives each channel of each image the mean 0 and the variance 1 over its pixels.

        y = (x - mean) / sqrt(variance + epsilon) * gamma + beta

    The variance is that of the population (divided by height * width), as in PyTorch. Statistics
    are those of the image at hand in training and in inference alike. They are float32, whatever
    the layer computes in: squares of ordinary features overflow in float16.

    `keras.layers.GroupNormalization(groups=-1)` computes the same through tensors of five
    dimensions, which mobile GPUs refuse, and takes longer.

    Args:
        epsilon: added to the variance, so that a constant channel becomes 0 and not NaN.
        center: whether to learn an offset (beta) for each channel.
        scale: whether to learn a factor (gamma) for each channel.

    Call arguments:
        inputs: `(batch, height, width, channels)`.

    Raises:
        ValueError: if epsilon is not positive, or the inputs are no maps with known channels.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import InstanceNormalization
        >>> line = np.array([1.0, 5.0, 1.0, 5.0]).reshape(1, 1, 4, 1)
        >>> InstanceNormalization()(line).numpy().round(3).ravel().tolist()
        [-1.0, 1.0, -1.0, 1.0]

    Reference:
        Ulyanov, Vedaldi and Lempitsky, Instance Normalization: The Missing Ingredient for Fast
        Stylization, 2016. Without offset and factor, as `torch.nn.InstanceNorm2d` has it and the
        ResNet generator of CycleGAN uses it; tensorflow-addons learns both by default.
    """

    def __init__(self, epsilon=1e-5, center=False, scale=False, **kwargs):
        super().__init__(**kwargs)
        if not epsilon > 0:
            raise ValueError(f"Received epsilon={epsilon}, expected a number above 0.")
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def build(self, input_shape):
        """Adds beta and gamma, where they are learned."""
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(
                f"Received inputs of shape {tuple(input_shape)}, expected "
                "(batch, height, width, channels) with a known number of channels."
            )
        shape = (input_shape[-1],)
        self.gamma = (
            self.add_weight(shape=shape, initializer="ones", name="gamma") if (self.scale) else None
        )
        self.beta = (
            self.add_weight(shape=shape, initializer="zeros", name="beta")
            if (self.center)
            else None
        )

    def call(self, inputs, training=False):
        """Normalises each channel of each image."""
        maps = ops.cast(inputs, "float32")
        if training and on_cpu.pays():
            outputs = on_cpu.normalized(maps, self.epsilon)
        else:
            deviations = maps - ops.mean(maps, axis=(1, 2), keepdims=True)
            variance = ops.mean(ops.square(deviations), axis=(1, 2), keepdims=True)
            outputs = deviations * ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            outputs = outputs * ops.cast(self.gamma, "float32")
        if self.beta is not None:
            outputs = outputs + ops.cast(self.beta, "float32")
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The inputs'."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config}
