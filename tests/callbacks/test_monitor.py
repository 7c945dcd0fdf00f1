import logging

import keras
import pytest

from medgan.callbacks import BestCheckpoint, StopWithoutImprovement
from medgan.callbacks.monitor import direction, known_directions
from medgan.metrics import PHANTOM_SCORES
from medgan.recipe import build

HIGHER = [
    "sf",
    "ssim",
    "ssim_head",
    "scd",
    "qabf",
    "vif",
    "psnr",
    "psnr_head",
    "ncc",
    "ncc_head",
    "cnr_bone",
]
LOWER = ["mae", "mae_head", "rmse", "rmse_head"]


def watched(callback):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    callback.set_model(model)
    callback.on_train_begin()
    return callback


@pytest.mark.parametrize(
    ("score", "mode"), [*((s, "max") for s in HIGHER), *((s, "min") for s in LOWER)]
)
def test_scores_of_medgan_need_no_mode(score, mode):
    assert direction(f"val_{score}") == direction(score) == mode


def test_contrasts_of_phantoms_are_known_and_a_concentrated_set_is_not_better():
    assert {known_directions()[score] for score in PHANTOM_SCORES} == {"max"}
    assert "density" not in known_directions()


def test_mode_of_the_user_counts_for_every_name():
    assert direction("loss", "min") == "min"
    assert direction("val_ssim", "min") == "min"


def test_unknown_name_without_a_mode_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'val_loss' without a mode.*ssim_head.*rmse.*mode='max'"):
        StopWithoutImprovement("val_loss")


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="mode='auto', expected 'max' or 'min'"):
        BestCheckpoint("best.keras", mode="auto")


@pytest.mark.parametrize(
    "table",
    [
        {"type": "BestCheckpoint", "path": "best.keras", "monitor": "val_vif"},
        {"type": "BestCheckpoint", "path": "best.keras", "monitor": "loss", "mode": "min"},
        {"type": "StopWithoutImprovement", "monitor": "val_mae", "patience": 3},
        {"type": "StopWithoutImprovement", "monitor": "val_mae", "minimum_change": 1},
    ],
)
def test_recipes_build_both(table):
    callback = build(table, "[[callbacks]] 1", {"directory": "run/teacher"})
    assert {key: getattr(callback, key) for key in table.keys() - {"type", "path"}} == {
        key: value for key, value in table.items() if key not in ("type", "path")
    }


def test_value_that_never_came_is_warned_of_at_the_end(caplog):
    callback = watched(StopWithoutImprovement("val_mae"))
    callback.on_epoch_end(0, {"loss": 1.0, "val_ssim": 0.5})
    callback.on_epoch_end(1, {"loss": 1.0})
    assert not caplog.records
    callback.on_train_end({"loss": 1.0})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert "StopWithoutImprovement saw no 'val_mae'" in message and "loss, val_ssim." in message


def test_value_that_came_once_is_enough(caplog):
    callback = watched(StopWithoutImprovement("val_mae"))
    for epoch, logs in enumerate([{}, {"val_mae": 3.0}, {}]):
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end({})
    assert not caplog.records


def test_training_without_an_epoch_is_not_warned_of(caplog):
    watched(StopWithoutImprovement("val_mae")).on_train_end()
    assert not caplog.records
