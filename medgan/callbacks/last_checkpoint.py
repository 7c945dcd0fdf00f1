"""A checkpoint that is whole or not there."""

import contextlib
import os
import pathlib

from medgan.callbacks.periodic import Periodic
from medgan.errors import MedganError


class LastCheckpoint(Periodic):
    """Saves the model every few epochs and at the end, under one name.

    The file is written beside the old one, flushed to disk, and takes its place in one step: a
    crash or a full disk leaves the old one as it was.

    Args:
        path: `.keras` file; its folder is made if missing.
        every: number of epochs between two checkpoints.

    Raises:
        MedganError: if the file cannot be written; the message names the checkpoint that is left.
    """

    def __init__(self, path, every=1):
        super().__init__(every)
        self.path = pathlib.Path(path)
        self.saved_at = None

    def act(self, epoch, logs):
        """Saves the model."""
        self.save()

    def save(self):
        """Saves the model now, for instance after Ctrl-C."""
        save_atomically(self.model, self.path, f"step {self.saved_at}" if self.saved_at else None)
        self.saved_at = int(self.model.optimizer.iterations)


def save_atomically(model, path, previous=None):
    """Saves a Keras model so that the file at `path` is the old one or the whole new one.

    Args:
        model: `keras.Model`.
        path: `.keras` file; its folder is made if missing.
        previous: words for what `path` holds now, for the error message.

    Raises:
        MedganError: if the file cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.part.keras")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(temporary)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        kept = (
            f"{path} still holds {previous or 'the last checkpoint'}"
            if path.exists()
            else "nothing was saved before"
        )
        reason = error.strerror or error
        raise MedganError(
            f"Cannot save {path}: {reason}; {kept}. Free space or choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where there is no folder, nothing was written
            temporary.unlink()
