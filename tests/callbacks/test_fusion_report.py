import logging

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import metrics
from medgan.callbacks import BestCheckpoint, FusionReport
from medgan.data import phantom_labels, phantoms
from medgan.losses import StructuralFusionLoss

SCORES = ("sf", "ssim", "ssim_head", "scd", "qabf", "vif")


def batches():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(3, 48, 48, 2)).astype("float32")
    images[0] *= 0.3  # so that the images differ in every score
    return [images[:2], images[2:]]


def first_source():
    """A model that returns the first source."""
    model = keras.Sequential(
        [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 1, use_bias=False)]
    )
    model.set_weights([np.array([1.0, 0.0]).reshape(1, 1, 2, 1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=StructuralFusionLoss())
    return model


def spatial_frequency(image):
    grey = np.round(255 * image.astype("float64"))
    return np.sqrt(np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2))


@pytest.mark.parametrize(
    ("name", "rule"), [("average", np.mean), ("maximum", np.max)], ids=["average", "maximum"]
)
def test_rivals_are_scored_as_the_metrics_score_them(name, rule):
    report = FusionReport(batches(), keys=SCORES)
    report.on_train_begin()
    assert set(report.scores) == {"average", "maximum"}
    assert set(report.scores[name]) == set(SCORES)
    for score in SCORES:
        metric = metrics.FusionScore(score)
        for sources in batches():
            metric.update_state(sources, rule(sources, axis=-1, keepdims=True))
        assert_allclose(report.scores[name][score], metric.result(), rtol=1e-4, err_msg=score)


def test_patients_count_the_same():
    report = FusionReport(batches(), patients=["a", "b", "b"], keys=SCORES)
    report.on_train_begin()
    images = [spatial_frequency(i.max(axis=-1)) for batch in batches() for i in batch]
    expected = (images[0] + (images[1] + images[2]) / 2) / 2
    assert abs(expected - np.mean(images)) > 1
    assert_allclose(report.scores["maximum"]["sf"], expected, rtol=1e-4)


def test_rivals_of_the_user_join_and_are_scored_once():
    calls = []

    def teacher(sources):
        calls.append(len(sources))
        return sources[..., 1:]

    report = FusionReport(batches(), keys=SCORES, rivals={"teacher": teacher})
    report.on_train_begin()
    report.on_train_begin()
    assert calls == [2, 1]
    expected = np.mean([spatial_frequency(i[..., 1]) for batch in batches() for i in batch])
    assert_allclose(report.scores["teacher"]["sf"], expected, rtol=1e-4)


def test_scores_of_the_model_reach_the_logs_of_the_epoch():
    report = FusionReport(batches(), keys=SCORES)
    report.set_model(first_source())
    logs = {"loss": 1.0}
    report.on_epoch_end(0, logs)
    expected = np.mean([spatial_frequency(i[..., 0]) for batch in batches() for i in batch])
    assert set(logs) == {"loss", *(f"val_{score}" for score in SCORES)}
    assert_allclose(logs["val_sf"], expected, rtol=1e-4)
    assert logs["val_sf"] == report.scores["model"]["sf"]


def test_history_of_fit_holds_the_scores():
    report = FusionReport(batches(), keys=SCORES)
    sources = batches()[0]
    history = first_source().fit(sources, sources, epochs=1, verbose=0, callbacks=[report])
    assert {f"val_{score}" for score in SCORES} < set(history.history)
    # fused = first source: SSIM with it is 1, with the unrelated second one about 0
    assert 0.45 < history.history["val_ssim"][0] < 0.6


def test_only_due_epochs_are_scored_and_the_end_always():
    report = FusionReport(batches(), keys=SCORES, every=2)
    report.set_model(first_source())
    seen = []
    for epoch in range(3):
        logs = {}
        report.on_epoch_end(epoch, logs)
        seen.append(bool(logs))
    assert seen == [False, True, False]
    report.scores.pop("model")
    report.on_train_end({})
    assert set(report.scores["model"]) == set(SCORES)


def test_end_scores_nothing_twice():
    report = FusionReport(batches(), keys=SCORES, every=2)
    report.set_model(first_source())
    for epoch in range(2):
        report.on_epoch_end(epoch, {})
    report.scores.pop("model")
    report.on_train_end({})
    assert "model" not in report.scores


def test_every_score_that_the_images_have_room_for_is_there():
    report = FusionReport([batches()[1]])
    report.on_train_begin()
    assert set(report.scores["maximum"]) == set(metrics.applicable(metrics.FUSION_SCORES, 48))


@pytest.mark.parametrize("every", [0, -1])
def test_epochs_are_counted_from_one(every):
    with pytest.raises(ValueError, match=f"every={every}, expected a number of epochs from 1 up"):
        FusionReport(batches(), keys=SCORES, every=every)


@pytest.mark.parametrize(("broken", "value"), [([1], np.nan), ([0, 1, 2], np.nan), ([2], np.inf)])
def test_outputs_that_are_not_finite_leave_no_scores_but_a_warning(broken, value, caplog):
    images = np.concatenate(batches())
    report = FusionReport([images[:2], images[2:]], keys=["ssim", "mi", "en"])
    model = first_source()
    report.set_model(model)
    report.on_epoch_end(0, {})
    assert set(report.scores) == {"model"}
    images[broken, 20, 20, 0] = value  # the model passes it on
    logs = {"loss": 1.0}
    report.on_epoch_end(1, logs)
    assert logs == {"loss": 1.0}
    assert "model" not in report.scores
    (record,) = [each for each in caplog.records if each.name.startswith("medgan")]
    assert record.levelno == logging.WARNING
    expected = f"{len(broken)} of 3 outputs of the model are not finite: no scores in epoch 1."
    assert record.getMessage().startswith(expected)


def test_best_checkpoint_keeps_the_one_before_outputs_broke(tmp_path):
    images = np.concatenate(batches())
    report = FusionReport([images], keys=["ssim"])
    best = BestCheckpoint("best.keras", "val_ssim", directory=tmp_path)
    model = first_source()
    for callback in (report, best):
        callback.set_model(model)
    for epoch in range(2):
        logs = {}
        report.on_epoch_end(epoch, logs)
        best.on_epoch_end(epoch, logs)
        if epoch == 0:
            kept = best.best
            images[0] = np.nan  # the worst of them, so that the mean of the others would be better
    assert best.best == kept


def test_broken_rivals_are_named_and_left_out(caplog):
    report = FusionReport(batches(), keys=["sf"], rivals={"mine": lambda x: x[..., :1] / 0 * 0})
    with np.errstate(all="ignore"):
        report.on_train_begin()
    assert set(report.scores) == {"average", "maximum"}
    assert "3 of 3 outputs of the rival 'mine' are not finite" in caplog.text


def phantom_batches():
    arguments = {"count": 6, "patients": 3, "image_size": 96, "seed": 4}
    images = np.stack(phantoms(**arguments).images).astype("float32") / 255
    return [images[:4], images[4:]], phantom_labels(**arguments)


def test_contrasts_of_phantoms_are_means_over_images_that_have_the_structure():
    sources, labels = phantom_batches()
    report = FusionReport(sources, keys=["sf"], labels=labels)
    model = first_source()
    report.set_model(model)
    logs = {}
    report.on_train_begin()
    report.on_epoch_end(0, logs)
    images = np.concatenate(sources)
    expected = metrics.score_phantoms(images, images[..., :1], np.stack(labels))
    absent = {key: np.isnan(values).sum() for key, values in expected.items()}
    assert 0 < absent["cnr_bleed"] < 6
    there = {key for key, count in absent.items() if count < 6}
    assert set(logs) == {"val_sf", *(f"val_{key}" for key in there)}
    for key in there:
        assert_allclose(logs[f"val_{key}"], np.nanmean(expected[key]), rtol=1e-5)
    assert set(report.scores["average"]) == {"sf", *there}


@pytest.mark.parametrize("keep", [3, 5])
def test_one_label_map_per_image_is_asked_for(keep):
    sources, labels = phantom_batches()
    report = FusionReport(sources, keys=["sf"], labels=labels[:keep])
    with pytest.raises(ValueError, match="expected one map of the same size per image"):
        report.on_train_begin()
    report = FusionReport(sources[:1], keys=["sf"], labels=labels)
    with pytest.raises(ValueError, match="6 label maps for 4 images, expected one per image"):
        report.on_train_begin()
