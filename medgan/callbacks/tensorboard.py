"""TensorBoard whose curves have every step once, also after a resume."""

import os
import pathlib

import keras


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback with a state for `Checkpoint`.

    The state is the size of every event file. A training that resumes cuts them off where they
    were at its checkpoint and deletes those that came later: what a killed process wrote after its
    last checkpoint is not there twice. So keep one `log_dir` to one training.

    Args:
        log_dir: folder of the event files.
        write_graph: as in Keras, but not by default: graphs of trainers take megabytes.
        **kwargs: further arguments of `keras.callbacks.TensorBoard`.

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
        self._close_writers()  # of a training that was left by an error
        self._older = set(self._files())
        super().set_model(model)

    def on_epoch_begin(self, epoch, logs=None):
        """Begins the epoch."""
        self._older = None
        super().on_epoch_begin(epoch, logs)

    def get_state(self):
        """Returns the sizes of all event files, flushed, and the numbers of the next batches."""
        for writer in self._writers.values():
            writer.flush()
        root = pathlib.Path(self.log_dir)
        sizes = {path.relative_to(root).as_posix(): path.stat().st_size for path in self._files()}
        batches = [self._global_train_batch, self._global_test_batch]
        return {"sizes": sizes, "batches": batches}

    def set_state(self, state):
        """Makes the event files what they were, but for those that this training just opened."""
        files = self._older
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


def _cut(path, size):
    """Cuts a file off; who still writes to the old one writes into nothing, and leaves no hole."""
    temporary = path.with_name(f".{path.name}.part")
    with open(path, "rb") as stream:
        temporary.write_bytes(stream.read(size))
    os.replace(temporary, path)
