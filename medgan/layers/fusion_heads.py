"""Output heads of fusion generators: how features and sources become one image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medgan")
class MaximumResidual(keras.layers.Layer):
    """The brighter of the two sources at every pixel, plus a learned correction.

    `F = max(A, B) + tanh(r)`. With r = 0 it is the pixel-wise maximum, a strong baseline: training
    starts there and learns only what to change. At inference the result is clipped to [0, 1];
    in training it is not, so that a loss can see and punish an overshoot.

    Call arguments:
        inputs: sources `(batch, height, width, 2)` in [0, 1] and r `(batch, height, width, 1)`.
        training: whether to leave the result unclipped.
    """

    def call(self, inputs, training=False):
        """Returns the fused image `(batch, height, width, 1)`."""
        sources, residual = inputs
        fused = ops.max(sources, axis=-1, keepdims=True) + ops.tanh(residual)
        return fused if training else ops.clip(fused, 0.0, 1.0)

    def compute_output_shape(self, input_shape):
        """The shape of r."""
        return input_shape[1]


@keras.saving.register_keras_serializable(package="medgan")
class Blend(keras.layers.Layer):
    """A learned mixture of the two sources, plus a learned correction.

    `F = m A + (1 - m) B + tanh(r)` with `m = sigmoid(o)`; with o = r = 0 it is the average. Clipped
    to [0, 1] at inference only, like `MaximumResidual`.

    Call arguments:
        inputs: sources `(batch, height, width, 2)` in [0, 1] and (o, r)
            `(batch, height, width, 2)`.
        training: whether to leave the result unclipped.
    """

    def call(self, inputs, training=False):
        """Returns the fused image `(batch, height, width, 1)`."""
        sources, maps = inputs
        share = ops.sigmoid(maps[..., :1])
        fused = share * sources[..., :1] + (1 - share) * sources[..., 1:] + ops.tanh(maps[..., 1:])
        return fused if training else ops.clip(fused, 0.0, 1.0)

    def compute_output_shape(self, input_shape):
        """The shape of the sources with one channel."""
        return (*input_shape[0][:-1], 1)
