import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing import event_file_loader

from medgan.callbacks import Checkpoint, TensorBoard


class Crash(Exception):
    """Stands for kill -9."""


def fit(folder, epochs, crash_after=None, **arguments):
    """Trains two batches an epoch; the crash comes after the epoch's events, before its save."""

    def perhaps(epoch, logs):
        if epoch == crash_after:
            for writer in board._writers.values():
                writer.flush()
            raise Crash

    board = TensorBoard(folder / "board", **arguments)
    checkpoint = Checkpoint(folder / "checkpoints", callbacks=[board])
    crash = keras.callbacks.LambdaCallback(on_epoch_end=perhaps)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((2, 1), "float32")
    callbacks = [board, crash, checkpoint]
    model.fit(x, x, batch_size=1, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return board, checkpoint, model


def steps(folder, tag):
    """The steps of a curve in all event files, in the order of the files."""
    found = []
    for path in sorted((folder / "board").rglob("*tfevents*")):
        for event in event_file_loader.EventFileLoader(str(path)).Load():
            found += [event.step for value in event.summary.value if value.tag == tag]
    return sorted(found)  # two files of one second have no order


def files(folder):
    return sorted((folder / "board").rglob("*tfevents*"))


def test_resumed_curves_have_every_epoch_once(tmp_path):
    with pytest.raises(Crash):
        fit(tmp_path, 4, crash_after=2)
    assert steps(tmp_path, "epoch_loss") == [0, 1, 2]
    fit(tmp_path, 4)
    assert steps(tmp_path, "epoch_loss") == [0, 1, 2, 3]


def test_resumed_curves_have_every_batch_once(tmp_path):
    with pytest.raises(Crash):
        fit(tmp_path, 3, crash_after=1, update_freq=1)
    assert steps(tmp_path, "batch_loss") == [1, 2, 3, 4]
    fit(tmp_path, 3, update_freq=1)
    assert steps(tmp_path, "batch_loss") == [1, 2, 3, 4, 5, 6]


def test_files_from_after_the_checkpoint_go(tmp_path):
    fit(tmp_path, 1)
    with pytest.raises(Crash):
        fit(tmp_path, 3, crash_after=1)  # another process, another file
    assert len(files(tmp_path)) == 2
    fit(tmp_path, 2)
    assert steps(tmp_path, "epoch_loss") == [0, 1] and len(files(tmp_path)) == 2


def test_rolling_back_in_the_same_process_cuts_the_curves_off(tmp_path):
    board, checkpoint, model = fit(tmp_path, 3)
    checkpoint.roll_back(model, lambda notes: notes["epoch"] < 3)
    assert steps(tmp_path, "epoch_loss") == [0, 1]
    x = np.ones((2, 1), "float32")
    model.fit(x, x, batch_size=1, epochs=4, verbose=0, callbacks=[board, checkpoint])
    assert steps(tmp_path, "epoch_loss") == [0, 1, 2, 3]


def test_graphs_are_not_written_by_default(tmp_path):
    assert not TensorBoard(tmp_path).write_graph
    assert TensorBoard(tmp_path, write_graph=True, histogram_freq=2).histogram_freq == 2
    assert list(tmp_path.iterdir()) == []
