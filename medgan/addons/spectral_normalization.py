"""Spectral normalisation as tensorflow-addons does it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="Addons")
class SpectralNormalization(keras.layers.Wrapper):
    """Overwrites a layer's kernel with the kernel divided by its largest singular value.

    The maths and names of tensorflow-addons 0.23. With the kernel as a matrix W of
    `(everything else, last axis)`, every call in training takes steps of the power iteration

        v = u W' / |u W'|,  u = v W / |v W|,  sigma = v W u'

    from the u of the last, stores u, and stores W / sigma as the kernel; the layer then uses what
    is stored, and the gradient is that of a plain layer with this kernel. Inference uses the
    stored kernel as it is.

    A call in training changes a trainable weight. TensorFlow's step does that, on one device; a
    step of the JAX backend would lose it, and is refused. `medgan.layers.SpectralNormalization`
    leaves the kernel alone and trains everywhere: it is what new networks take.

    Args:
        layer: a layer with a `kernel` or `embeddings`, such as `Conv2D` or `Dense`.
        power_iterations: steps of the power iteration in one call.

    Raises:
        ValueError: if there is no iteration or, when it is built, no kernel.
        NotImplementedError: if it is trained by the JAX backend.

    Example:
        >>> import numpy as np
        >>> from medgan.addons import SpectralNormalization
        >>> diagonal = lambda shape, dtype: np.diag([3.0, 1.0]).astype(dtype)
        >>> layer = SpectralNormalization(keras.layers.Dense(2, kernel_initializer=diagonal))
        >>> for _ in range(20):
        ...     outputs = layer(np.ones((1, 2), "float32"), training=True)
        >>> layer.layer.kernel.numpy().round(3).tolist()
        [[1.0, 0.0], [0.0, 0.3330000042915344]]

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018, alg. 1,
        which keeps the kernel and lets gradients flow through sigma; the add-ons do not.
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        # The kernel is read and written in full precision; the layer casts for itself.
        super().__init__(layer, autocast=False, **kwargs)
        if power_iterations < 1:
            raise ValueError(f"Received power_iterations={power_iterations}, expected 1 or more.")
        self.power_iterations = power_iterations

    def build(self, input_shape=None):
        """Builds the layer and draws the first u."""
        super().build(input_shape)
        self.sn_u = self.add_weight(
            shape=(1, self.normalized.shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            name="sn_u",
        )

    @property
    def normalized(self):
        """The wrapped layer's variable that is normalised."""
        for name in ("kernel", "embeddings"):
            if hasattr(self.layer, name):
                return getattr(self.layer, name)
        raise ValueError(f"Received {self.layer!r}, expected a layer with a kernel or embeddings.")

    def call(self, inputs, training=False):
        """Normalises the stored kernel in training; returns what the layer makes of the inputs."""
        if training:
            self._normalize()
        return self.layer(inputs)

    def _normalize(self):
        if keras.backend.backend() == "jax":
            raise NotImplementedError(
                f"The layer {self.name!r} overwrites its kernel in training, which a step of the "
                "JAX backend loses. Train it with KERAS_BACKEND=tensorflow, or take "
                "medgan.layers.SpectralNormalization."
            )
        kernel = ops.convert_to_tensor(self.normalized)
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u = ops.convert_to_tensor(self.sn_u)
        for _ in range(self.power_iterations):
            v = _unit(ops.matmul(u, ops.transpose(matrix)))
            u = _unit(ops.matmul(v, matrix))
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        self.sn_u.assign(u)
        self.normalized.assign(ops.reshape(matrix / sigma, kernel.shape))

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector):
    """A vector's direction, as TensorFlow's `l2_normalize`."""
    return vector * ops.rsqrt(ops.maximum(ops.sum(ops.square(vector)), 1e-12))
