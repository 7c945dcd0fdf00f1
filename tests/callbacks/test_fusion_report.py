import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import metrics
from medgan.callbacks import FusionReport
from medgan.losses import StructuralFusionLoss

SCORES = ("sf", "ssim", "ssim_head", "scd", "qabf", "vif")


def batches():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(3, 48, 48, 2)).astype("float32")
    images[0] *= 0.3  # so that the images differ in every score
    return [images[:2], images[2:]]


def first_source():
    """A model that returns the first source."""
    model = keras.Sequential([keras.Input((48, 48, 2)), keras.layers.Conv2D(1, 1, use_bias=False)])
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
