"""The base of callbacks that act every few epochs and once more at the end."""

import abc

import keras


class Periodic(keras.callbacks.Callback, abc.ABC):
    """Acts after every `every`-th epoch and after the last.

    Args:
        every: number of epochs between two acts.

    Raises:
        ValueError: if `every` is below 1.
    """

    def __init__(self, every=1):
        super().__init__()
        if every < 1:
            raise ValueError(f"Received every={every}, expected a number of epochs from 1 up.")
        self.every = every
        self._acted_after = None
        self._epoch = None

    def get_state(self):
        """Returns what `Checkpoint` keeps: the last epoch, and the last that it acted after."""
        return {"epoch": self._epoch, "acted_after": self._acted_after}

    def set_state(self, state):
        """Goes on from a state of `get_state`."""
        self._epoch, self._acted_after = state["epoch"], state["acted_after"]

    @abc.abstractmethod
    def act(self, epoch, logs):
        """Does the work; may add to `logs`, which later callbacks see."""

    def on_epoch_end(self, epoch, logs=None):
        """Acts if the epoch is due."""
        self._epoch = epoch
        last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            self.act(epoch, {} if logs is None else logs)
            self._acted_after = epoch

    def on_train_end(self, logs=None):
        """Acts once more if training was stopped after an epoch that was not due."""
        if self._epoch is not None and self._acted_after != self._epoch:
            self.act(self._epoch, {} if logs is None else logs)
            self._acted_after = self._epoch
