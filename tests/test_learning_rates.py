import keras
import pytest
from numpy.testing import assert_allclose

from medgan.learning_rates import LoweredSchedule, lower


def built(optimizer):
    variable = keras.Variable([1.0])
    optimizer.build([variable])
    return optimizer, variable


@pytest.mark.parametrize("scaled", [False, True])
def test_a_constant_rate_is_lowered_from_what_it_is_now(scaled):
    optimizer, _ = built(keras.optimizers.SGD(0.4))
    whole = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
    lower(whole, 0.5)
    assert_allclose(float(optimizer.learning_rate), 0.2)
    lower(whole, 0.25, already=0.5)
    assert_allclose(float(optimizer.learning_rate), 0.1)


def test_a_constant_rate_that_was_restored_lowered_stays():
    optimizer, _ = built(keras.optimizers.SGD(0.4))
    optimizer.learning_rate = 0.1  # as a checkpoint would
    lower(optimizer, 0.25, already=0.25)
    assert_allclose(float(optimizer.learning_rate), 0.1)


def test_a_schedule_is_lowered_from_the_recipes():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.4, 0.2])
    optimizer, variable = built(keras.optimizers.SGD(schedule))
    lower(optimizer, 0.5)
    lower(optimizer, 0.25, already=0.5)
    steps = []
    for _ in range(3):
        before = float(variable[0])
        optimizer.apply([keras.ops.ones((1,))], [variable])
        steps.append(before - float(variable[0]))
    assert_allclose(steps, [0.1, 0.1, 0.05], rtol=1e-5)


def test_a_lowered_schedule_survives_serialisation():
    schedule = LoweredSchedule(keras.optimizers.schedules.CosineDecay(1.0, 10), 0.5)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert_allclose([float(again(s)) for s in (0, 5, 10)], [0.5, 0.25, 0], atol=1e-6)
