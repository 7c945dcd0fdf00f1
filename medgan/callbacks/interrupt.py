"""Ctrl-C that waits for a checkpoint."""

import contextlib
import logging
import signal

import keras

_logger = logging.getLogger(__name__)


class Interrupt(keras.callbacks.Callback):
    """Lets Ctrl-C and SIGTERM wait for the end of the epoch, saves, then raises KeyboardInterrupt.

    Python raises it anywhere, also in the middle of a save or where libraries swallow exceptions;
    at the end of an epoch the model is whole, and the checkpoint leaves nothing out. A second press
    does not wait. Put it last of all callbacks and use `with interrupt.listening():` around `fit`;
    outside the main thread it does nothing.

    Args:
        checkpoint: the `Checkpoint` that saves, unless it has just done so; None saves nothing.

    Attributes:
        pressed: whether somebody wants to leave.

    Example:
        >>> from medgan.callbacks import Checkpoint, Interrupt
        >>> checkpoint = Checkpoint("checkpoints")
        >>> interrupt = Interrupt(checkpoint)
        >>> with interrupt.listening():
        ...     pass  # trainer.fit(batches, callbacks=[*others, checkpoint, interrupt])
    """

    def __init__(self, checkpoint=None):
        super().__init__()
        self.checkpoint = checkpoint
        self.pressed = False

    @contextlib.contextmanager
    def listening(self):
        """Takes Ctrl-C and SIGTERM over for as long as the context lasts."""

        def remember(number, frame):
            if self.pressed:
                raise KeyboardInterrupt
            self.pressed = True
            _logger.warning(
                "Finishing this epoch to save a checkpoint; press again to leave at once."
            )

        with contextlib.ExitStack() as stack:
            # Only the main thread may do this.
            with contextlib.suppress(ValueError):
                for number in (signal.SIGINT, signal.SIGTERM):
                    # None stands for a handler that is not Python's.
                    previous = signal.signal(number, remember) or signal.SIG_DFL
                    stack.callback(signal.signal, number, previous)
            yield

    def on_epoch_end(self, epoch, logs=None):
        """Saves and raises KeyboardInterrupt if somebody wants to leave."""
        if self.pressed:
            if self.checkpoint is not None and self.checkpoint.saved_epoch != epoch + 1:
                self.checkpoint.save()
            raise KeyboardInterrupt
