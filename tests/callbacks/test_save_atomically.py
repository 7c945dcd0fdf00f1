import errno
import os
import pathlib

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.callbacks.save_atomically import save_atomically
from medgan.errors import MedganError

X = np.random.default_rng(0).uniform(size=(4, 2)).astype("float32")


def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def full_disk(self, filepath, *args, **kwargs):
    """Writes a part of the file, then finds the disk full."""
    pathlib.Path(filepath).write_bytes(b"half a model")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_newer_file_replaces_the_older_one_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "network.keras"
    for network in (model(), model()):
        save_atomically(network, path)
        assert_array_equal(keras.saving.load_model(path)(X), network(X))
        assert list(path.parent.iterdir()) == [path]


def test_full_disk_leaves_the_old_file_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "network.keras"
    save_atomically(model(), path)
    before = path.read_bytes()
    monkeypatch.setattr(keras.Sequential, "save", full_disk)
    with pytest.raises(MedganError) as caught:
        save_atomically(model(), path, "step 5")
    message = str(caught.value)
    assert f"{path} still holds step 5" in message and "No space left" in message
    assert "\n" not in message
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failure_before_the_first_file_says_that_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.Sequential, "save", full_disk)
    with pytest.raises(MedganError, match=r"No space left.*nothing was saved before"):
        save_atomically(model(), tmp_path / "network.keras")
    assert list(tmp_path.iterdir()) == []


def test_failure_to_move_the_new_file_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "network.keras"
    save_atomically(model(), path)
    before = path.read_bytes()

    def refuse(source, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(MedganError, match="Permission denied"):
        save_atomically(model(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_cannot_be_is_explained(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MedganError, match=r"Cannot save .*\.keras.*nothing was saved before"):
        save_atomically(model(), tmp_path / "file" / "network.keras")
