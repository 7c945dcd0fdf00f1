import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan import precision
from medgan.layers import InstanceNormalization

GENERATOR = np.random.default_rng(0)
MAPS = (3.0 + 2.0 * GENERATOR.normal(size=(3, 5, 7, 4))).astype("float32")
SLOPES = GENERATOR.normal(size=MAPS.shape).astype("float32")


def normalised(maps, epsilon=1e-5):
    """The formula in float64."""
    maps = maps.astype("float64")
    mean = maps.mean(axis=(1, 2), keepdims=True)
    return (maps - mean) / np.sqrt(maps.var(axis=(1, 2), keepdims=True) + epsilon)


# On a CPU training goes another way to the same result.
training_or_not = pytest.mark.parametrize("training", [False, True])


def gradient(layer, maps, slopes, training):
    maps = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        total = tf.reduce_sum(layer(maps, training=training) * slopes)
    return tape.gradient(total, maps)


def gradient_by_hand(maps, slopes, epsilon=1e-5):
    """d/dx of sum(slopes * y), from the derivatives of mean and variance, in float64."""
    maps, slopes = maps.astype("float64"), slopes.astype("float64")

    def mean(values):
        return values.mean(axis=(1, 2), keepdims=True)

    deviations = maps - mean(maps)
    root = np.sqrt(mean(deviations**2) + epsilon)
    through_root = -mean(slopes * deviations) * deviations / root**3
    return (slopes - mean(slopes)) / root + through_root


@training_or_not
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
@pytest.mark.parametrize("batch", [1, 3])
def test_result_is_the_formula_of_each_image_and_channel(batch, epsilon, training):
    maps = MAPS[:batch]
    layer = InstanceNormalization(epsilon)
    assert_allclose(layer(maps, training=training), normalised(maps, epsilon), atol=2e-6)
    assert layer.weights == []


@training_or_not
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
@pytest.mark.parametrize("batch", [1, 3])
def test_gradient_is_the_one_by_hand(batch, epsilon, training):
    maps, slopes = MAPS[:batch], SLOPES[:batch]
    actual = gradient(InstanceNormalization(epsilon), maps, slopes, training)
    assert_allclose(actual, gradient_by_hand(maps, slopes, epsilon), atol=2e-6)


@training_or_not
def test_second_gradient_is_that_of_plain_operations(training):
    """A gradient penalty differentiates the gradient."""

    def second(function):
        maps = tf.constant(MAPS)
        with tf.GradientTape() as outer:
            outer.watch(maps)
            with tf.GradientTape() as inner:
                inner.watch(maps)
                total = tf.reduce_sum(function(maps) ** 3 * SLOPES)
            slope = inner.gradient(total, maps)
            penalty = tf.reduce_sum(slope**2)
        return outer.gradient(penalty, maps)

    def plain(maps):
        mean, variance = tf.nn.moments(maps, (1, 2), keepdims=True)
        return (maps - mean) / tf.sqrt(variance + 1e-5)

    layer = functools.partial(InstanceNormalization(), training=training)
    expected = second(plain)
    scale = np.abs(expected).max()
    assert_allclose(second(layer), expected, atol=1e-5 * scale)
    assert_allclose(tf.function(lambda: second(layer))(), expected, atol=1e-5 * scale)


def test_offset_and_factor_are_learned_per_channel():
    layer = InstanceNormalization(center=True, scale=True)
    layer.build(MAPS.shape)
    gamma, beta = np.array([1.0, 2.0, -1.0, 0.5]), np.array([0.0, 1.0, 2.0, -3.0])
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    assert_allclose(layer(MAPS), normalised(MAPS) * gamma + beta, atol=1e-5)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(MAPS) * SLOPES)
    slopes = tape.gradient(total, [layer.gamma, layer.beta])
    assert_allclose(slopes[0], (normalised(MAPS) * SLOPES).sum(axis=(0, 1, 2)), rtol=1e-4)
    assert_allclose(slopes[1], SLOPES.sum(axis=(0, 1, 2)), rtol=1e-4)


@training_or_not
def test_statistics_do_not_overflow_in_half_precision(training):
    maps = (1e4 * (1 + GENERATOR.integers(0, 2, size=(2, 64, 64, 2)))).astype("float16")
    with precision.policy("mixed_float16"):
        layer = InstanceNormalization()
    result = layer(maps, training=training)
    assert result.dtype == "float16"
    assert_allclose(tf.cast(result, "float32"), normalised(maps), atol=2e-3)
    slopes = gradient(layer, maps, np.ones_like(maps), training)
    assert np.isfinite(tf.cast(slopes, "float32")).all()


@training_or_not
def test_variance_of_a_bright_flat_map_is_not_cancelled(training):
    maps = (1e3 + GENERATOR.uniform(size=(2, 32, 32, 2))).astype("float32")
    layer = InstanceNormalization()
    assert_allclose(layer(maps, training=training), normalised(maps), atol=2e-3)


@training_or_not
def test_a_constant_map_becomes_zero(training):
    maps = np.full((2, 4, 4, 1), 0.7, "float32")
    layer = InstanceNormalization()
    assert_allclose(layer(maps, training=training), np.zeros_like(maps), atol=1e-4)
    assert np.isfinite(gradient(layer, maps, np.ones_like(maps), training)).all()


@training_or_not
def test_one_graph_takes_any_size_and_batch(training):
    layer = InstanceNormalization()
    image = keras.Input((None, None, 4))
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, None, None, 4)
    signature = [tf.TensorSpec((None, None, None, 4))]
    graph = tf.function(lambda maps: model(maps, training=training), input_signature=signature)
    for maps in (MAPS, MAPS[:1, :3], MAPS[:2, :, :2]):
        assert_allclose(graph(maps), normalised(maps), atol=2e-6)


def test_settings_survive_serialisation():
    layer = InstanceNormalization(1e-3, center=True, scale=True, name="norm")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is InstanceNormalization
    assert (copy.epsilon, copy.center, copy.scale, copy.name) == (1e-3, True, True, "norm")


@pytest.mark.parametrize("epsilon", [0.0, -1e-5, float("nan")])
def test_an_epsilon_that_allows_division_by_zero_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"Received epsilon=.*, expected a number above 0"):
        InstanceNormalization(epsilon)


@pytest.mark.parametrize("shape", [(2, 8, 3), (None, 4, 4, 4, 3), (None, 8, 8, None)])
def test_other_inputs_than_maps_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(batch, height, width, channels\)"):
        InstanceNormalization().build(shape)
