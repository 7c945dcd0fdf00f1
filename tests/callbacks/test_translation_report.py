import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.callbacks import TranslationReport
from medgan.metrics import TRANSLATION_SCORES

KEYS = ["mae", "rmse", "psnr"]


def batches():
    rng = np.random.default_rng(0)
    sources = rng.uniform(size=(3, 24, 24, 1)).astype("float32")
    targets = rng.uniform(size=(3, 24, 24, 1)).astype("float32")
    targets[0] *= 0.3  # so that the images differ in every score
    return [(sources[:2], targets[:2]), (sources[2:], targets[2:])]


def half():
    """A model that halves its input."""
    model = keras.Sequential([keras.Input((24, 24, 1)), keras.layers.Conv2D(1, 1, use_bias=False)])
    model.set_weights([np.array([0.5]).reshape(1, 1, 1, 1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mae", run_eagerly=True)
    return model


def by_hand(output):
    """MAE, RMSE and PSNR of every image."""
    scores = {key: [] for key in KEYS}
    for sources, targets in batches():
        for source, target in zip(sources, targets, strict=True):
            difference = 255 * (output(source.astype("float64")) - target)
            square = np.mean(difference**2)
            scores["mae"].append(np.mean(np.abs(difference)))
            scores["rmse"].append(np.sqrt(square))
            scores["psnr"].append(10 * np.log10(255**2 / square))
    return scores


def test_identity_is_the_source_unchanged():
    report = TranslationReport(batches(), keys=KEYS)
    report.on_train_begin()
    assert set(report.scores) == {"identity"}
    expected = by_hand(lambda source: source)
    for key in KEYS:
        assert_allclose(report.scores["identity"][key], np.mean(expected[key]), rtol=1e-4)


def test_patients_count_the_same():
    report = TranslationReport(batches(), patients=["a", "b", "b"], keys=["mae"])
    report.on_train_begin()
    first, second, third = by_hand(lambda source: source)["mae"]
    expected = (first + (second + third) / 2) / 2
    assert abs(expected - (first + second + third) / 3) > 1
    assert_allclose(report.scores["identity"]["mae"], expected, rtol=1e-4)


def test_rivals_of_the_user_join_and_are_scored_once():
    calls = []

    def teacher(source):
        calls.append(len(source))
        return 1 - source

    report = TranslationReport(batches(), rivals={"teacher": teacher}, keys=["mae"])
    report.on_train_begin()
    report.on_train_begin()
    assert calls == [2, 1]
    expected = np.mean(by_hand(lambda source: 1 - source)["mae"])
    assert_allclose(report.scores["teacher"]["mae"], expected, rtol=1e-4)


def test_scores_of_the_model_reach_the_history_of_fit():
    report = TranslationReport(batches(), keys=KEYS)
    history = half().fit(*batches()[0], verbose=0, callbacks=[report]).history
    assert set(history) == {"loss", *(f"val_{key}" for key in KEYS)}
    expected = by_hand(lambda source: source / 2)
    for key in KEYS:
        assert_allclose(history[f"val_{key}"], [np.mean(expected[key])], rtol=1e-4)


def test_scores_that_no_image_has_room_for_are_left_out():
    report = TranslationReport(batches())
    report.on_train_begin()
    assert set(report.scores["identity"]) == set(TRANSLATION_SCORES) - {"ms_ssim", "ms_ssim_head"}
    assert np.isfinite(list(report.scores["identity"].values())).all()


def test_only_due_epochs_are_scored_and_the_end_always():
    report = TranslationReport(batches(), every=2, keys=["mae"])
    report.set_model(half())
    seen = []
    for epoch in range(3):
        logs = {}
        report.on_epoch_end(epoch, logs)
        seen.append(set(logs))
    assert seen == [set(), {"val_mae"}, set()]
    logs = {}
    report.on_train_end(logs)
    assert set(logs) == {"val_mae"}


def test_unknown_score_is_refused():
    with pytest.raises(ValueError, match="mea"):
        TranslationReport(batches(), keys=["mea"]).on_train_begin()


def test_outputs_that_are_not_finite_leave_no_scores_but_a_warning(caplog):
    report = TranslationReport(batches(), keys=KEYS)
    model = half()
    model.set_weights([np.full((1, 1, 1, 1), np.nan)])
    report.set_model(model)
    logs = {}
    report.on_epoch_end(0, logs)
    assert logs == report.scores == {}
    assert "3 of 3 outputs of the model are not finite: no scores in epoch 0." in caplog.text
