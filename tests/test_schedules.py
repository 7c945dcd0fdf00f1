import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.recipe.building import build
from medgan.schedules import ConstantThenLinear


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_rate_stays_for_its_share_then_falls_linearly_to_zero():
    schedule = ConstantThenLinear(2e-4, decay_steps=10, constant_share=0.4)
    expected = 2e-4 * np.array([1, 1, 1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0])
    assert_allclose(rates(schedule, range(12)), expected, rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, [1, 0.75, 0.5, 0.25, 0]), (1.0, [1, 1, 1, 1, 0])]
)
def test_rate_falls_at_once_or_never(share, expected):
    schedule = ConstantThenLinear(1.0, decay_steps=4, constant_share=share)
    assert_allclose(rates(schedule, range(5)), expected, atol=1e-6)


def test_long_trainings_keep_their_steps_apart():
    schedule = ConstantThenLinear(1.0, decay_steps=1_000_000)
    assert_allclose(rates(schedule, [999_998, 999_999]), [4e-6, 2e-6], rtol=1e-3)


def test_an_optimizer_takes_steps_of_this_size():
    variable = keras.Variable([0.0])
    optimizer = keras.optimizers.SGD(ConstantThenLinear(0.4, decay_steps=4))
    places = [0.0]
    for _ in range(5):
        optimizer.apply([-keras.ops.ones((1,))], [variable])
        places.append(float(variable[0]))
    assert_allclose(np.diff(places), [0.4, 0.4, 0.4, 0.2, 0], atol=1e-6)


def test_schedule_survives_saving():
    schedule = ConstantThenLinear(0.1, 50, constant_share=0.25)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(again) is ConstantThenLinear
    assert again.get_config() == schedule.get_config()
    assert rates(again, (0, 20, 49)) == rates(schedule, (0, 20, 49))


def test_a_recipe_finds_it_by_name():
    table = {"type": "ConstantThenLinear", "initial_learning_rate": 0.1}
    schedule = build(table, "[optimizer.learning_rate]", {"decay_steps": 20})
    assert isinstance(schedule, ConstantThenLinear)
    assert schedule.decay_steps == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay_steps": 0}, "decay_steps=0, expected 1 or more"),
        ({"decay_steps": 5, "constant_share": 1.5}, "constant_share=1.5, expected a share"),
    ],
)
def test_what_is_no_schedule_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConstantThenLinear(0.1, **arguments)
