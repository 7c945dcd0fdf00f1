"""Spectral normalisation that leaves the kernel alone."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medgan")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides a linear layer's kernel by its largest singular value.

    The kernel, as a matrix W of `(everything else, last axis)`, is used as W / sigma. Each call in
    training takes steps of the power iteration

        v = W u / |W u|,  u = W' v / |W' v|,  sigma = v' W u

    from the u of the last, which is saved; gradients flow through W in sigma, not through u and v.
    In inference u stands still. Everything here is float32, whatever the layer computes in: the
    inputs are divided instead of the kernel, which is the same for a linear layer.

    `keras.layers.SpectralNormalization` overwrites the kernel in every call instead, so that what
    an optimizer moves depends on how often, and under which backend, the layer was called.

    Args:
        layer: a layer that is linear in its inputs and has a `kernel`, such as `Conv2D` or `Dense`
            without an activation.
        power_iterations: steps of the power iteration in one call.
        seed: seed of the first u.

    Raises:
        ValueError: if there is no iteration, the layer has an activation or, when it is built, no
            kernel.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import SpectralNormalization
        >>> diagonal = lambda shape, dtype: np.diag([3.0, 1.0]).astype(dtype)
        >>> layer = SpectralNormalization(keras.layers.Dense(2, kernel_initializer=diagonal))
        >>> for _ in range(20):
        ...     outputs = layer(np.ones((1, 2), "float32"), training=True)
        >>> outputs.numpy().round(3).tolist()
        [[1.0, 0.3330000042915344]]

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018, alg. 1.
    """

    def __init__(self, layer, power_iterations=1, seed=None, **kwargs):
        # The iteration needs float32: squares of small kernels are 0 in half precision.
        kwargs.setdefault("dtype", "float32")
        super().__init__(layer, **kwargs)
        if power_iterations < 1:
            raise ValueError(f"Received power_iterations={power_iterations}, expected 1 or more.")
        activation = getattr(layer, "activation", None)
        if activation not in (None, keras.activations.linear):
            raise ValueError(
                f"Received a layer with the activation {activation.__name__}, expected none: "
                "put the activation behind the normalised layer."
            )
        self.power_iterations = power_iterations
        self.seed = seed

    def build(self, input_shape=None):
        """Builds the layer and draws the first u."""
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            raise ValueError(f"Received {self.layer!r}, expected a layer with a kernel.")
        self.vector = self.add_weight(
            shape=(self.layer.kernel.shape[-1], 1),
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=self.seed),
            trainable=False,
            dtype="float32",
            name="vector",
        )

    def call(self, inputs, training=False):
        """Returns what the layer makes of the inputs with the normalised kernel."""
        kernel = ops.cast(self.layer.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        right = ops.convert_to_tensor(self.vector)
        left = _unit(ops.matmul(fixed, right))
        if training:
            for _ in range(self.power_iterations):
                right = _unit(ops.matmul(ops.transpose(fixed), left))
                left = _unit(ops.matmul(fixed, right))
            self.vector.assign(right)
        else:
            right = _unit(right)
        sigma = ops.sum(left * ops.matmul(matrix, right))
        return self.layer(inputs / ops.maximum(sigma, 1e-12))

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"power_iterations": self.power_iterations, "seed": self.seed}
        return {**super().get_config(), **config}


def _unit(vector):
    """A vector's direction; 0 for a vector of zeros."""
    return ops.stop_gradient(vector / ops.maximum(ops.norm(vector), 1e-12))
