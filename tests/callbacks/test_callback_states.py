import keras
import numpy as np

from medgan.callbacks import (
    BestCheckpoint,
    FusionReport,
    LossCurves,
    StopWithoutImprovement,
    SynthesisReport,
)
from medgan.callbacks.callback_states import put_back, states_of


def test_own_states_are_asked_for_and_given_back():
    stop = StopWithoutImprovement("val_ssim", patience=3)
    stop.best, stop.best_step, stop.waited = 0.5, 40, 2
    (state,) = states_of([stop])
    assert state["class"] == "StopWithoutImprovement" and state["state"]["waited"] == 2
    other = StopWithoutImprovement("val_ssim", patience=5)
    put_back([other], [state])
    assert (other.best, other.best_step, other.waited, other.patience) == (0.5, 40, 2, 5)


def test_plain_attributes_of_others_are_kept_but_not_their_settings():
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=2, min_delta=0.1, cooldown=4)
    plateau.best, plateau.wait, plateau.cooldown_counter = np.float32(0.5), 1, 3
    (state,) = states_of([plateau])
    assert state["state"]["best"] == 0.5 and type(state["state"]["best"]) is float
    assert not {"patience", "min_delta", "monitor", "cooldown"} & set(state["state"])
    other = keras.callbacks.ReduceLROnPlateau("loss", patience=9)
    put_back([other], [state])
    assert (other.best, other.wait, other.cooldown_counter, other.patience) == (0.5, 1, 3, 9)


def test_callbacks_of_one_class_take_theirs_in_order():
    stops = [keras.callbacks.EarlyStopping(name) for name in ("loss", "mae")]
    stops[0].wait, stops[1].wait = 1, 2
    others = [keras.callbacks.EarlyStopping(name) for name in ("loss", "mae")]
    put_back([keras.callbacks.History(), *others], states_of([*stops, keras.callbacks.History()]))
    assert [other.wait for other in others] == [1, 2]


def test_what_finds_no_partner_is_said(caplog):
    put_back([keras.callbacks.TerminateOnNaN()], states_of([keras.callbacks.EarlyStopping("loss")]))
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "The checkpoint knows no TerminateOnNaN: this one begins anew.",
        "The checkpoint knows callbacks that are not there now: EarlyStopping.",
    ]


def test_reports_keep_the_last_scores_of_the_model_and_not_those_of_rivals():
    report = FusionReport([])
    report.scores = {"average": {"ssim": 0.25}, "model": {"ssim": 0.5}}
    other = FusionReport([])
    other.scores = {"average": {"ssim": 0.75}}
    put_back([other], states_of([report]))
    assert other.scores == {"average": {"ssim": 0.75}, "model": {"ssim": 0.5}}
    synthesis = SynthesisReport([], lambda model, count: None)
    synthesis.scores = {"model": {"fid": 3.0}}
    other = SynthesisReport([], lambda model, count: None)
    put_back([other], states_of([synthesis]))
    assert other.scores == {"model": {"fid": 3.0}}


def test_curves_and_the_best_go_on(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    curves = LossCurves(tmp_path / "losses.png", every=9)
    best = BestCheckpoint(tmp_path / "best.keras")
    for callback in (curves, best):
        callback.set_model(model)
        callback.on_epoch_end(0, {"loss": np.float32(0.5), "val_ssim_head": 0.75})
    others = [LossCurves(tmp_path / "losses.png", every=9), BestCheckpoint(tmp_path / "best.keras")]
    put_back(others, states_of([curves, best]))
    assert others[0].records == [{"step": 0, "loss": 0.5, "val_ssim_head": 0.75}]
    assert (others[1].best, others[1].best_step) == (0.75, 0)


def test_a_report_that_was_due_at_the_end_still_comes(tmp_path):
    curves = LossCurves(tmp_path / "losses.png", every=9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    curves.set_model(model)
    curves.on_epoch_end(0, {"loss": 0.5})
    other = LossCurves(tmp_path / "losses.png", every=9)
    put_back([other], states_of([curves]))
    other.on_train_end()
    assert (tmp_path / "losses.png").exists()
