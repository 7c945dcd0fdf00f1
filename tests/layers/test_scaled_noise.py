import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import ScaledNoise

MAPS = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")


def built(factor, **kwargs):
    layer = ScaledNoise(**kwargs)
    layer.build(MAPS.shape)
    layer.factor.assign(factor)
    return layer


def test_noise_has_the_deviation_of_the_factor_and_is_the_same_to_all_channels():
    noise = np.asarray(built(0.5, stddev=2.0, seed=0)(MAPS, training=True)) - MAPS
    assert_allclose(noise, noise[..., :1].repeat(3, axis=-1), atol=1e-5)
    # 2,048 draws: their deviation is known to 1.6 percent.
    assert_allclose(noise[..., 0].std(), 1.0, rtol=0.06)
    assert_allclose(noise[..., 0].mean(), 0, atol=0.08)
    assert np.abs(noise[0] - noise[1]).max() > 1


def test_nothing_is_added_at_first_or_in_inference_or_without_deviation():
    assert_array_equal(built(0.0)(MAPS, training=True), MAPS)
    assert_array_equal(built(0.5)(MAPS), MAPS)
    assert_array_equal(built(0.5, stddev=0)(MAPS, training=True), MAPS)


def test_draws_go_on_and_equal_seeds_draw_alike():
    first, same, other = (built(0.5, seed=seed) for seed in (3, 3, 4))
    one, two = first(MAPS, training=True), first(MAPS, training=True)
    assert np.abs(one - two).max() > 0.1
    assert_array_equal(same(MAPS, training=True), one)
    assert np.abs(other(MAPS, training=True) - one).max() > 0.1


def test_a_saved_layer_continues_its_draws(tmp_path):
    inputs = keras.Input(MAPS.shape[1:])
    model = keras.Model(inputs, ScaledNoise(seed=3)(inputs))
    model.layers[1].factor.assign(0.5)
    model(MAPS, training=True)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert_array_equal(copy(MAPS, training=True), model(MAPS, training=True))


def test_the_factor_is_learned():
    layer = built(0.0, seed=0)
    with tf.GradientTape() as tape:
        outputs = layer(MAPS, training=True)
        loss = tf.reduce_sum(outputs * tf.stop_gradient(MAPS))
    noise = np.asarray(built(1.0, seed=0)(MAPS, training=True)) - MAPS
    assert_allclose(tape.gradient(loss, layer.factor.value), (noise * MAPS).sum(), rtol=1e-3)


def test_replicas_draw_what_one_would(two_replicas):
    expected = built(0.5, seed=3)(MAPS, training=True)
    with two_replicas.scope():
        layer = built(0.5, seed=3)
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(MAPS, 2)[context.replica_id_in_sync_group])
    )
    parts = two_replicas.run(lambda half: layer(half, training=True), args=[halves])
    joined = np.concatenate(two_replicas.experimental_local_results(parts))
    assert_allclose(joined, expected, atol=1e-6)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"stddev=-1.0, expected 0 or more"):
        ScaledNoise(-1.0)
