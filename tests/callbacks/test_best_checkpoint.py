import errno
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan import precision
from medgan.callbacks import BestCheckpoint, Checkpoint
from medgan.callbacks.save_atomically import save_atomically
from medgan.errors import MedganError
from medgan.losses import StructuralFusionLoss
from medgan.models import FusionGAN

X = np.ones((1, 1), "float32")


def model():
    """A model whose output for `X` is its weight."""
    built = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    built.compile("sgd", "mse", run_eagerly=True)
    return built


def watched(callback):
    callback.set_model(model())
    callback.on_train_begin()
    return callback


def validate(callback, values, monitor="val_ssim_head"):
    """Ends one epoch for each value, with weight 0, 1, 2, ... and step 10, 20, 30, ..."""
    for epoch, value in enumerate(values):
        callback.model.set_weights([np.full((1, 1), float(epoch))])
        callback.model.optimizer.iterations.assign(10 * epoch + 10)
        callback.on_epoch_end(epoch, {"loss": 1.0} if value is None else {monitor: value})


def kept(path):
    """Epoch of the weights in a file."""
    return float(keras.saving.load_model(path)(X)[0, 0])


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("val_ssim_head", [0.1, 0.5, 0.3], 1),
        ("val_mae", [3.0, 1.0, 2.0], 1),
        ("val_ssim_head", [0.5, 0.5, 0.4], 0),  # ties keep the older
        ("val_mae", [1.0, 1.0], 0),
        ("val_ssim_head", [float("nan"), 0.2, float("nan")], 1),
        ("val_mae", [float("-inf"), 2.0, float("nan")], 1),
        ("val_ssim_head", [None, -0.3, None, -0.2, None], 3),
    ],
)
def test_best_validation_is_kept_with_its_description(tmp_path, monitor, values, best):
    path = tmp_path / "new" / "best.keras"
    callback = watched(BestCheckpoint(path, monitor))
    validate(callback, values, monitor)
    assert kept(path) == best
    assert json.loads((tmp_path / "new" / "best.json").read_text()) == {
        "monitor": monitor,
        "value": values[best],
        "step": 10 * best + 10,
        "epoch": best,
    }
    assert sorted(p.name for p in path.parent.iterdir()) == ["best.json", "best.keras"]


def test_without_a_finite_value_nothing_is_written(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    validate(callback, [float("nan"), None])
    callback.on_train_end({})
    assert list(tmp_path.iterdir()) == []


def test_another_training_must_beat_the_best_so_far(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    validate(callback, [0.1, 0.5])
    callback.on_train_begin()
    validate(callback, [0.4])
    assert kept(tmp_path / "best.keras") == 1


def test_report_that_comes_at_the_end_counts(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    validate(callback, [0.1, None])
    callback.on_train_end({"loss": 1.0, "val_ssim_head": 0.2})
    assert kept(tmp_path / "best.keras") == 1


def test_relative_path_lies_in_the_directory(tmp_path):
    assert BestCheckpoint("best.keras", directory=tmp_path).path == tmp_path / "best.keras"
    assert BestCheckpoint(tmp_path / "a.keras", directory="b").path == tmp_path / "a.keras"


def gan(**optimizer):
    generator = [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 1)]
    discriminator = [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 4, 4)]
    networks = keras.Sequential(generator), keras.Sequential(discriminator)
    trainer = FusionGAN(*networks, content_loss=StructuralFusionLoss())
    trainer.compile(keras.optimizers.SGD(0.1, **optimizer), "sgd", run_eagerly=True)
    return trainer


def test_one_network_of_a_trainer_is_kept_with_averaged_weights(tmp_path):
    trainer = gan(use_ema=True, ema_momentum=0.5)
    x = np.random.default_rng(0).uniform(size=(2, 24, 24, 2)).astype("float32")
    before, averaged = [], []

    def remember(weights):
        return lambda epoch, logs: weights.append(trainer.generator.get_weights())

    def validate(epoch, logs):
        logs["val_ssim"] = [0.1, 0.3, 0.2][epoch]

    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_end=remember(before)),
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        keras.callbacks.LambdaCallback(on_epoch_end=remember(averaged)),
        keras.callbacks.LambdaCallback(on_epoch_end=validate),
        BestCheckpoint(tmp_path / "best.keras", "val_ssim", network="generator"),
    ]
    trainer.fit(x, batch_size=2, epochs=3, verbose=0, callbacks=callbacks)
    # Keras starts the average at the first step's weights and then moves half the way.
    by_hand = [(one + other) / 2 for one, other in zip(*before[:2], strict=True)]
    kept_weights = keras.saving.load_model(tmp_path / "best.keras").get_weights()
    for ours, seen, expected in zip(kept_weights, averaged[1], by_hand, strict=True):
        assert_allclose(ours, seen, atol=0)
        assert_allclose(ours, expected, atol=1e-6)
    assert np.abs(before[1][0] - kept_weights[0]).max() > 1e-4


def test_whole_trainer_is_kept_by_default(tmp_path):
    callback = BestCheckpoint(tmp_path / "best.keras")
    callback.set_model(gan())
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_ssim_head": 0.5})
    assert isinstance(keras.saving.load_model(tmp_path / "best.keras"), FusionGAN)


def test_unknown_network_is_refused_when_training_begins(tmp_path):
    callback = BestCheckpoint(tmp_path / "best.keras", network="student")
    callback.set_model(gan())
    with pytest.raises(ValueError, match=r"'student' for a FusionGAN.*generator, discriminator"):
        callback.on_train_begin()


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match=r"best\.h5.*ends in \.keras"):
        BestCheckpoint("best.h5")


def test_description_that_cannot_be_written_is_explained(tmp_path, monkeypatch):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    replace = os.replace

    def refuse(source, target):
        if str(target).endswith(".json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(MedganError, match=r"Cannot write .*best\.json: No space left"):
        validate(callback, [0.1])
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_going_back_to_before_the_best_forgets_it(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    validate(callback, [0.5])
    state = callback.get_state()
    validate(callback, [0.5, 0.7])  # of step 20
    callback.set_state(state)
    assert names(tmp_path) == [] and (callback.best, callback.best_step) == (None, None)
    validate(callback, [0.4])
    assert json.loads((tmp_path / "best.json").read_text())["value"] == 0.4
    assert kept(tmp_path / "best.keras") == 0


def test_going_back_behind_the_best_keeps_it(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    validate(callback, [0.5, 0.7])
    state = callback.get_state()
    validate(callback, [0.1, 0.2, 0.3])
    callback.set_state(state)
    assert names(tmp_path) == ["best.json", "best.keras"]
    assert (callback.best, callback.best_step) == (0.7, 20)
    validate(callback, [0.6])
    assert kept(tmp_path / "best.keras") == 1


def test_going_back_to_before_the_first_best_removes_it(tmp_path):
    callback = watched(BestCheckpoint(tmp_path / "best.keras"))
    state = callback.get_state()
    validate(callback, [0.5])
    callback.set_state(state)
    assert names(tmp_path) == []


def test_rolled_back_training_keeps_no_best_of_the_steps_that_are_gone(tmp_path):
    best = BestCheckpoint(tmp_path / "best.keras")
    scores = [0.3, 0.9]
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(val_ssim_head=scores[epoch])
    )
    checkpoint = Checkpoint(tmp_path / "checkpoints", callbacks=[best])
    trained = model()
    callbacks = [report, best, checkpoint]
    trained.fit(X, X, epochs=2, verbose=0, callbacks=callbacks)
    assert json.loads((tmp_path / "best.json").read_text())["value"] == 0.9
    checkpoint.roll_back(trained, lambda notes: notes["epoch"] == 1)
    scores[1] = 0.2
    trained.fit(X, X, epochs=2, verbose=0, callbacks=callbacks)
    said = json.loads((tmp_path / "best.json").read_text())
    assert (said["value"], said["step"], best.best) == (0.2, 2, 0.2)


def test_inside_a_strategy_what_is_kept_is_on_no_replica(tmp_path, two_replicas, monkeypatch):
    saved = []

    def save(network, path, previous):
        saved.append(network)
        save_atomically(network, path, previous)

    monkeypatch.setattr("medgan.callbacks.best_checkpoint.save_atomically", save)
    with two_replicas.scope(), precision.policy("mixed_bfloat16"):
        trainer = gan()
        callback = BestCheckpoint(tmp_path / "best.keras", network="generator")
        callback.set_model(trainer)
        callback.on_train_begin()
        callback.on_epoch_end(0, {"val_ssim_head": 0.5})
    assert isinstance(trainer.generator.weights[0].value, tf.distribute.DistributedValues)
    (network,) = saved
    assert not any(isinstance(w.value, tf.distribute.DistributedValues) for w in network.weights)
    assert network.layers[-1].compute_dtype == "float32"
    loaded = keras.saving.load_model(tmp_path / "best.keras").get_weights()
    for ours, trained in zip(loaded, trainer.generator.weights, strict=True):
        assert_allclose(ours, trained.numpy(), atol=0)
