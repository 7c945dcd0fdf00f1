"""The base of callbacks that follow one logged score: which way is better, and the best so far."""

import abc
import logging
import math

import keras

from medgan import metrics
from medgan.training_state import step_of

_logger = logging.getLogger(__name__)


def known_directions():
    """Every score whose better way is known, to `"max"` or `"min"`.

    They stand in the tables that `medgan.metrics` calls `..._SCORES`.
    """
    tables = [table for name, table in vars(metrics).items() if name.endswith("_SCORES")]
    scores = {key: score.better for table in tables for key, score in table.items()}
    modes = {"higher": "max", "lower": "min"}
    return {key: modes[better] for key, better in scores.items() if better}


def direction(monitor, mode=None):
    """Whether more or less of a logged value is better.

    Args:
        monitor: name in the logs; a known score with or without `val_`, or any other with a mode.
        mode: `"max"` or `"min"`; None asks the tables of `medgan.metrics`.

    Returns:
        `"max"` or `"min"`.

    Raises:
        ValueError: for another mode, or for an unknown name without one.

    Example:
        >>> from medgan.callbacks.monitor import direction
        >>> direction("val_ssim_head"), direction("val_mae"), direction("loss", "min")
        ('max', 'min', 'min')
    """
    if mode not in (None, "max", "min"):
        raise ValueError(f"Received mode={mode!r}, expected 'max' or 'min'.")
    known = known_directions()
    score = monitor.removeprefix("val_")
    if mode is None and score not in known:
        raise ValueError(
            f"Received monitor={monitor!r} without a mode, expected 'val_' and one of the scores "
            f"{', '.join(known)}. Give mode='max' or mode='min' for any other."
        )
    return mode or known[score]


def is_better(value, best, mode, minimum_change=0.0):
    """Whether a value beats the best so far.

    Args:
        value: number; what is not finite beats nothing.
        best: the best so far, or None.
        mode: `"max"` or `"min"`.
        minimum_change: what it must be better by; a tie is no improvement.
    """
    if not math.isfinite(value) or best is None:
        return math.isfinite(value)
    gain = value - best if mode == "max" else best - value
    return gain > minimum_change


class Monitor(keras.callbacks.Callback, abc.ABC):
    """Follows one value in the epochs' logs and knows the best so far.

    Epochs without the value pass in silence; a training without it ends with a warning that names
    what was there. A tie is no improvement, and what is not finite never is.

    Args:
        monitor: name in the logs, such as `"val_ssim_head"`.
        mode: `"max"` or `"min"`; None for the scores that medgan knows.
        minimum_change: an improvement is a change by more than this.

    Attributes:
        mode: `"max"` or `"min"`, whoever said it.
        best: the best value so far, or None.
        best_step: number of the optimizer's steps at that time, or None.

    Raises:
        ValueError: if the direction is not known, or the change is negative.
    """

    def __init__(self, monitor, mode=None, minimum_change=0.0):
        super().__init__()
        if not minimum_change >= 0:
            raise ValueError(f"Received minimum_change={minimum_change}, expected 0 or more.")
        self.monitor = monitor
        self.mode = direction(monitor, mode)
        self.minimum_change = minimum_change
        self.best = None
        self.best_step = None
        self._begin()

    def _begin(self):
        self._logged = {}  # a dict keeps the order
        self._epoch = self._epoch_of_value = None

    def get_state(self):
        """Returns what `Checkpoint` keeps: the best so far, and what was logged when."""
        return {
            "best": self.best,
            "best_step": self.best_step,
            "epoch": self._epoch,
            "epoch_of_value": self._epoch_of_value,
            "logged": list(self._logged),
        }

    def set_state(self, state):
        """Goes on from a state of `get_state`."""
        self.best, self.best_step = state["best"], state["best_step"]
        self._epoch, self._epoch_of_value = state["epoch"], state["epoch_of_value"]
        self._logged = dict.fromkeys(state["logged"])

    @abc.abstractmethod
    def react(self, improved, value, epoch):
        """Does what the callback is for, once for each time that the value was logged."""

    def on_train_begin(self, logs=None):
        """Forgets what an earlier training logged; the best stays."""
        self._begin()

    def on_epoch_end(self, epoch, logs=None):
        """Looks for the value."""
        self._epoch = epoch
        self._look(logs or {})

    def on_train_end(self, logs=None):
        """Looks once more, for a report may have come at the end, and warns of a wrong name."""
        if self._epoch is not None and self._epoch_of_value != self._epoch:
            self._look(logs or {})
        if self._epoch is not None and self._epoch_of_value is None:
            _logger.warning(
                "%s saw no '%s' in the whole training; logged were: %s. Change its monitor.",
                type(self).__name__,
                self.monitor,
                ", ".join(self._logged) or "no values",
            )

    def _look(self, logs):
        self._logged.update(dict.fromkeys(logs))
        if logs.get(self.monitor) is None:
            return
        self._epoch_of_value = self._epoch
        value = float(logs[self.monitor])
        improved = is_better(value, self.best, self.mode, self.minimum_change)
        if improved:
            self.best, self.best_step = value, step_of(self.model)
        self.react(improved, value, self._epoch)
