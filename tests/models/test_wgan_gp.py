import keras
import numpy as np
import pytest
import tensorflow as tf
from images_of_noise import NOISE, generator, grey_images, judge, told_of_grey
from numpy.testing import assert_allclose, assert_array_equal
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    assert_moved,
    assert_same_weights,
    compiled,
    descend,
    images,
    values,
)

from medgan import precision
from medgan.layers import DiffAugment, InstanceNormalization, SpectralNormalization
from medgan.models import WGANGP


def small(seed=4, critic=None, **kwargs):
    return WGANGP(generator(1), judge(2) if critic is None else critic, seed=seed, **kwargs)


def pictures(count=4):
    return images(count, side=8)


def linear_critic(slope):
    """A critic of the same slope everywhere."""
    weights = np.random.default_rng(3).normal(size=(64, 1)).astype("float32")
    image = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(1, use_bias=False)
    critic = keras.Model(image, dense(keras.layers.Flatten()(image)))
    dense.kernel.assign(slope * weights / np.linalg.norm(weights))
    return critic


@pytest.mark.parametrize(("slope", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_penalty_of_a_critic_of_known_slope(slope, expected):
    for weight in (1.0, 10.0):
        model = small(critic=linear_critic(slope), penalty_weight=weight)
        batch = model.as_batch(pictures())
        terms = model.discriminator_terms(batch, model.synthesize(batch, training=True))
        assert_allclose(terms["penalty"], weight * expected, atol=1e-4)


def test_one_step_equals_the_step_written_by_hand():
    x = pictures()
    model = compiled(small(penalty_weight=5.0, discriminator_steps=2))
    critic, maker = judge(2), generator(1)
    model.train_on_batch(x)

    draws = keras.random.SeedGenerator(4)
    z = keras.random.normal((4, NOISE), seed=draws)
    fake = maker(z, training=True)
    for _ in range(2):
        share = keras.random.uniform((4, 1, 1, 1), seed=draws)
        between = share * x + (1 - share) * fake
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(between)
                judged = critic(between)
            slopes = inner.gradient(judged, between)
            lengths = tf.sqrt(tf.reduce_sum(slopes**2, axis=(1, 2, 3)))
            value = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(x))
            value += 5 * tf.reduce_mean((lengths - 1) ** 2)
        descend(tape, value, [critic], DISCRIMINATOR_RATE)
    with tf.GradientTape() as tape:
        value = -tf.reduce_mean(critic(maker(z, training=True)))
    descend(tape, value, [maker], GENERATOR_RATE)

    assert_same_weights([model.generator, model.discriminator], [maker, critic])
    assert_moved([critic], [judge(2)])
    assert_moved([maker], [generator(1)])


def test_slopes_are_measured_between_the_images_as_the_critic_sees_them():
    seen = []

    class Watched(keras.layers.Layer):
        def call(self, inputs, training=False):
            if hasattr(inputs, "numpy"):
                seen.append((training, np.array(inputs)))
            return inputs

    image = keras.Input((8, 8, 1))
    watched = Watched()(image)
    critic = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(watched)))
    model = small(critic=critic, augmentation=DiffAugment(seed=1))
    batch = model.as_batch(pictures())
    made = {name: tf.stop_gradient(v) for name, v in model.synthesize(batch, True).items()}
    seen.clear()
    model.discriminator_terms(batch, made)
    (between,) = (shown for training, shown in seen if not training)
    (both,) = (shown for training, shown in seen if training)
    real, fake = both[:4], both[4:]
    assert np.abs(real - batch["x"]).max() > 0.01  # augmented
    way = real - fake
    share = np.sum((between - fake) * way, axis=(1, 2, 3)) / np.sum(way**2, axis=(1, 2, 3))
    assert_allclose(between, fake + share[:, None, None, None] * way, atol=1e-5)
    assert ((share > 0) & (share < 1)).all()
    assert len(np.unique(share)) == 4


def spectral(layer):
    return SpectralNormalization(layer, seed=1)


def test_measuring_slopes_moves_no_state_of_the_critic():
    image = keras.Input((8, 8, 1))
    features = spectral(keras.layers.Conv2D(2, 3))(image)
    features = keras.layers.Dropout(0.5, seed=1)(features)
    critic = keras.Model(image, spectral(keras.layers.Dense(1))(keras.layers.Flatten()(features)))
    results = []
    for weight in (0.0, 10.0):
        model = small(critic=keras.models.clone_model(critic), penalty_weight=weight)
        model.discriminator.set_weights(critic.get_weights())
        batch = model.as_batch(pictures())
        model.discriminator_terms(batch, model.synthesize(batch, training=True))
        results.append([np.array(v) for v in model.discriminator.variables])
    for one, other in zip(*results, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_half_precision_stays_finite_and_moves_the_critic(run_eagerly):
    with precision.policy("mixed_float16"):
        critic = judge(2, normalization=InstanceNormalization())
        model = small(critic=critic, discriminator_steps=2)
    model.compile("adam", "adam", run_eagerly=run_eagerly)
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        optimizer.dynamic_scale.assign(64.0)
    before = values([model.discriminator])
    for _ in range(2):
        logs = model.train_on_batch(pictures(), return_dict=True)
        assert all(np.isfinite(value) for value in logs.values())
    assert int(model.discriminator_optimizer.iterations) == 4
    after = values([model.discriminator])
    assert all(np.isfinite(value).all() for value in after)
    assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) > 1e-3


def test_a_critic_has_no_judgement():
    model = small()
    batch = model.as_batch(pictures())
    assert model.judged(batch, model.synthesize(batch, training=False)) is None


def test_greys_are_learned_by_a_critic_of_slope_1():
    """From 0.2 off the mean grey, to within 0.03, a third to twice the spread, slope near 1."""
    keras.utils.set_random_seed(1)
    model = WGANGP(generator(1), judge(6), discriminator_steps=3, seed=1)
    model.compile(
        keras.optimizers.Adam(2e-3, beta_1=0.0, beta_2=0.9),
        keras.optimizers.Adam(5e-3, beta_1=0.0, beta_2=0.9),
    )
    mean, spread, inside = told_of_grey(model)
    assert abs(mean - 0.7) > 0.15
    assert spread < 0.01
    logs = model.fit(grey_images(1024, 1), batch_size=32, epochs=8, verbose=0).history
    mean, spread, after = told_of_grey(model)
    assert abs(mean - 0.7) < 0.03
    assert 0.015 < spread < 0.1
    assert after < inside  # an image is one grey
    assert logs["penalty"][-1] / 10 < 0.1  # of (slope - 1)^2


def test_batch_normalisation_is_refused_wherever_it_is():
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.BatchNormalization()])
    image = keras.Input((8, 8, 1))
    critic = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(inner(image))))
    with pytest.raises(ValueError, match="Received a critic with BatchNormalization"):
        small(critic=critic)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="penalty_weight=-1"):
        small(penalty_weight=-1.0)
