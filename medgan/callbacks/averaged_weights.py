"""Averaged weights while a model is validated, its own again before it is saved."""

import keras
import numpy as np
from keras import ops

from medgan.training_state import step_of


def averages_of(model):
    """The trainable variables of a model's optimizer with their averages, as pairs.

    Args:
        model: `keras.Model`, compiled with an optimizer that has `use_ema=True` and is built.

    Raises:
        ValueError: if there are no averages.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of a loss scale
    if not getattr(optimizer, "use_ema", False) or not optimizer.built:
        raise ValueError(
            f"Received a {type(optimizer).__name__} without averages, expected one with "
            "use_ema=True that has begun to train."
        )
    averages = optimizer._model_variables_moving_average
    pairs = zip(optimizer._trainable_variables, averages, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def assign_averages(model):
    """Puts the optimizer's averages into a model, as the end of its training does.

    Before the first step there is nothing to average, and the weights stay.

    Raises:
        ValueError: if there are no averages.
    """
    if step_of(model) == 0:
        return
    for variable, average in averages_of(model):
        # A copy: under JAX two variables must not share what the next step gives away.
        variable.assign(np.array(ops.convert_to_numpy(average)))


class AveragedWeights(keras.callbacks.Callback):
    """Puts the optimizer's averaged weights in at the end of every epoch, and takes them out again.

    Put this one before what validates and keeps networks, and `averages.keeper()` behind them and
    before `Checkpoint`: the keeper puts the weights of the last step back, bit for bit. Without it
    they come back when the next epoch begins. When training ends, whoever ended it, the averages
    stay in the model; callbacks behind this one see them there.

    Keras's `SwapEMAWeights` swaps by adding and subtracting, which rounds, and leaves the weights
    of the last step where training is stopped before its last epoch.

    Raises:
        ValueError: (when an epoch ends) if the optimizer has no averages.

    Example:
        >>> from medgan.callbacks import AveragedWeights, Checkpoint, StopWithoutImprovement
        >>> averages = AveragedWeights()
        >>> stop = StopWithoutImprovement("val_vif")
        >>> checkpoint = Checkpoint("checkpoints", callbacks=[stop])
        >>> callbacks = [averages, stop, averages.keeper(), checkpoint]
    """

    def __init__(self):
        super().__init__()
        self._own = None

    def keeper(self):
        """Returns the callback that puts the weights of the last step back."""
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self._take_out())

    def _put_in(self):
        if self._own is None:
            pairs = averages_of(self.model)
            self._own = [np.array(ops.convert_to_numpy(variable)) for variable, _ in pairs]
            assign_averages(self.model)

    def _take_out(self):
        if self._own is not None:
            for (variable, _), value in zip(averages_of(self.model), self._own, strict=True):
                variable.assign(value)
            self._own = None

    def on_epoch_begin(self, epoch, logs=None):
        """Takes the averages out where no keeper did."""
        self._take_out()

    def on_epoch_end(self, epoch, logs=None):
        """Puts the averages in."""
        self._put_in()

    def on_test_begin(self, logs=None):
        """Puts the averages in for a validation by Keras."""
        self._put_in()

    def on_test_end(self, logs=None):
        """Takes them out again."""
        self._take_out()

    def on_train_begin(self, logs=None):
        """Forgets weights of a training that was left by an error."""
        self._own = None

    def on_train_end(self, logs=None):
        """Puts the averages in for good."""
        assign_averages(self.model)
        self._own = None
