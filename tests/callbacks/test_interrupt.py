import logging
import signal
import types

import keras
import numpy as np
import pytest

from medgan.callbacks import Interrupt


class Press(keras.callbacks.Callback):
    """Sends a signal inside the second step and counts the steps that end."""

    def __init__(self, number=signal.SIGINT):
        super().__init__()
        self.number = number
        self.ended = 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.ended == 1:
            signal.raise_signal(self.number)

    def on_train_batch_end(self, batch, logs=None):
        self.ended += 1


def checkpoint(saved_epoch=None):
    """Counts its saves."""
    fake = types.SimpleNamespace(saved_epoch=saved_epoch, saves=0)
    fake.save = lambda: vars(fake).update(saves=fake.saves + 1)
    return fake


def fitted(*callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.zeros((3, 1), "float32")
    model.fit(x, x, batch_size=1, epochs=2, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_epoch_is_finished_and_saved_before_the_interrupt(number, caplog):
    saver = checkpoint()
    press, interrupt = Press(number), Interrupt(saver)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        fitted(press, interrupt)
    assert press.ended == 3 and interrupt.pressed and saver.saves == 1
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("Finishing this epoch to save a checkpoint; press again")


def test_epoch_that_has_just_been_saved_is_not_saved_again():
    saver = checkpoint(saved_epoch=1)
    interrupt = Interrupt(saver)
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        fitted(Press(), interrupt)
    assert saver.saves == 0


def test_without_a_checkpoint_nothing_is_saved():
    interrupt = Interrupt()
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        fitted(Press(), interrupt)


def test_second_press_does_not_wait():
    interrupt = Interrupt()
    with interrupt.listening(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def test_nobody_pressed():
    saver = checkpoint()
    interrupt = Interrupt(saver)
    with interrupt.listening():
        fitted(interrupt)
    assert not interrupt.pressed and saver.saves == 0
