import keras
import numpy as np
from numpy.testing import assert_allclose

from medgan.callbacks import AveragedWeights


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
