"""Averaged weights during validation that survive an early end of training."""

import keras


class AveragedWeights(keras.callbacks.SwapEMAWeights):
    """Swaps the optimizer's averaged weights in at the end of every epoch, out at the next.

    Keras's `SwapEMAWeights` keeps the averages in the model after the last epoch only: where
    training is stopped before, it leaves the weights of the last step. Put this one before what
    validates and saves, and `averages.keeper()` behind whatever may stop the training.

    Example:
        >>> from medgan.callbacks import AveragedWeights, StopWithoutImprovement
        >>> averages = AveragedWeights()
        >>> callbacks = [averages, StopWithoutImprovement("val_vif"), averages.keeper()]
    """

    def __init__(self):
        super().__init__(swap_on_epoch=True)

    def keeper(self):
        """Returns the callback that keeps the averages in a model whose training was stopped."""
        return keras.callbacks.LambdaCallback(on_epoch_end=self._keep)

    def _keep(self, epoch, logs):
        if self.model.stop_training and self._ema_weights_in_model:
            self._finalize_ema_values()
