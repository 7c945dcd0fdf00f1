"""The files of `Checkpoint`: the last, the one before, the best."""

import contextlib
import logging
import os
import pathlib
import shutil

from medgan.errors import MedganError
from medgan.training_state import DamagedCheckpoint, flush_folder, read_notes, save_state

_logger = logging.getLogger(__name__)


class CheckpointFolder:
    """`last.npz`, `previous.npz` and `best.npz` of one training.

    Each is whole or not there, and there is no moment without a `last.npz` once there was one. The
    others are further names of the same files (hard links), or copies where there are none.

    Args:
        path: the folder, made when the first checkpoint is added.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.last = self.path / "last.npz"
        self.previous = self.path / "previous.npz"
        self.best = self.path / "best.npz"

    def newest(self, only=None, warn=False):
        """Finds the newest whole checkpoint.

        Args:
            only: callable from notes to whether this one will do; None takes any.
            warn: whether damaged ones that are passed over are logged.

        Returns:
            Its path and its notes, or `(None, None)` if nothing will do.

        Raises:
            MedganError: if there are files and none is whole.
        """
        damaged, whole = [], 0
        for path in (self.last, self.previous, self.best):
            if not path.exists():
                continue
            try:
                notes = read_notes(path)
            except DamagedCheckpoint as error:
                damaged.append(error)
                continue
            whole += 1
            if only is None or only(notes):
                for reason in damaged if warn else ():
                    _logger.warning("%s Taken: %s of step %d.", reason, path, notes["step"])
                return path, notes
        if damaged and not whole:
            raise MedganError(
                f"No checkpoint in {self.path} is whole: {damaged[0]} Without one, empty the "
                "folder to start anew."
            )
        return None, None

    def add(self, model, notes, is_best=False, anew=False, keep_last=True):
        """Saves a new `last.npz`.

        Args:
            model: built `keras.Model` with built optimizers.
            notes: its notes.
            is_best: whether it is the best as well.
            anew: whether what is there belongs to another training and goes.
            keep_last: whether the old `last.npz` becomes `previous.npz`; it should not if damaged.

        Raises:
            MedganError: if it cannot be written; the message says what is left.
        """
        new = self.path / "next.npz"
        with self._explained(new):
            self.path.mkdir(parents=True, exist_ok=True)
            save_state(new, model, notes)
            if anew:
                self.previous.unlink(missing_ok=True)
                self.best.unlink(missing_ok=True)
            elif keep_last and self.last.exists():
                _name_again(self.last, self.previous)
            if is_best:
                # Before it is the last: whoever is killed here replays these steps and names their
                # best anew. The other way round, the best would be the last and never be named.
                _name_again(new, self.best)
            os.replace(new, self.last)
            flush_folder(self.path)

    def end_with(self, path, step):
        """Makes one of the files `last.npz` and removes those of later steps.

        Args:
            path: the file.
            step: its step.

        Returns:
            Whether `best.npz` was later and is gone.

        Raises:
            MedganError: if the files cannot be changed.
        """
        best_is_later = self.best.exists() and not _is_from(self.best, step)
        with self._explained():
            if path != self.last:
                _name_again(path, self.last)
            if path == self.best:
                self.previous.unlink(missing_ok=True)
            if best_is_later:
                self.best.unlink()
            flush_folder(self.path)
        return best_is_later

    @contextlib.contextmanager
    def _explained(self, partial=None):
        """Says in one line what could not be written and what is left."""
        try:
            yield
        except OSError as error:
            if partial is not None:
                with contextlib.suppress(OSError):
                    partial.unlink()
            kept = "nothing was saved before"
            if self.last.exists():
                with contextlib.suppress(MedganError):
                    kept = f"{self.last} still holds step {read_notes(self.last)['step']}"
            raise MedganError(
                f"Cannot save {self.last}: {error.strerror or error}; {kept}. "
                "Free space or choose another folder."
            ) from error


def _is_from(path, step):
    """Whether a checkpoint is whole and not later than a step."""
    try:
        return read_notes(path)["step"] <= step
    except DamagedCheckpoint:
        return False


def _name_again(source, target):
    """Lets a file have a second name, in one step; a copy where there are no hard links."""
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
        os.replace(temporary, target)
    finally:
        # Also after a success: of two names of one file, POSIX leaves both.
        with contextlib.suppress(OSError):
            temporary.unlink()
