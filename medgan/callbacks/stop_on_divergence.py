"""Training that has left the finite numbers."""

import math

import keras

from medgan.errors import DivergedError


class StopOnDivergence(keras.callbacks.Callback):
    """Ends training with an error as soon as a loss is not finite.

    Put it before callbacks that save, so that the last good checkpoint stays.

    Raises:
        DivergedError: at the end of the first batch whose running mean of a loss is NaN or
            infinite.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the losses."""
        for name, value in (logs or {}).items():
            if not math.isfinite(float(value)):
                step = int(self.model.optimizer.iterations)
                raise DivergedError(
                    f"The loss '{name}' is {float(value)} at step {step}, expected a finite number. "
                    "Lower the learning rate or the adversarial weight."
                )
