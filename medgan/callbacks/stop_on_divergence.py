"""Training that has left the finite numbers."""

import math

import keras

from medgan.errors import DivergedError


class StopOnDivergence(keras.callbacks.Callback):
    """Ends training with an error at the end of an epoch in which a loss was not finite.

    Put it before callbacks that save, so that the last good checkpoint stays.

    Raises:
        DivergedError: if the epoch's mean of a loss or of a term is NaN or infinite.
    """

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the losses."""
        for name, value in (logs or {}).items():
            if not name.startswith("val_") and not math.isfinite(float(value)):
                step = int(self.model.optimizer.iterations)
                raise DivergedError(
                    f"The loss '{name}' is {float(value)} at step {step}, expected a finite "
                    "number. Lower the learning rate or the adversarial weight; the last "
                    "checkpoint is from before."
                )
