import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.models.adam_in_one_pass import update_in_one_pass

GENERATOR = np.random.default_rng(0)
SHAPES = ((3, 3, 2, 5), (5,))
START = [GENERATOR.normal(size=shape).astype("float32") for shape in SHAPES]
GRADIENTS = [[GENERATOR.normal(size=shape).astype("float32") for shape in SHAPES] for _ in range(4)]


def moved(optimizer, in_graph=False):
    """Variables after all gradients."""
    variables = [keras.Variable(value) for value in START]
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    apply = tf.function(apply) if in_graph else apply
    for gradients in GRADIENTS:
        apply([tf.constant(gradient) for gradient in gradients])
    return [variable.numpy() for variable in variables]


def by_hand(rate, beta_1=0.5, beta_2=0.999, epsilon=1e-7):
    """Kingma and Ba, 2015, section 2, in the order of its last sentence, in float64."""
    results = []
    for index, value in enumerate(START):
        value, first, second = value.astype("float64"), 0.0, 0.0
        for step, gradients in enumerate(GRADIENTS, 1):
            gradient = gradients[index].astype("float64")
            first = beta_1 * first + (1 - beta_1) * gradient
            second = beta_2 * second + (1 - beta_2) * gradient**2
            corrected = rate(step) * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
            value = value - corrected * first / (np.sqrt(second) + epsilon)
        results.append(value)
    return results


def count_of_operations(optimizer):
    """Operations of a graph that applies gradients."""
    variables = [keras.Variable(value) for value in START]
    optimizer.build(variables)
    gradients = [tf.constant(gradient) for gradient in GRADIENTS[0]]
    graph = tf.function(lambda: optimizer.apply(gradients, variables)).get_concrete_function().graph
    return [operation.type for operation in graph.get_operations()]


@pytest.mark.parametrize("in_graph", [False, True])
def test_steps_are_those_by_hand(in_graph):
    optimizer = keras.optimizers.Adam(0.1, 0.5)
    update_in_one_pass(optimizer)
    for ours, expected in zip(moved(optimizer, in_graph), by_hand(lambda _: 0.1), strict=True):
        assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_every_variable_takes_one_operation():
    optimizer = keras.optimizers.Adam(0.1)
    assert "ResourceApplyAdam" not in count_of_operations(optimizer)
    optimizer = keras.optimizers.Adam(0.1)
    update_in_one_pass(optimizer)
    operations = count_of_operations(optimizer)
    assert operations.count("ResourceApplyAdam") == len(SHAPES)
    assert "Sqrt" not in operations


def test_a_schedule_gives_the_rate():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.01])
    optimizer = keras.optimizers.Adam(schedule, 0.5)
    update_in_one_pass(optimizer)
    expected = by_hand(lambda step: 0.1 if step <= 2 else 0.01)
    for ours, value in zip(moved(optimizer), expected, strict=True):
        assert_allclose(ours, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"clipnorm": 0.5},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_surrounds_the_update_stays(options):
    one, other = (keras.optimizers.Adam(0.1, 0.5, **options) for _ in range(2))
    update_in_one_pass(one)
    for ours, expected in zip(moved(one), moved(other), strict=True):
        assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_loss_scaling_stays():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1, 0.5), 2.0)
    update_in_one_pass(optimizer)
    halves = [[gradient / 2 for gradient in gradients] for gradients in GRADIENTS]
    variables = [keras.Variable(value) for value in START]
    optimizer.build(variables)
    scale = float(optimizer.scale_loss(1.0))
    for gradients in halves:
        scaled = [tf.constant(2 * scale * gradient) for gradient in gradients]
        optimizer.apply(scaled, variables)
    for ours, expected in zip(variables, by_hand(lambda _: 0.1), strict=True):
        assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.SGD(0.1), keras.optimizers.Adam(0.1, amsgrad=True), keras.optimizers.Nadam()],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_others_stay_as_they_are(optimizer):
    update_in_one_pass(optimizer)
    assert "ResourceApplyAdam" not in count_of_operations(optimizer)
