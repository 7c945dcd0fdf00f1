import signal

import keras
import numpy as np
import pytest

from medgan.callbacks import InterruptBetweenSteps


class Press(keras.callbacks.Callback):
    """Presses Ctrl-C inside the second step and counts the steps that end."""

    def __init__(self):
        super().__init__()
        self.ended = 0

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            signal.raise_signal(signal.SIGINT)

    def on_train_batch_end(self, batch, logs=None):
        self.ended += 1


def fitted(*callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.zeros((6, 1), "float32")
    model.fit(x, x, batch_size=1, verbose=0, callbacks=list(callbacks))


def test_step_is_finished_before_the_interrupt():
    press, interrupt = Press(), InterruptBetweenSteps()
    before = signal.getsignal(signal.SIGINT)
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        fitted(press, interrupt)
    assert press.ended == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_second_press_does_not_wait():
    interrupt = InterruptBetweenSteps()
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
