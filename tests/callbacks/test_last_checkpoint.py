import errno
import os
import pathlib

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.callbacks import LastCheckpoint
from medgan.errors import MedganError

X = np.random.default_rng(0).uniform(size=(4, 2)).astype("float32")


def model(steps=5):
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(optimizer="adam", loss="mse")
    built.optimizer.build(built.trainable_variables)
    built.optimizer.iterations.assign(steps)
    return built


def full_disk(self, filepath, *args, **kwargs):
    """Writes a part of the file, then finds the disk full."""
    pathlib.Path(filepath).write_bytes(b"half a checkpoint")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_checkpoint_is_the_model_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "last.keras"
    trained = model()
    callback = LastCheckpoint(path)
    callback.set_model(trained)
    callback.on_epoch_end(0, {})
    assert callback.saved_at == 5
    assert list(path.parent.iterdir()) == [path]
    copy = keras.saving.load_model(path)
    assert_array_equal(copy(X), trained(X))
    assert int(copy.optimizer.iterations) == 5


def test_newer_checkpoint_replaces_the_older_one(tmp_path):
    callback = LastCheckpoint(tmp_path / "last.keras")
    callback.set_model(model())
    callback.save()
    callback.model.set_weights([w + 1 for w in callback.model.get_weights()])
    callback.save()
    assert_array_equal(keras.saving.load_model(tmp_path / "last.keras")(X), callback.model(X))
    assert len(list(tmp_path.iterdir())) == 1


def test_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "last.keras"
    callback = LastCheckpoint(path)
    callback.set_model(model(steps=5))
    callback.save()
    before = path.read_bytes()
    monkeypatch.setattr(keras.Sequential, "save", full_disk)
    with pytest.raises(MedganError) as caught:
        callback.on_epoch_end(1, {})
    message = str(caught.value)
    assert str(path) in message and "No space left" in message and "step 5" in message
    assert "\n" not in message
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failure_before_the_first_checkpoint_says_that_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.Sequential, "save", full_disk)
    callback = LastCheckpoint(tmp_path / "last.keras")
    callback.set_model(model())
    with pytest.raises(MedganError, match=r"No space left.*nothing was saved before"):
        callback.save()
    assert list(tmp_path.iterdir()) == []


def test_failure_to_move_the_new_file_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "last.keras"
    callback = LastCheckpoint(path)
    callback.set_model(model())
    callback.save()
    before = path.read_bytes()

    def refuse(source, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(MedganError, match="Permission denied"):
        callback.save()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_cannot_be_is_explained(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    callback = LastCheckpoint(tmp_path / "file" / "last.keras")
    callback.set_model(model())
    with pytest.raises(MedganError, match=r"Cannot save .*last\.keras.*nothing was saved before"):
        callback.save()


def test_only_due_epochs_are_saved_and_the_end_always(tmp_path, monkeypatch):
    saved = []
    callback = LastCheckpoint(tmp_path / "last.keras", every=2)
    callback.set_model(model())
    monkeypatch.setattr(callback, "save", lambda: saved.append(True))
    for epoch, count in enumerate([0, 1, 1]):
        callback.on_epoch_end(epoch, {})
        assert len(saved) == count
    callback.on_train_end({})
    callback.on_train_end({})
    assert len(saved) == 2


def test_training_without_an_epoch_saves_nothing(tmp_path):
    callback = LastCheckpoint(tmp_path / "last.keras")
    callback.set_model(model())
    callback.on_train_begin({})
    callback.on_train_end({})
    assert list(tmp_path.iterdir()) == []
