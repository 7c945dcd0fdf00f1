"""The epochs' logs as JSON lines."""

import json
import logging
import os
import pathlib

import keras

from medgan.training_state import step_of

_logger = logging.getLogger(__name__)


class JSONLines(keras.callbacks.Callback):
    """Appends one JSON object per epoch to a file: step, epoch, every log, and what you add.

    Numbers that are not finite become null, so that every line is valid JSON. The state that
    `Checkpoint` keeps is the size of the file: a training that resumes cuts off what was written
    after its checkpoint, so that every epoch is there once.

    Args:
        path: file to append to; its folder is made if missing.
        **extra: further fields of every line, such as `stage="teacher"`.
    """

    def __init__(self, path, **extra):
        super().__init__()
        self.path = pathlib.Path(path)
        self.extra = extra

    def get_state(self):
        """Returns the size of the file."""
        return {"size": self.path.stat().st_size if self.path.exists() else 0}

    def set_state(self, state):
        """Cuts the file off where it was; one that is shorter is left with a warning."""
        size, now = state["size"], self.get_state()["size"]
        if now > size:
            os.truncate(self.path, size)
        elif now < size:
            _logger.warning(
                "%s has %d bytes, expected %d from before the checkpoint: earlier lines are "
                "missing. New ones are appended.",
                self.path,
                now,
                size,
            )

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's line."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        finite = {n: v if v - v == 0 else None for n, v in numbers.items()}
        step = step_of(self.model)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**self.extra, "step": step, "epoch": epoch, **finite}) + "\n")
