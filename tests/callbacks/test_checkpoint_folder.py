import os

import keras
import numpy as np
import pytest

from medgan.callbacks import BestCheckpoint, Checkpoint
from medgan.training_state import read_notes

SCORES = [0.1, 0.5, 0.3]


class Killed(BaseException):
    """Stands for kill -9: no code expects it."""


def train(folder):
    """Fits y = w x from 0 for three epochs of one step; both kinds of best, a save per epoch."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5, name="sgd"), "mse", run_eagerly=True)
    model.set_weights([np.zeros((1, 1))])
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(val_ssim=SCORES[epoch])
    )
    best = BestCheckpoint(folder / "best.keras", "val_ssim")
    callbacks = [report, best, Checkpoint(folder, monitor="val_ssim", callbacks=[best])]
    x = np.ones((2, 1), "float32")
    arguments = {"batch_size": 2, "epochs": 3, "shuffle": False, "verbose": 0}
    model.fit(x, x, callbacks=callbacks, **arguments)


def killed_before(monkeypatch, number, folder):
    """Trains and is killed before the n-th renaming of a file; returns which that was, or None."""
    left, replace = [number], os.replace

    def perhaps(source, target):
        if not left[0]:
            raise Killed(os.path.basename(target))
        left[0] -= 1
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", perhaps)
        try:
            train(folder)
        except Killed as killed:
            return str(killed)
    return None


def found(folder):
    """Arrays of the checkpoints, weights and description of the best network."""
    arrays = [np.load(folder / name) for name in ("last.npz", "previous.npz", "best.npz")]
    contents = [
        {name: each[name].tobytes() for name in each if "state" not in name} for each in arrays
    ]
    steps = [read_notes(folder / name)["best_step"] for name in ("last.npz", "best.npz")]
    weights = keras.saving.load_model(folder / "best.keras").get_weights()
    return contents, steps, weights[0].tobytes(), (folder / "best.json").read_text()


def test_killed_at_any_renaming_the_best_is_that_of_the_uninterrupted_training(
    tmp_path, monkeypatch
):
    train(tmp_path / "whole")
    expected = found(tmp_path / "whole")
    assert read_notes(tmp_path / "whole" / "best.npz")["step"] == 2
    assert read_notes(tmp_path / "whole" / "last.npz")["best_step"] == 2
    places = []
    for number in range(40):
        folder = tmp_path / str(number)
        places.append(killed_before(monkeypatch, number, folder))
        if places[-1] is None:
            break
        train(folder)
        assert found(folder) == expected, f"killed before renaming {number}, to {places[-1]}"
    # Twice a best (its network first), then an epoch that is none.
    networks = ["best.keras", "best.json"]
    first = [*networks, "next.npz", "best.npz", "last.npz"]
    second = [*networks, "next.npz", "previous.npz", "best.npz", "last.npz"]
    assert places == [*first, *second, "next.npz", "previous.npz", "last.npz", None]


@pytest.mark.parametrize("number", range(3))
def test_there_is_a_last_one_from_the_first_on(tmp_path, monkeypatch, number):
    train(tmp_path)
    before = (tmp_path / "last.npz").read_bytes()
    checkpoint = Checkpoint(tmp_path)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5, name="sgd"), "mse")
    checkpoint.set_model(model)
    calls, replace = [], os.replace

    def perhaps(source, target):
        calls.append(target)
        if len(calls) > number:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", perhaps)
    with pytest.raises(Killed):
        checkpoint.save()
    assert (tmp_path / "last.npz").read_bytes() == before
