"""Group normalisation as tensorflow-addons does it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="Addons")
class GroupNormalization(keras.layers.Layer):
    """Normalises groups of channels of each image to mean 0 and variance 1.

    The maths, names and defaults of tensorflow-addons 0.23: with the variance taken over a group
    of channels and all places of one image,

        y = gamma * (x - mean) / sqrt(variance + epsilon) + beta,

    gamma and beta one number for each channel. Statistics are at least float32, whatever the layer
    computes in.

    Args:
        groups: number of groups; the channels must be a multiple of it. -1: every channel is one.
        axis: where the channels are.
        epsilon: what is added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: initialiser of beta.
        gamma_initializer: initialiser of gamma.
        beta_regularizer: regulariser of beta.
        gamma_regularizer: regulariser of gamma.
        beta_constraint: constraint of beta.
        gamma_constraint: constraint of gamma.

    Raises:
        ValueError: if the axis is that of the batch, there is no group, or, when it is built, the
            channels are unknown or no multiple of the groups.

    Example:
        >>> import numpy as np
        >>> from medgan.addons import GroupNormalization
        >>> channels = np.array([[1.0, 3.0, 10.0, 30.0]], "float32")
        >>> GroupNormalization(groups=2, epsilon=0.0)(channels).numpy().tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Reference:
        Wu and He, Group Normalization, 2018. `keras.layers.GroupNormalization` has the same
        defaults, but another registered name. With one channel to a group, the add-ons take the
        wrong axis for `axis=-2` and below; we refuse it.
    """

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if axis == 0:
            raise ValueError("Received axis=0, which is the batch; expected an axis of channels.")
        if groups < 1 and groups != -1:
            raise ValueError(f"Received groups={groups}, expected 1 or more, or -1.")
        self.supports_masking = True
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)

    def build(self, input_shape):
        """Makes gamma and beta for the channels of a shape."""
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"Received inputs of shape {tuple(input_shape)}, expected a known number of "
                f"channels on axis {self.axis}."
            )
        groups = channels if self.groups == -1 else self.groups
        if channels % groups:
            raise ValueError(
                f"Received {channels} channels for groups={groups}, expected a multiple of it."
            )
        if groups == channels and self.axis < -1:
            raise ValueError(
                f"Received axis={self.axis} with one channel to a group, expected -1 or a positive "
                f"axis, such as {self.axis % len(input_shape)}: the add-ons take another axis here."
            )
        self.gamma = self._weight("gamma", channels) if self.scale else None
        self.beta = self._weight("beta", channels) if self.center else None

    def _weight(self, name, channels):
        return self.add_weight(
            shape=(channels,),
            name=name,
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer"),
            constraint=getattr(self, f"{name}_constraint"),
        )

    def call(self, inputs):
        """Normalises `(batch, ...)` with the channels on the axis."""
        rank = len(inputs.shape)
        axis = self.axis % rank
        channels = inputs.shape[axis]
        groups = channels if self.groups == -1 else self.groups
        # One channel to a group needs no reshaping, which mobile delegates dislike.
        split = [groups] if groups == channels else [groups, channels // groups]
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        shape = ops.shape(inputs)
        if len(split) == 2:
            x = ops.reshape(x, (*shape[:axis], *split, *shape[axis + 1 :]))
        places = [i for i in range(1, len(x.shape)) if i != axis]
        centred = x - ops.mean(x, axis=places, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=places, keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        ones = [1] * rank
        broadcast = (*ones[:axis], *split, *ones[axis + 1 :])
        if self.scale:
            factor = factor * ops.cast(ops.reshape(self.gamma, broadcast), x.dtype)
        outputs = centred * factor
        if self.center:
            outputs = outputs + ops.cast(ops.reshape(self.beta, broadcast), x.dtype)
        if len(split) == 2:
            outputs = ops.reshape(outputs, shape)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The inputs' shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        serialize = {
            "initializer": keras.initializers.serialize,
            "regularizer": keras.regularizers.serialize,
            "constraint": keras.constraints.serialize,
        }
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **{
                f"{weight}_{kind}": serialized(getattr(self, f"{weight}_{kind}"))
                for weight in ("beta", "gamma")
                for kind, serialized in serialize.items()
            },
        }
