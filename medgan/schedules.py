"""Learning rates that Keras does not have."""

import keras
from keras import ops

__all__ = ["ConstantThenLinear"]


@keras.saving.register_keras_serializable(package="medgan")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that stays, then falls linearly to 0.

    CycleGAN and pix2pix train half of their epochs with a constant rate and let it fall over the
    other half (100 + 100 epochs): `constant_share=0.5`. The rate reaches 0 after the last step, so
    that each of the `decay_steps` steps learns something, and stays 0.

    Args:
        initial_learning_rate: the rate until it falls.
        decay_steps: number of steps of the whole training, constant ones included.
        constant_share: share of them with the constant rate, from 0 (falls at once) to 1 (never).

    Raises:
        ValueError: if there is no step, or the share is no share.

    Example:
        >>> from medgan.schedules import ConstantThenLinear
        >>> schedule = ConstantThenLinear(0.5, decay_steps=200)
        >>> [float(schedule(step)) for step in (0, 100, 150, 200, 300)]
        [0.5, 0.5, 0.25, 0.0, 0.0]

    Reference:
        Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
        2017. The authors' code changes the rate once an epoch; this one does with every step.
    """

    def __init__(self, initial_learning_rate, decay_steps, constant_share=0.5):
        super().__init__()
        if decay_steps < 1:
            raise ValueError(f"Received decay_steps={decay_steps}, expected 1 or more.")
        if not 0 <= constant_share <= 1:
            raise ValueError(
                f"Received constant_share={constant_share}, expected a share from 0 to 1."
            )
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.constant_share = constant_share

    def __call__(self, step):
        """The rate of a step, counted from 0."""
        left = (self.decay_steps - ops.cast(step, "float32")) / self.decay_steps
        # Of what falls, the part that is left; a share of 1 leaves a cliff after the last step.
        falling = max(1 - self.constant_share, 1e-7)
        return self.initial_learning_rate * ops.clip(left / falling, 0.0, 1.0)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "constant_share": self.constant_share,
        }
