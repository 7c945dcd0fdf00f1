"""TensorBoard whose curves have every step once, also after a resume."""

import contextlib
import os
import pathlib
import re

import keras

from medgan.errors import MedganError


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback with a state for `Checkpoint`.

    The state is the size of every event file. A training that resumes cuts them off where they
    were at its checkpoint and deletes those that came later: what a killed process wrote after its
    last checkpoint is not there twice. So keep one `log_dir` to one training.

    Args:
        log_dir: folder of the event files.
        write_graph: as in Keras, but not by default: graphs of trainers take megabytes.
        **kwargs: further arguments of `keras.callbacks.TensorBoard`.

    Raises:
        MedganError: while training, if the folder cannot be written, as on a full disk.

    Example:
        >>> from medgan.callbacks import Checkpoint, TensorBoard
        >>> board = TensorBoard("tensorboard")
        >>> callbacks = [board, Checkpoint("checkpoints", callbacks=[board])]
    """

    def __init__(self, log_dir="logs", write_graph=False, **kwargs):
        super().__init__(log_dir, write_graph=write_graph, **kwargs)
        self._older = None

    def set_model(self, model):
        """Looks which files are there before this training opens its own."""
        with self._explained():
            self._close_writers()  # of a training that was left by an error
            self._older = set(self._files())
            super().set_model(model)

    def on_train_begin(self, logs=None):
        """Opens the event files."""
        with self._explained():
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        """Begins the epoch."""
        self._older = None
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        """Writes what the batch before left, where batches' events are wanted."""
        with self._explained():
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Writes the batch's events where they are wanted."""
        with self._explained():
            super().on_train_batch_end(batch, logs)

    def on_test_begin(self, logs=None):
        """Opens the event file of the validation."""
        with self._explained():
            super().on_test_begin(logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Writes what the batch before left, where batches' events are wanted."""
        with self._explained():
            super().on_test_batch_begin(batch, logs)

    def on_test_end(self, logs=None):
        """Writes the validation's events."""
        with self._explained():
            super().on_test_end(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's events."""
        with self._explained():
            super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs=None):
        """Writes what is left and closes the event files."""
        with self._explained():
            for writer in self._writers.values():
                writer.flush()  # closing alone would lose events in silence
            super().on_train_end(logs)

    def get_state(self):
        """Returns the sizes of all event files, flushed, and the numbers of the next batches."""
        with self._explained():
            for writer in self._writers.values():
                writer.flush()
        root = pathlib.Path(self.log_dir)
        sizes = {path.relative_to(root).as_posix(): path.stat().st_size for path in self._files()}
        batches = [self._global_train_batch, self._global_test_batch]
        return {"sizes": sizes, "batches": batches}

    def set_state(self, state):
        """Makes the event files what they were, but for those that this training just opened."""
        files = self._older
        with self._explained():
            if files is None:  # in the same process, after a training that was left by an error
                self._close_writers()
                self._writers = {}
                files = self._files()
            for path in files:
                size = state["sizes"].get(path.relative_to(self.log_dir).as_posix())
                if size is None:
                    path.unlink()
                elif size < path.stat().st_size:
                    _cut(path, size)
        self._global_train_batch, self._global_test_batch = state["batches"]

    def _files(self):
        return sorted(pathlib.Path(self.log_dir).rglob("*tfevents*"))

    @contextlib.contextmanager
    def _explained(self):
        """Says in one line what could not be written; TensorFlow's errors are no `OSError`."""
        import tensorflow as tf

        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or _reason(str(error))
            raise MedganError(
                f"Cannot write {self.log_dir}: {reason}. Free space or choose another folder."
            ) from error


def _reason(text):
    """The system's words in an error of TensorFlow: `{{op}} FILE; REASON [Op:...]`, more lines."""
    first = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", text.strip().split("\n")[0])
    return first.rpartition("; ")[2].strip() or text.strip()


def _cut(path, size):
    """Cuts a file off; who still writes to the old one writes into nothing, and leaves no hole."""
    temporary = path.with_name(f".{path.name}.part")
    with open(path, "rb") as stream:
        temporary.write_bytes(stream.read(size))
    os.replace(temporary, path)
