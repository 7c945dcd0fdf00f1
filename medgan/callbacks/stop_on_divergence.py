"""Training that has left the finite numbers."""

import keras
import numpy as np
from keras import ops

from medgan.errors import DivergedError

SMALLEST_LOSS_SCALE = 2.0**-10
"""Of float16 training: where even gradients scaled down to this overflow, they are not finite."""


class StopOnDivergence(keras.callbacks.Callback):
    """Ends training with an error soon after a loss, a weight or the loss scale has diverged.

    It looks every tenth of `within` batches and at every epoch's end. Put it before callbacks that
    validate and save, so that they never see what it refuses and the last good checkpoint stays.
    What only shows in the images is for `StopOnSymptoms`, behind `TrainingHealth`.

    Under the JAX backend the weights and the loss scales are looked at when an epoch ends, the
    losses as often as elsewhere: a weight that is not finite shows in them a step later.

    Args:
        within: number of batches after which a divergence is noticed at the latest.
        checkpoint: what saves this training (`medgan.callbacks.Checkpoint`), for the error to name
            its last file; None names none.

    Raises:
        ValueError: if `within` is below 1.
        DivergedError: (in training) if the epoch's mean of a loss or of a term, or a trainable
            weight, is NaN or infinite, or a loss scale fell below `SMALLEST_LOSS_SCALE`.

    Example:
        >>> import keras, numpy as np
        >>> from medgan.callbacks import StopOnDivergence
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(1e30), loss="mse", run_eagerly=True)
        >>> x = np.ones((40, 1), "float32")
        >>> try:
        ...     model.fit(x, 2 * x, batch_size=1, verbose=0, callbacks=[StopOnDivergence(10)])
        ... except ArithmeticError as error:
        ...     error.step <= 10
        True
    """

    def __init__(self, within=100, checkpoint=None):
        super().__init__()
        if within < 1:
            raise ValueError(f"Received within={within}, expected a number of batches from 1 up.")
        self.within = within
        self.checkpoint = checkpoint
        self._looked_at = -1
        self._finite = None

    def on_train_begin(self, logs=None):
        """Forgets which weights an earlier training moved."""
        self._finite = None

    def on_epoch_begin(self, epoch, logs=None):
        """Counts batches anew."""
        self._looked_at = -1

    def on_train_batch_end(self, batch, logs=None):
        """Looks if it is time: an execution may hold several batches."""
        if batch - self._looked_at >= max(1, self.within // 10):
            self._looked_at = batch
            self._check_losses(logs or {})
            # JAX has the state in its step's hands; taking it from there costs every time.
            if keras.backend.backend() == "tensorflow":
                self._check_state()

    def on_epoch_end(self, epoch, logs=None):
        """Looks at everything."""
        self._check_losses(logs or {})
        self._check_state()

    def _check_losses(self, logs):
        for name, value in logs.items():
            if not name.startswith(("val_", "health_")) and not np.isfinite(value).all():
                self._stop(f"the loss '{name}' is {np.ravel(value)[0]}", "a finite number")

    def _check_state(self):
        model = self.model
        for name in ("optimizer", "discriminator_optimizer"):
            optimizer = getattr(model, name, None)
            if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                continue
            scale = float(ops.convert_to_numpy(optimizer.dynamic_scale)) if optimizer.built else 1.0
            if scale < SMALLEST_LOSS_SCALE:
                self._stop(
                    f"the loss scale of the {name} fell to {scale:.3g}",
                    f"{SMALLEST_LOSS_SCALE:.3g} or more: every gradient overflows",
                    "train in bfloat16 or float32",
                )
        variables = model.trainable_variables
        if variables:
            if self._finite is None:
                self._finite = _all_finite(variables)
            bad = np.flatnonzero(~ops.convert_to_numpy(self._finite()))
            if len(bad):
                path = variables[bad[0]].path
                self._stop(f"the weight '{path}' is not finite", "finite numbers")

    def _stop(self, reason, expected, further="limit the gradients (clipnorm=1.0)"):
        step = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        what = f"{reason[0].upper()}{reason[1:]} at step {step}, expected {expected}."
        advice = f"Lower the learning rate or the adversarial weight, or {further}"
        saved = last_checkpoint(self.checkpoint)
        raise DivergedError(f"{what} {advice}{saved and f'; {saved}'}.", step, reason)


def last_checkpoint(checkpoint):
    """Says in words where the last checkpoint is; empty if `checkpoint` is None."""
    if checkpoint is None:
        return ""
    if checkpoint.saved_step is None:
        return "no checkpoint was saved before"
    path = checkpoint.directory / "last.npz"
    return f"the last good checkpoint is {path} of step {checkpoint.saved_step}"


def _all_finite(variables):
    """Returns a function that tells for each variable whether it is finite, where it lies."""

    def look():
        return ops.stack([ops.all(ops.isfinite(variable)) for variable in variables])

    if keras.backend.backend() != "tensorflow":
        return look
    import tensorflow as tf

    # 64 variables of 300k numbers: 0.8 ms as a graph, 20 ms one operation after the other.
    return tf.function(look)
