import logging

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.callbacks import SynthesisReport

KEYS = ["fid", "kid", "precision", "recall", "density", "coverage"]


def brightness():
    image = keras.Input((4, 4, 1))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))


def shades(count, start=0.0):
    """Flat images of evenly spaced brightness."""
    values = start + np.linspace(0, 0.5, count, dtype="float32")
    return values[:, None, None, None] * np.ones((1, 4, 4, 1), "float32")


def batches():
    return [shades(8)[:3], shades(8)[3:]]


def model():
    """A model that adds its bias, 0.25, to brightness."""
    layer = keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")
    network = keras.Sequential([keras.Input((4, 4, 1)), layer])
    layer.bias.assign([0.25])
    network.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    return network


def test_scores_of_what_the_model_makes_reach_the_logs():
    report = SynthesisReport(batches(), lambda m, count: m(shades(count)), brightness())
    report.set_model(model())
    logs = {"loss": 1.0}
    report.on_train_begin()
    report.on_epoch_end(0, logs)
    assert set(logs) == {"loss", *(f"val_{key}" for key in KEYS)}
    assert_allclose(logs["val_fid"], 0.25**2, rtol=1e-4)  # the same spread, shifted
    # half of the shifted shades lie among the real ones, with their neighbourhoods of 3 / 14
    assert_allclose(logs["val_precision"], 7 / 8)
    assert report.scores == {"model": {key: logs[f"val_{key}"] for key in KEYS}}


def test_history_of_fit_holds_the_scores_and_real_images_are_read_once():
    class Batches:
        read = 0

        def __iter__(self):
            self.read += 1
            return iter(batches())

    counts = []

    def generate(network, count):
        counts.append(count)
        return shades(count)

    real = Batches()
    report = SynthesisReport(real, generate, brightness(), count=20, every=2)
    images = shades(8)
    history = model().fit(images, images, epochs=3, verbose=0, callbacks=[report])
    assert {f"val_{key}" for key in KEYS} < set(history.history)
    assert counts == [20, 20]  # after the second epoch, and at the end
    assert real.read == 1


def test_images_that_are_not_finite_leave_a_warning_and_no_scores(caplog):
    def generate(network, count):
        images = shades(count)
        images[2:4, 0] = np.nan
        return images

    report = SynthesisReport(batches(), generate, brightness())
    logs = {}
    with caplog.at_level(logging.WARNING):
        report.on_epoch_end(4, logs)
    assert (logs, report.scores) == ({}, {})
    assert "2 of 8 generated images are not finite" in caplog.text


def test_wrong_numbers_of_images_are_refused():
    with pytest.raises(ValueError, match="count=5, expected at least 6 images"):
        SynthesisReport(batches(), lambda network, count: shades(count), count=5)
    with pytest.raises(ValueError, match="Received 3 real images, expected at least 6"):
        SynthesisReport(batches()[:1], shades, brightness()).on_train_begin()
    report = SynthesisReport(batches(), lambda network, count: shades(count - 1), brightness())
    with pytest.raises(ValueError, match=r"shape \(7, 4, 4, 1\) from generate\(model, 8\)"):
        report.on_epoch_end(0, {})


def test_rivals_are_scored_once_and_the_model_beside_them():
    asked = []

    def training(count):
        asked.append(count)
        return shades(count)

    report = SynthesisReport(
        batches(), lambda m, count: m(shades(count)), brightness(), rivals={"training": training}
    )
    report.set_model(model())
    report.on_train_begin()
    report.on_epoch_end(0, {})
    report.on_epoch_end(1, {})
    assert asked == [8]
    # The same images as the real ones; the model's are brighter by a quarter: 0.25^2.
    assert report.scores["training"]["fid"] == pytest.approx(0, abs=1e-6)
    assert_allclose(report.scores["model"]["fid"], 0.0625, rtol=1e-3)
    resumed = SynthesisReport(batches(), None, brightness())
    resumed.set_state(report.get_state())
    assert set(resumed.scores) == {"model"}
