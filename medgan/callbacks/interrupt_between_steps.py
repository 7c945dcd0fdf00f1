"""Ctrl-C that waits for the end of a step."""

import contextlib
import signal

import keras


class InterruptBetweenSteps(keras.callbacks.Callback):
    """Raises KeyboardInterrupt at the end of the step in which Ctrl-C was pressed.

    Python raises it anywhere, also in the middle of a save or where libraries swallow exceptions;
    between two steps the model is whole and the interrupt cannot be lost. A second Ctrl-C does not
    wait. Use `with callback.listening():` around `fit`; outside the main thread it does nothing.
    """

    def __init__(self):
        super().__init__()
        self.pressed = False

    @contextlib.contextmanager
    def listening(self):
        """Takes Ctrl-C over for as long as the context lasts."""

        def remember(number, frame):
            if self.pressed:
                raise KeyboardInterrupt
            self.pressed = True

        try:
            previous = signal.signal(signal.SIGINT, remember)
        except ValueError:  # only the main thread may do this
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def on_train_batch_end(self, batch, logs=None):
        """Raises KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt
