"""Weight normalisation as tensorflow-addons does it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="Addons")
class WeightNormalization(keras.layers.Wrapper):
    """Splits a layer's kernel into a length and a direction, each trained for itself.

    The maths and names of tensorflow-addons 0.23: the layer's own kernel is v, and what it
    computes with, in training and in inference alike, is

        kernel = g * v / |v|,

    the norm taken over all axes but the last, g one number for each index of the last.

    A new layer begins with g = |v|, so that it computes what the plain layer would. The add-ons do
    this in the first call when `data_init=False`. When it is True, their first call scales g, and
    shifts the bias, for outputs of its batch; here that happens when you ask for it, with
    `initialize(batch)`, because a step of training that overwrites trained weights is not what
    every backend and strategy can do. Layers from files have been through it.

    Args:
        layer: a layer with a `kernel`, such as `Conv2D` or `Dense`; not a recurrent one.
        data_init: whether the add-ons initialise from data; kept for the round trip.

    Raises:
        ValueError: if the layer is recurrent or, when it is built, has no kernel.

    Example:
        >>> import numpy as np
        >>> from medgan.addons import WeightNormalization
        >>> layer = WeightNormalization(keras.layers.Dense(1, kernel_initializer="ones"))
        >>> layer(np.ones((1, 4), "float32")).numpy().tolist()
        [[4.0]]
        >>> _ = layer.g.assign([1.0])
        >>> layer(np.ones((1, 4), "float32")).numpy().tolist()  # the direction is 1/2 each
        [[2.0]]

    Reference:
        Salimans and Kingma, Weight Normalization: A Simple Reparameterization to Accelerate
        Training of Deep Neural Networks, 2016, eqs. 2, 5 and 6. As in the add-ons, eq. 6 is taken
        from v, not from v / |v|.
    """

    def __init__(self, layer, data_init=True, **kwargs):
        # The kernel is made in full precision; the layer casts for itself.
        super().__init__(layer, autocast=False, **kwargs)
        if isinstance(layer, keras.layers.RNN):
            raise ValueError(
                f"Received the recurrent layer {layer.name!r}, expected one that is not, such as "
                "Conv2D or Dense."
            )
        self.data_init = data_init

    def build(self, input_shape=None):
        """Builds the layer and takes the first g from its kernel."""
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            raise ValueError(f"Received {self.layer!r}, expected a layer with a kernel.")
        self.g = self.add_weight(
            shape=(self.layer.kernel.shape[-1],),
            initializer=lambda shape, dtype: ops.cast(self.kernel_norm(), dtype),
            name="g",
        )

    def kernel_norm(self):
        """`|v|` for each index of the kernel's last axis."""
        kernel = ops.convert_to_tensor(self.layer.kernel)
        return ops.sqrt(ops.sum(ops.square(kernel), axis=_all_but_last(kernel)))

    def call(self, inputs):
        """Returns what the layer makes of the inputs with the normalised kernel."""
        v = ops.convert_to_tensor(self.layer.kernel)
        squares = ops.sum(ops.square(v), axis=_all_but_last(v), keepdims=True)
        kernel = v * ops.rsqrt(ops.maximum(squares, 1e-12)) * self.g
        # The layer reads its variables as they are told here, and stores nothing.
        told = [
            (variable, kernel if variable is self.layer.kernel else ops.convert_to_tensor(variable))
            for variable in self.layer.variables
        ]
        with keras.StatelessScope(state_mapping=told):
            return self.layer(inputs)

    def initialize(self, inputs):
        """Sets g and the bias so that outputs begin centred, as the add-ons do with `data_init`.

        Call it once, on real data and outside any training step, before the first one.

        Args:
            inputs: a batch of what the layer gets.
        """
        if not self.built:
            self.build(inputs.shape)
        activation = getattr(self.layer, "activation", None)
        if activation is not None:
            self.layer.activation = keras.activations.linear
        try:
            outputs = ops.cast(self.layer(inputs), "float32")
        finally:
            if activation is not None:
                self.layer.activation = activation
        mean, variance = ops.moments(outputs, axes=_all_but_last(outputs))
        factor = 1 / ops.sqrt(variance + 1e-10)
        self.g.assign(factor)
        if getattr(self.layer, "bias", None) is not None:
            self.layer.bias.assign(-mean * factor)

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "data_init": self.data_init}


def _all_but_last(tensor):
    return list(range(len(tensor.shape) - 1))
