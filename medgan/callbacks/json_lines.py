"""The epochs' logs as JSON lines."""

import json
import pathlib

import keras


class JSONLines(keras.callbacks.Callback):
    """Appends one JSON object per epoch to a file: step, epoch, every log, and what you add.

    Numbers that are not finite become null, so that every line is valid JSON.

    Args:
        path: file to append to; its folder is made if missing.
        **extra: further fields of every line, such as `stage="teacher"`.
    """

    def __init__(self, path, **extra):
        super().__init__()
        self.path = pathlib.Path(path)
        self.extra = extra

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's line."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        finite = {n: v if v - v == 0 else None for n, v in numbers.items()}
        step = int(self.model.optimizer.iterations)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**self.extra, "step": step, "epoch": epoch, **finite}) + "\n")
