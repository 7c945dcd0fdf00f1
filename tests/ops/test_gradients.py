import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.ops import gradient_penalty, input_gradients

# How a function runs: one operation after the other, in a graph, and compiled by XLA.
WAYS = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def linear(slope, *shape):
    """A critic whose gradient is the same everywhere, and of this length."""
    weights = np.random.default_rng(3).normal(size=shape).astype("float32")
    weights *= slope / np.linalg.norm(weights)
    return lambda x: tf.reduce_sum(x * weights, axis=(1, 2, 3))[:, None]


@ways
@pytest.mark.parametrize(("slope", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.5, 0.25), (0.0, 1.0)])
def test_penalty_of_a_linear_critic_is_the_square_of_its_slope_less_one(way, slope, expected):
    critic = linear(slope, 6, 5, 2)
    penalty = way(lambda x: gradient_penalty(critic, x))(images(3, 6, 5, 2))
    assert penalty.dtype == tf.float32
    assert_allclose(penalty, [expected] * 3, atol=1e-5)


@ways
def test_penalty_of_a_quadratic_critic_and_its_derivative_are_those_by_hand(way):
    x = images(4, 3, 3, 1)
    scale = tf.Variable(0.7)

    def penalised(x):
        with tf.GradientTape() as tape:
            # The gradient of scale / 2 |x|^2 is scale x.
            critic = lambda x: scale / 2 * tf.reduce_sum(x * x, axis=(1, 2, 3))  # noqa: E731
            penalty = gradient_penalty(critic, x)
            total = tf.reduce_mean(penalty)
        return penalty, tape.gradient(total, scale)

    penalty, derivative = way(penalised)(tf.constant(x))
    lengths = np.sqrt((x.astype("float64") ** 2).sum(axis=(1, 2, 3)))
    assert_allclose(penalty, (0.7 * lengths - 1) ** 2, rtol=1e-5)
    assert_allclose(derivative, np.mean(2 * (0.7 * lengths - 1) * lengths), rtol=1e-5)


def test_penalty_of_a_network_equals_differences_of_its_values():
    keras.utils.set_random_seed(1)
    critic = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(3, 3, strides=2, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    x = images(2, 6, 6, 1)
    step = 1e-2
    moves = step * np.eye(36, dtype="float32").reshape(36, 6, 6, 1)
    expected = []
    for image in x:
        difference = np.asarray(critic(image + moves)) - np.asarray(critic(image - moves))
        expected.append((np.linalg.norm(difference / (2 * step)) - 1) ** 2)
    assert_allclose(gradient_penalty(critic, x), expected, rtol=2e-3)


def test_a_map_of_patches_is_taken_for_its_mean():
    x = images(2, 4, 4, 1)
    # The mean of 2x over 16 pixels has the gradient 1/8 everywhere: a slope of 4/8.
    assert_allclose(gradient_penalty(lambda x: 2 * x, x), [0.25, 0.25], rtol=1e-5)


@ways
def test_a_critic_without_slope_has_finite_gradients(way):
    weights = tf.Variable(tf.zeros((8, 1)))

    def derivative(x):
        with tf.GradientTape() as tape:
            critic = lambda x: tf.matmul(tf.reshape(x, (-1, 8)), weights)  # noqa: E731
            penalty = tf.reduce_sum(gradient_penalty(critic, x))
        return penalty, tape.gradient(penalty, weights)

    penalty, gradient = way(derivative)(tf.constant(images(3, 2, 2, 2)))
    assert_allclose(penalty, 3)
    assert_allclose(gradient, np.zeros((8, 1)))


@ways
def test_gradients_are_those_of_each_row_for_itself(way):
    x = images(3, 4)
    gradients = way(lambda x: input_gradients(lambda x: tf.sin(x) * x, x))(tf.constant(x))
    assert_allclose(gradients, np.cos(x) * x + np.sin(x), rtol=1e-5)


@ways
def test_gradient_is_zero_where_the_function_does_not_look(way):
    gradients = way(lambda x: input_gradients(lambda x: tf.ones((2,)), x))(tf.ones((2, 3)))
    assert_allclose(gradients, np.zeros((2, 3)))


def test_gradients_have_the_type_of_the_inputs():
    half = tf.constant(images(2, 3), "float16")
    assert input_gradients(tf.square, half).dtype == tf.float16
