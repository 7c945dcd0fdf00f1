"""Functions of TensorFlow that Keras 2 models call between layers."""

import keras
from keras import ops

FUNCTIONS = {
    "__operators__.add": ops.add,
    "math.add": ops.add,
    "math.subtract": ops.subtract,
    "math.multiply": ops.multiply,
    "math.truediv": ops.true_divide,
    "math.divide": ops.divide,
    "math.maximum": ops.maximum,
    "math.minimum": ops.minimum,
    "math.negative": ops.negative,
    "math.tanh": ops.tanh,
    "math.sigmoid": ops.sigmoid,
    "nn.relu": ops.relu,
    "concat": ops.concatenate,
}


@keras.saving.register_keras_serializable(package="medgan")
class TensorFlowFunction(keras.layers.Layer):
    """What Keras 2 has written for `x + 1` or `tf.concat` between two layers.

    Args:
        function: name of the function below `tf`.

    Raises:
        ValueError: if the function has no counterpart here.
    """

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        if function not in FUNCTIONS:
            raise ValueError(f"Received tf.{function}, expected one of {', '.join(FUNCTIONS)}.")
        self.function = function

    def call(self, x, y=None, first=None, axis=None):
        """The function of x, of x and y, of a number `first` and x, or of a list x on an axis."""
        args = [argument for argument in (first, x, y) if argument is not None]
        return FUNCTIONS[self.function](*args, **({} if axis is None else {"axis": axis}))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "function": self.function}
