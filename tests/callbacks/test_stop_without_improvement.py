import logging

import keras
import numpy as np
import pytest

from medgan.callbacks import StopWithoutImprovement


def stopped_after(values, **arguments):
    """Trains with given validations (None: an epoch without); returns the number of epochs."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)

    def validate(epoch, logs):
        if values[epoch] is not None:
            logs["val_ssim"] = values[epoch]

    report = keras.callbacks.LambdaCallback(on_epoch_end=validate)
    callback = StopWithoutImprovement("val_ssim", **arguments)
    x = np.ones((1, 1), "float32")
    history = model.fit(x, x, epochs=len(values), verbose=0, callbacks=[report, callback])
    return len(history.epoch)


@pytest.mark.parametrize(
    ("values", "arguments", "epochs"),
    [
        ([0.5, 0.4, 0.4, 0.9], {"patience": 2}, 3),
        ([0.5, 0.4, 0.6, 0.5, 0.5, 0.9], {"patience": 2}, 5),  # an improvement begins anew
        ([0.5, None, None, 0.4, None, 0.4, 0.9], {"patience": 2}, 6),  # validations are counted
        ([0.5, 0.5, 0.9], {"patience": 1}, 2),  # a tie is no improvement
        ([0.5, float("nan"), float("nan"), 0.9], {"patience": 2}, 3),
        ([float("nan"), 0.5, 0.4], {"patience": 2}, 3),
        ([0.5, 0.505, 0.51, 0.9], {"patience": 2, "minimum_change": 0.02}, 3),
        ([0.5, 0.6, 0.7, 0.8], {"patience": 1, "mode": "min"}, 2),
        ([0.5, 0.4, 0.3, 0.2], {"patience": 1, "mode": "min"}, 4),
    ],
)
def test_training_stops_after_validations_without_improvement(values, arguments, epochs):
    assert stopped_after(values, **arguments) == epochs


def test_stop_is_said_once(caplog):
    caplog.set_level(logging.INFO, logger="medgan")
    stopped_after([0.25, 0.5, 0.4, 0.4, 0.9], patience=2)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == (
        "Training stops at step 4 (epoch 3): 'val_ssim' did not improve in 2 validations; "
        "the best was 0.5 at step 2."
    )


def test_another_training_begins_anew():
    callback = StopWithoutImprovement("val_ssim", patience=2)
    callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    callback.model.compile("sgd", "mse")
    for value in (0.9, 0.5):
        callback.on_train_begin()
        callback.model.stop_training = False
        callback.on_epoch_end(0, {"val_ssim": value})
        callback.on_epoch_end(1, {"val_ssim": 0.1})
        assert not callback.model.stop_training


@pytest.mark.parametrize("arguments", [{"patience": 0}, {"minimum_change": -0.1}])
def test_impossible_settings_are_refused(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        StopWithoutImprovement("val_ssim", **arguments)
