import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from images_of_noise import generator, grey_images, judge, noise_of, told_of_grey
from numpy.testing import assert_allclose
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    assert_moved,
    assert_same_weights,
    compiled,
    descend,
    images,
)

from medgan import precision
from medgan.models import WGAN


def small(seed=4, **kwargs):
    return WGAN(generator(1), judge(2), seed=seed, **kwargs)


def pictures(count=4):
    return images(count, side=8)


def largest(network):
    return max(np.abs(np.array(v)).max() for v in network.trainable_variables)


def clip_by_hand(network, clip):
    for variable in network.trainable_variables:
        variable.assign(np.clip(np.array(variable), -clip, clip))


def test_one_step_equals_the_step_written_by_hand():
    x = pictures()
    model = compiled(small(clip=0.2, discriminator_steps=3))
    critic, maker = judge(2), generator(1)
    model.train_on_batch(x)

    (z,) = noise_of(4, 4)
    fake = maker(z, training=True)
    clip_by_hand(critic, 0.2)
    first = keras.models.clone_model(critic)
    first.set_weights(critic.get_weights())
    for _ in range(3):
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(x))
        descend(tape, value, [critic], DISCRIMINATOR_RATE)
        clip_by_hand(critic, 0.2)
    with tf.GradientTape() as tape:
        value = -tf.reduce_mean(critic(maker(z, training=True)))
    descend(tape, value, [maker], GENERATOR_RATE)

    assert_same_weights([model.generator, model.discriminator], [maker, critic])
    assert_moved([critic], [first])
    assert_moved([maker], [generator(1)])


class Bound(keras.callbacks.Callback):
    """Looks at the critic's largest weight after every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(largest(self.model.discriminator))


@pytest.mark.parametrize(
    ("policy", "replicas"),
    [
        ("float32", 1),
        pytest.param("float32", 2, marks=pytest.mark.slow),
        pytest.param("mixed_float16", 1, marks=pytest.mark.slow),
        ("mixed_float16", 2),
    ],
)
def test_clipping_bound_holds_after_every_step(policy, replicas, two_replicas):
    with two_replicas.scope() if replicas == 2 else contextlib.nullcontext():
        with precision.policy(policy):
            model = small(clip=0.05, discriminator_steps=5)
        model.compile(keras.optimizers.RMSprop(1e-2), keras.optimizers.RMSprop(1e-2))
    start = [np.array(v) for v in model.discriminator.trainable_variables]
    bound = Bound()
    data = tf.data.Dataset.from_tensor_slices(pictures(16)).batch(4, drop_remainder=True)
    model.fit(data, shuffle=False, verbose=0, callbacks=[bound])
    assert len(bound.seen) == 4
    # Steps of 0.01 reach the bound and would go beyond: it is kept, and not by chance.
    assert_allclose(bound.seen, [np.float32(0.05)] * 4, rtol=0, atol=0)
    if replicas == 2:
        for variable in model.discriminator.trainable_variables:
            for value in variable.value.values:
                assert np.abs(value.numpy()).max() <= np.float32(0.05)
    now = [np.array(v) for v in model.discriminator.trainable_variables]
    assert max(np.abs(a - b).max() for a, b in zip(start, now, strict=True)) > 0.01


def test_bound_holds_before_the_first_step_and_after_one_that_is_left_out():
    with precision.policy("mixed_float16"):
        model = small(clip=0.05)
    assert largest(model.discriminator) == np.float32(0.05)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    model.discriminator_optimizer.dynamic_scale.assign(1e38)  # everything overflows
    model.train_on_batch(pictures())
    assert int(model.discriminator_optimizer.iterations) == 0
    assert largest(model.discriminator) == np.float32(0.05)


def test_a_loaded_trainer_keeps_the_bound(tmp_path):
    model = compiled(small(clip=0.05))
    model.save(tmp_path / "wgan.keras")
    twin = keras.models.load_model(tmp_path / "wgan.keras")
    twin.train_on_batch(pictures())
    assert int(twin.discriminator_optimizer.iterations) == 5
    assert largest(twin.discriminator) <= np.float32(0.05)


def test_a_critic_has_no_judgement():
    model = small()
    batch = model.as_batch(pictures())
    assert model.judged(batch, model.synthesize(batch, training=False)) is None


def test_greys_are_learned():
    """From 0.2 off the mean grey, to within 0.03 and a third to twice the spread."""
    keras.utils.set_random_seed(1)
    model = WGAN(generator(1), judge(6), clip=0.1, seed=1)
    model.compile(keras.optimizers.RMSprop(2e-3), keras.optimizers.RMSprop(5e-3))
    mean, spread, inside = told_of_grey(model)
    assert abs(mean - 0.7) > 0.15
    assert spread < 0.01
    model.fit(grey_images(1024, 1), batch_size=32, epochs=8, verbose=0)
    mean, spread, after = told_of_grey(model)
    assert abs(mean - 0.7) < 0.03
    assert 0.015 < spread < 0.1
    assert after < inside  # an image is one grey


@pytest.mark.parametrize("clip", [0, -0.1])
def test_a_bound_that_is_none_is_refused(clip):
    with pytest.raises(ValueError, match=f"clip={clip}, expected a positive number"):
        small(clip=clip)


def test_a_constraint_of_the_critic_is_not_replaced():
    image = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(1, kernel_constraint=keras.constraints.NonNeg())
    critic = keras.Model(image, dense(keras.layers.Flatten()(image)))
    with pytest.raises(ValueError, match="has the constraint NonNeg"):
        WGAN(generator(1), critic)
    assert isinstance(dense.kernel.constraint, keras.constraints.NonNeg)


def test_another_trainer_of_the_same_critic_has_its_own_bound():
    critic = judge(2)
    WGAN(generator(1), critic, clip=0.05)
    model = compiled(WGAN(generator(1), critic, clip=0.2))
    for _ in range(3):
        model.train_on_batch(pictures())
    assert 0.05 < largest(critic) <= np.float32(0.2)
