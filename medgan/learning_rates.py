"""Learning rates of a training that went back to an earlier checkpoint."""

import keras


@keras.saving.register_keras_serializable(package="medgan")
class LoweredSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, multiplied by a constant.

    Args:
        schedule: the other schedule.
        factor: what its rates are multiplied by.

    Example:
        >>> import keras
        >>> from medgan.learning_rates import LoweredSchedule
        >>> decay = keras.optimizers.schedules.CosineDecay(1.0, 100)
        >>> round(float(LoweredSchedule(decay, 0.5)(50)), 3)
        0.25
    """

    def __init__(self, schedule, factor):
        super().__init__()
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        """The lowered rate at a step."""
        return self.factor * self.schedule(step)

    def get_config(self):
        """Returns the constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        """Builds the schedule from `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["factor"])


def lower(optimizer, factor, already=1.0):
    """Multiplies the rate that an optimizer was made with.

    A constant rate is a variable, which checkpoints hold; a schedule is none. So an optimizer that
    was restored has its constant rate lowered already, but not its schedule.

    Args:
        optimizer: a Keras optimizer. Steps that were compiled before must be compiled anew.
        factor: what the recipe's rate is multiplied by.
        already: what a constant rate has been multiplied by.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a loss scale
    rate = keras.saving.deserialize_keras_object(optimizer.get_config()["learning_rate"])
    if isinstance(rate, LoweredSchedule):
        rate = rate.schedule
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        optimizer.learning_rate = LoweredSchedule(rate, factor)
    else:
        optimizer.learning_rate = rate * factor / already
