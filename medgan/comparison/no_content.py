"""No content loss: what is left of a trainer is its objective between networks."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medgan")
class NoContentLoss(keras.losses.Loss):
    """A loss that is always zero, in the place where trainers take their content loss.

    Trainers of fusion have a content loss by default. To see what an adversarial objective makes
    without one, all else equal, something must stand there that asks for nothing.

    Example:
        >>> import numpy as np
        >>> from medgan.comparison import NoContentLoss
        >>> NoContentLoss().call(np.ones((2, 4, 4, 2)), np.ones((2, 4, 4, 1))).shape
        TensorShape([2])
    """

    def __init__(self, name="no_content_loss", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Zeros, `(batch,)`."""
        return ops.zeros_like(ops.cast(y_pred[:, 0, 0, 0], "float32"))
