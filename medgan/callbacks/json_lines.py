"""The epochs' logs as JSON lines."""

import json
import logging
import pathlib

import keras

from medgan.run import write_atomically
from medgan.training_state import step_of

_logger = logging.getLogger(__name__)


class JSONLines(keras.callbacks.Callback):
    """Appends one JSON object per epoch to a file: step, epoch, every log, and what you add.

    Numbers that are not finite become null, so that every line is valid JSON. The state that
    `Checkpoint` keeps is the number of its lines, those with the same `extra`: a training that
    resumes cuts off its own lines from after its checkpoint, so that every epoch is there once, and
    leaves alone what other stages wrote into the same file.

    Args:
        path: file to append to; its folder is made if missing.
        **extra: further fields of every line, such as `stage="teacher"`.
    """

    def __init__(self, path, **extra):
        super().__init__()
        self.path = pathlib.Path(path)
        self.extra = extra

    def get_state(self):
        """Returns the number of its lines."""
        return {"lines": sum(self._is_own(line) for line in self._lines())}

    def set_state(self, state):
        """Cuts off its lines from after the state; if some are missing, it warns."""
        lines = self._lines()
        own = [index for index, line in enumerate(lines) if self._is_own(line)]
        later = set(own[state["lines"] :])
        if lines and not lines[-1].endswith("\n") and _parsed(lines[-1]) is None:
            later.add(len(lines) - 1)  # a line that was cut off while it was written
        if later:
            kept = (line for index, line in enumerate(lines) if index not in later)
            write_atomically(self.path, "".join(kept))
        if len(own) < state["lines"]:
            _logger.warning(
                "%s has %d lines, expected %d from before the checkpoint: earlier lines are "
                "missing. New ones are appended.",
                self.path,
                len(own),
                state["lines"],
            )

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's line."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        finite = {n: v if v - v == 0 else None for n, v in numbers.items()}
        step = step_of(self.model)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**self.extra, "step": step, "epoch": epoch, **finite}) + "\n")

    def _lines(self):
        """Every line of the file with its end; nothing where there is no file."""
        if not self.path.exists():
            return []
        return self.path.read_text(encoding="utf-8").splitlines(keepends=True)

    def _is_own(self, line):
        """Whether a line holds the fields of this one's lines."""
        record = _parsed(line)
        own = json.loads(json.dumps(self.extra))  # as a line gives it back: lists for tuples
        return isinstance(record, dict) and own.items() <= record.items()


def _parsed(line):
    """What a line of JSON says; None if it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None
