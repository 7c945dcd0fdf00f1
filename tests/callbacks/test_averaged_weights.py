import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.callbacks import AveragedWeights
from medgan.callbacks.averaged_weights import assign_averages


class StopAfter(keras.callbacks.Callback):
    """Ends training after an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_end(self, epoch, logs=None):
        """Stops."""
        self.model.stop_training = epoch >= self.last


def trained(epochs, stop_after=None):
    """A weight that gradient descent moves from 0 towards 1, and its averages by hand."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1))])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, loss="mse", run_eagerly=True)
    averages = AveragedWeights()
    stop = [] if stop_after is None else [StopAfter(stop_after)]
    x = np.ones((1, 1), "float32")
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=[averages, *stop, averages.keeper()])
    return float(model.get_weights()[0][0, 0])


def by_hand(steps):
    weight = average = 0.0
    for step in range(steps):
        weight -= 0.1 * 2 * (weight - 1)
        # Keras starts the average at the weights of the first step.
        average = 0.5 * average + 0.5 * weight if step else weight
    return average


def test_the_averages_stay_after_the_last_epoch():
    assert_allclose(trained(4), by_hand(4), rtol=1e-5)


def test_the_averages_stay_where_training_is_stopped_early():
    assert_allclose(trained(6, stop_after=2), by_hand(3), rtol=1e-5)


def linear(scaled=False):
    """A model with averages, before its first step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1))])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss="mse", run_eagerly=True)
    return model


def weight(model):
    return float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("stop", [False, True])
def test_the_keeper_puts_the_very_weights_back_at_every_epoch_also_the_last(scaled, stop):
    model, averages = linear(scaled), AveragedWeights()
    seen = {"before": [], "validated": [], "saved": [], "end": []}

    def look(name):
        return keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen[name].append(weight(model))
        )

    end = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: seen["end"].append(weight(model))
    )
    x = np.ones((1, 1), "float32")
    callbacks = [look("before"), averages, look("validated"), averages.keeper(), look("saved"), end]
    if stop:
        callbacks.append(StopAfter(2))
    model.fit(x, x, epochs=5 if stop else 3, verbose=0, callbacks=callbacks)
    assert seen["saved"] == seen["before"] and len(set(seen["saved"])) == 3
    assert_allclose(seen["validated"], [by_hand(steps) for steps in (1, 2, 3)], rtol=1e-5)
    assert seen["end"] == [seen["validated"][-1]] == [weight(model)]


def test_training_goes_on_from_its_own_weights_without_a_keeper():
    model, x = linear(), np.ones((1, 1), "float32")
    model.fit(x, x, epochs=3, verbose=0, callbacks=[AveragedWeights()])
    assert_allclose(weight(model), by_hand(3), rtol=1e-5)


def test_validation_by_keras_sees_the_averages():
    model, x = linear(), np.ones((1, 1), "float32")
    logs = model.fit(
        x, x, epochs=3, verbose=0, validation_data=(x, x), callbacks=[AveragedWeights()]
    ).history
    assert_allclose(logs["val_loss"], [(by_hand(n) - 1) ** 2 for n in (1, 2, 3)], rtol=1e-5)


def test_before_the_first_step_the_weights_stay():
    model, x = linear(), np.ones((1, 1), "float32")
    model.set_weights([np.full((1, 1), 0.5)])
    model.optimizer.build(model.trainable_variables)
    assign_averages(model)
    model.evaluate(x, x, verbose=0, callbacks=[AveragedWeights()])
    assert weight(model) == 0.5


def test_an_optimizer_without_averages_is_refused():
    model, x = linear(), np.ones((1, 1), "float32")
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="Received a SGD without averages"):
        model.fit(x, x, verbose=0, callbacks=[AveragedWeights()])
