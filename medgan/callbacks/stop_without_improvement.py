"""Training that no longer gets better."""

import logging

from medgan.callbacks.monitor import Monitor
from medgan.training_state import step_of

_logger = logging.getLogger(__name__)


class StopWithoutImprovement(Monitor):
    """Ends training after several validations in a row without an improvement.

    It counts validations, the epochs that logged the score, and not epochs; a score that is not
    finite counts as no improvement. Nothing is restored: `BestCheckpoint` keeps the best. With
    averaged weights use `AveragedWeights` and its keeper: Keras's `SwapEMAWeights` leaves the
    weights of the last step where training is stopped before its last epoch. `Checkpoint` keeps its
    count, so that a resumed training stops when the uninterrupted one would have.

    Args:
        monitor: name of a logged value, such as `"val_ssim_head"`.
        patience: number of validations without improvement that end training.
        minimum_change: an improvement is a change by more than this.
        mode: `"max"` or `"min"`, for values that medgan does not know.

    Raises:
        ValueError: if the direction is not known, the patience is below 1, or the change negative.

    Example:
        >>> from medgan.callbacks import StopWithoutImprovement
        >>> StopWithoutImprovement("val_mae", patience=3, minimum_change=0.01).mode
        'min'
    """

    def __init__(self, monitor, patience=5, minimum_change=0.0, mode=None):
        super().__init__(monitor, mode, minimum_change)
        if patience < 1:
            raise ValueError(f"Received patience={patience}, expected 1 validation or more.")
        self.patience = patience
        self.waited = 0

    def on_train_begin(self, logs=None):
        """Begins to count anew."""
        super().on_train_begin(logs)
        self.best = self.best_step = None
        self.waited = 0

    def get_state(self):
        """Returns what `Checkpoint` keeps: the best so far and the count."""
        return {**super().get_state(), "waited": self.waited}

    def set_state(self, state):
        """Goes on counting from a state of `get_state`."""
        super().set_state(state)
        self.waited = state["waited"]

    def react(self, improved, value, epoch):
        """Counts, and stops training when it has waited long enough."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited >= self.patience and not self.model.stop_training:
            self.model.stop_training = True
            best = (
                "there was none"
                if self.best is None
                else f"{self.best:.6g} at step {self.best_step}"
            )
            _logger.info(
                "Training stops at step %d (epoch %d): '%s' did not improve in %d validations; "
                "the best was %s.",
                step_of(self.model),
                epoch,
                self.monitor,
                self.waited,
                best,
            )
