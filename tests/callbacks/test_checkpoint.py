import errno
import json
import logging
import os

import keras
import numpy as np
import pytest
from keras import ops

from medgan.callbacks import (
    AveragedWeights,
    Checkpoint,
    Interrupt,
    JSONLines,
    LossCurves,
    StopWithoutImprovement,
)
from medgan.errors import MedganError, RecipeError
from medgan.layers import DiffAugment
from medgan.models import FusionGAN
from medgan.training_state import read_notes, variables_of

X = np.random.default_rng(0).uniform(size=(4, 24, 24, 2)).astype("float32")


class Crash(Exception):
    """Stands for the power cut."""


class CrashAt(keras.callbacks.Callback):
    """Ends everything in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch:
            raise Crash


def gan(seed):
    """A trainer in which everything has a state: seeds, schedule, averages, loss scale."""
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential(
        [
            keras.Input((24, 24, 2)),
            keras.layers.Conv2D(2, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3, seed=seed),
            keras.layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential([keras.Input((24, 24, 2)), keras.layers.Conv2D(1, 6, 6)])
    trainer = FusionGAN(
        generator,
        discriminator,
        content_loss=keras.losses.MeanSquaredError(),
        augmentation=DiffAugment(seed=seed),
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.02, 8)
    adam = keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=0.5)
    scaled = keras.optimizers.LossScaleOptimizer(adam, dynamic_growth_steps=3)
    trainer.compile(scaled, keras.optimizers.Adam(0.01), run_eagerly=True)
    return trainer


def train_gan(folder, *more, epochs=4, seed=1):
    """Trains and returns the trainer, before its last averages come in: bits of every variable."""
    averages = AveragedWeights()
    curves = LossCurves(folder / "losses.png", every=9)
    stop = StopWithoutImprovement("loss", patience=9, mode="min")
    lines = JSONLines(folder / "metrics.jsonl")
    states = [stop, lines, curves]
    checkpoint = Checkpoint(folder / "checkpoints", callbacks=states)
    kept = {}
    remember = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update(raw=bits(trainer), stop=stop.get_state())
    )
    trainer = gan(seed)
    callbacks = [averages, stop, averages.keeper(), lines, curves, *more, checkpoint, remember]
    with np.errstate(all="ignore"):
        trainer.fit(X, batch_size=2, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    kept.update(final=bits(trainer), lines=(folder / "metrics.jsonl").read_text())
    kept.update(records=curves.records)
    return kept


def bits(model):
    return [ops.convert_to_numpy(variable).tobytes() for _, variable in variables_of(model)]


def line(steps=0, **arguments):
    """An ordinary Keras model, y = w x."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", run_eagerly=True, **arguments)
    model.set_weights([np.zeros((1, 1))])
    model.optimizer.iterations.assign(steps)
    return model


def fit(model, *callbacks, epochs=3):
    x = np.ones((2, 1), "float32")
    return model.fit(
        x, x, batch_size=1, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    )


def saved(folder, *steps):
    """A folder of checkpoints of these steps, and the object that wrote them."""
    checkpoint = Checkpoint(folder)
    checkpoint.set_model(line())
    for epoch, step in enumerate(steps):
        checkpoint.model.optimizer.iterations.assign(step)
        checkpoint.model.set_weights([np.full((1, 1), float(step))])
        checkpoint.on_epoch_end(epoch)
    return checkpoint


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def damage(path):
    """As a rotten disk does it: what has the same name stays another file."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(tmp_path):
    expected = train_gan(tmp_path / "whole")
    with pytest.raises(Crash):
        train_gan(tmp_path / "parts", CrashAt(2))
    assert len((tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()) == 2
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as stream:
        stream.write('{"step": 5}\n')  # after the checkpoint
    resumed = train_gan(tmp_path / "parts", seed=2)
    assert resumed == expected
    assert [json.loads(text)["epoch"] for text in expected["lines"].splitlines()] == [0, 1, 2, 3]
    assert expected["raw"] != expected["final"]  # the averages came in


def test_a_finished_training_is_only_restored(tmp_path):
    expected = train_gan(tmp_path, epochs=1)
    again = train_gan(tmp_path, epochs=1)
    assert again["final"] == expected["final"] and again["lines"] == expected["lines"]


def stopping():
    return [
        keras.callbacks.EarlyStopping("loss", min_delta=0.2, patience=3),
        keras.callbacks.ReduceLROnPlateau("loss", min_delta=0.2, patience=2, factor=0.5),
    ]


def test_patience_of_keras_callbacks_survives(tmp_path):
    def train(folder, *more):
        callbacks = stopping()
        checkpoint = Checkpoint(folder, callbacks=callbacks)
        model = line()
        history = fit(model, *callbacks, *more, checkpoint, epochs=20)
        return history.epoch[-1], history.history["learning_rate"][-1], bits(model)

    expected = train(tmp_path / "whole")
    assert 3 < expected[0] < 19 and expected[1] < 0.1
    with pytest.raises(Crash):
        train(tmp_path / "parts", CrashAt(expected[0] - 1))
    assert train(tmp_path / "parts") == expected


def test_what_was_stopped_stays_stopped(tmp_path, caplog):
    def train():
        stop = StopWithoutImprovement("loss", patience=1, minimum_change=9.0, mode="min")
        model = line()
        return fit(model, stop, Checkpoint(tmp_path, callbacks=[stop])).epoch, bits(model)

    epochs, expected = train()
    assert epochs == [0, 1]
    assert train() == ([], expected)
    assert "Training was stopped at step 4: it does not go on." in caplog.text


def test_a_later_fit_begins_with_its_own_epoch(tmp_path):
    fit(line(), Checkpoint(tmp_path), epochs=2)
    model = line()
    assert fit(model, Checkpoint(tmp_path), epochs=3).epoch == [2]
    assert fit(model, epochs=1).epoch == [0]
    model = line()
    assert fit(model, Checkpoint(tmp_path), epochs=3).epoch == []
    assert fit(model, epochs=1).epoch == [0]


def test_due_epochs_and_the_last_are_saved(tmp_path):
    checkpoint = Checkpoint(tmp_path, every=2)
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(checkpoint.saved_epoch)
    )
    fit(line(), checkpoint, look, epochs=5)
    assert seen == [None, 2, 2, 4, 5]
    assert names(tmp_path) == ["last.npz", "previous.npz"]
    assert [read_notes(tmp_path / f"{name}.npz")["step"] for name in ("last", "previous")] == [
        10,
        8,
    ]
    assert (checkpoint.first_step, checkpoint.saved_step) == (10, 10)
    assert checkpoint.newest()["epoch"] == 5


def test_nothing_there_begins_anew(tmp_path):
    checkpoint = Checkpoint(tmp_path / "none")
    assert (checkpoint.first_step, checkpoint.newest()) == (0, None)
    assert checkpoint.restore(line()) is None
    assert fit(line(), checkpoint, epochs=1).epoch == [0]


def test_without_resume_the_first_checkpoint_replaces_what_is_there(tmp_path):
    fit(line(), Checkpoint(tmp_path, monitor="loss", mode="min"), epochs=3)
    checkpoint = Checkpoint(tmp_path, resume=False)
    assert checkpoint.first_step == 0
    model = line(steps=40)
    assert fit(model, checkpoint, epochs=1).epoch == [0]
    assert names(tmp_path) == ["last.npz"] and checkpoint.saved_step == 42


def test_the_best_is_kept_also_of_an_epoch_that_is_not_due(tmp_path):
    scores = {1: 0.5, 2: 0.75, 3: 0.25, 4: float("nan")}
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(
            {"val_ssim": scores[epoch]} if epoch in scores else {}
        )
    )
    checkpoint = Checkpoint(tmp_path, every=4, monitor="val_ssim")
    fit(line(), report, checkpoint, epochs=4)
    best = read_notes(tmp_path / "best.npz")
    assert (best["step"], best["epoch"], best["best"], best["best_step"]) == (6, 3, 0.75, 6)
    assert read_notes(tmp_path / "last.npz")["best"] == 0.75
    again = Checkpoint(tmp_path, monitor="val_ssim")
    fit(line(), report, again, epochs=5)
    assert (again.best, again.best_step) == (0.75, 6)
    assert read_notes(tmp_path / "best.npz")["step"] == 6


def test_files_are_copied_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    saved(tmp_path, 5, 10)
    steps = [read_notes(tmp_path / f"{name}.npz")["step"] for name in ("last", "previous")]
    assert steps == [10, 5] and names(tmp_path) == ["last.npz", "previous.npz"]


def test_a_damaged_file_gives_way_to_the_one_before_and_is_named(tmp_path, caplog):
    saved(tmp_path, 5, 10)
    damage(tmp_path / "last.npz")
    checkpoint = Checkpoint(tmp_path)
    model = line()
    assert checkpoint.newest()["step"] == 5 and not caplog.records
    assert checkpoint.restore(model)["epoch"] == 1
    assert model.get_weights() == [[[5.0]]]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / "last.npz") in caplog.text and "previous.npz of step 5" in caplog.text
    checkpoint.save()  # the damaged one does not push the whole one out
    damage(tmp_path / "last.npz")
    assert Checkpoint(tmp_path).newest()["step"] == 5


def test_no_whole_file_is_an_error_and_not_a_new_beginning(tmp_path):
    saved(tmp_path, 5, 10)
    damage(tmp_path / "last.npz")
    damage(tmp_path / "previous.npz")
    with pytest.raises(MedganError, match=r"No checkpoint in .* is whole: .*last\.npz"):
        fit(line(), Checkpoint(tmp_path))


def test_another_model_is_refused(tmp_path):
    saved(tmp_path, 5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(RecipeError, match="does not fit the model"):
        Checkpoint(tmp_path).restore(model)


@pytest.mark.parametrize("place", ["os.fsync", "os.replace", "zipfile.ZipFile.writestr"])
def test_a_full_disk_is_explained_and_leaves_both_files(tmp_path, monkeypatch, place):
    checkpoint = saved(tmp_path, 5, 10)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(place, full)
        with pytest.raises(MedganError) as caught:
            checkpoint.save()
    last = tmp_path / "last.npz"
    assert str(caught.value) == (
        f"Cannot save {last}: No space left on device; {last} still holds step 10. "
        "Free space or choose another folder."
    )
    assert [read_notes(tmp_path / f"{name}.npz")["step"] for name in ("last", "previous")] == [
        10,
        5,
    ]
    assert names(tmp_path) == ["last.npz", "previous.npz"]


def test_a_folder_that_cannot_be_is_explained(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MedganError, match=r"Cannot save .*last\.npz: .*nothing was saved before"):
        saved(tmp_path / "file", 5)


def test_notes_of_the_user_are_saved_and_choose(tmp_path):
    state = {"suspicious": False}
    checkpoint = Checkpoint(tmp_path, notes=lambda: state)
    checkpoint.set_model(line())
    checkpoint.save()
    state["suspicious"] = True
    checkpoint.model.optimizer.iterations.assign(7)
    checkpoint.save()
    model = line()
    assert Checkpoint(tmp_path).restore(model)["suspicious"] is True
    notes = Checkpoint(tmp_path).restore(model, only=lambda notes: not notes["suspicious"])
    assert notes["step"] == int(model.optimizer.iterations) == 0
    assert Checkpoint(tmp_path).restore(model, only=lambda notes: False) is None
    checkpoint.notes = {"step": 3}
    with pytest.raises(ValueError, match="notes named step"):
        checkpoint.save()


def test_roll_back_makes_an_older_one_the_last(tmp_path):
    lines = JSONLines(tmp_path / "log.jsonl")
    checkpoint = Checkpoint(tmp_path / "files", callbacks=[lines], monitor="loss", mode="min")
    fit(line(), lines, checkpoint, epochs=3)  # the loss falls: the last is the best
    model = line()
    notes = checkpoint.roll_back(model, lambda notes: notes["step"] < 6)
    assert (notes["step"], notes["epoch"], checkpoint.best) == (4, 2, None)
    assert names(tmp_path / "files") == ["last.npz", "previous.npz"]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    model.optimizer.learning_rate = 0.01
    checkpoint.save()
    assert names(tmp_path / "files") == ["last.npz", "previous.npz"]
    again = line()
    assert fit(again, lines, Checkpoint(tmp_path / "files", callbacks=[lines])).epoch == [2]
    assert float(again.optimizer.learning_rate) == np.float32(0.01)
    assert checkpoint.roll_back(model, lambda notes: False) is None


def test_an_interrupted_training_goes_on_where_it_was_left(tmp_path):
    expected = line()
    fit(expected, epochs=3)

    def press(batch, logs):
        interrupt.pressed = True

    checkpoint = Checkpoint(tmp_path, every=9)
    interrupt = Interrupt(checkpoint)
    presses = keras.callbacks.LambdaCallback(on_train_batch_end=press)
    with pytest.raises(KeyboardInterrupt):
        fit(line(), presses, checkpoint, interrupt)
    assert (checkpoint.saved_epoch, checkpoint.saved_step) == (1, 2)
    model = line()
    assert fit(model, Checkpoint(tmp_path), epochs=3).epoch == [1, 2]
    assert bits(model) == bits(expected)


def test_optimizers_of_a_trainer_are_not_guessed(tmp_path):
    model = line()
    model.second_optimizer = keras.optimizers.SGD(0.1)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    with pytest.raises(MedganError, match="optimizer and second_optimizer have no variables"):
        checkpoint.save()


def test_impossible_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="every=0"):
        Checkpoint(tmp_path, every=0)
    with pytest.raises(ValueError, match="'loss' without a mode"):
        Checkpoint(tmp_path, monitor="loss")
