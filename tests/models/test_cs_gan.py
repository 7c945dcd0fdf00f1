import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    PoolByHand,
    absolute,
    assert_moved,
    assert_only_the_intended_networks_move,
    assert_same_weights,
    compiled,
    descend,
    discs,
    generator,
    images,
    judge,
    squared,
)

from medgan.models import CSGAN


def parts():
    return generator(1), generator(11, name="backward"), judge(2), judge(3)


def make(**kwargs):
    return CSGAN(*parts(), image_size=16, seed=5, **kwargs)


def networks_of(model):
    return [*model.generator_networks, *model.discriminator_networks]


def test_steps_equal_the_steps_written_by_hand():
    """Four, so that the discriminators see images that were made by generators before."""
    steps = 4
    x = images(2 * steps).reshape(steps, 2, 16, 16, 1)
    y = images(2 * steps, seed=1).reshape(x.shape)
    model = compiled(make(cycle_weight=3.0, synthesized_weight=2.0, pool_size=3))
    for data in zip(x, y, strict=True):
        model.train_on_batch(*data)

    forward, backward, of_y, of_x = networks = parts()
    pool, backward_pool = PoolByHand(3, seed=5), PoolByHand(3, seed=6)
    for x_now, y_now in zip(x, y, strict=True):
        with tf.GradientTape() as tape:
            fake_y, fake_x = forward(x_now), backward(y_now)
            cycled_x, cycled_y = backward(fake_y), forward(fake_x)
            loss = squared(of_y(fake_y), 1.0) + squared(of_x(fake_x), 1.0)
            loss += 3.0 * (absolute(cycled_x, x_now) + absolute(cycled_y, y_now))
            loss += 2.0 * absolute(fake_y, tf.stop_gradient(cycled_y))
            loss += 2.0 * absolute(fake_x, tf.stop_gradient(cycled_x))
        # The generators first: the discriminators step on images made before.
        descend(tape, loss, [forward, backward], GENERATOR_RATE)
        for judge_of, real, shown in (
            (of_y, y_now, pool(fake_y)),
            (of_x, x_now, backward_pool(fake_x)),
        ):
            with tf.GradientTape() as tape:
                logits = judge_of(tf.concat([real, shown], 0), training=True)
                loss = (squared(logits[:2], 1.0) + squared(logits[2:], 0.0)) / 2
            descend(tape, loss, [judge_of], DISCRIMINATOR_RATE)
    assert pool.swaps and backward_pool.swaps

    assert_same_weights(networks_of(model), networks)
    for one, start in zip(networks_of(model), parts(), strict=True):
        assert_moved([one], [start])


def test_each_optimizer_moves_its_own_networks_only():
    assert_only_the_intended_networks_move(
        make,
        (images(2), images(2, seed=1)),
        lambda model: model.generator_networks,
        lambda model: model.discriminator_networks,
    )


def test_the_cycled_images_are_without_gradient():
    x, y = images(2), images(2, seed=1)
    model = make(synthesized_weight=1.0)
    forward, backward, _, _ = parts()
    batch = model.as_batch((x, y))
    with tf.GradientTape(persistent=True) as tape:
        made = model.synthesize(batch, training=True)
        terms = model.generator_terms(batch, made)
        loss = terms["synthesized"] + terms["backward_synthesized"]
    assert tape.gradient(loss, made["cycled_x"]) is None
    assert tape.gradient(loss, made["cycled_y"]) is None
    ours = tape.gradient(loss, model.generator_variables)

    def by_hand(cycled):
        with tf.GradientTape() as tape:
            fake_y, fake_x = forward(x), backward(y)
            loss = absolute(fake_y, cycled(forward(fake_x)))
            loss += absolute(fake_x, cycled(backward(fake_y)))
        return tape.gradient(loss, forward.trainable_variables + backward.trainable_variables)

    detached, attached = by_hand(tf.stop_gradient), by_hand(tf.identity)
    for received, expected, other in zip(ours, detached, attached, strict=True):
        assert_allclose(received, expected, atol=1e-7)
        assert np.abs(received - other).max() > 1e-4


def trained(synthesized_weight):
    """A trainer that has seen bright discs beside their negatives, and others to try it on."""
    keras.utils.set_random_seed(1)
    model = CSGAN(
        generator(1, width=8),
        generator(11, width=8),
        judge(2, width=8),
        judge(3, width=8),
        synthesized_weight=synthesized_weight,
        image_size=16,
        seed=5,
    )
    model.compile(
        keras.optimizers.Adam(5e-3, beta_1=0.5),
        keras.optimizers.Adam(2e-3, beta_1=0.5),
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )
    x = discs(128, seed=1)
    model.fit(x, 1 - x, batch_size=8, epochs=8, verbose=0)
    return model, discs(16, seed=9)


def test_inverse_brightness_is_learned_with_a_small_weight():
    model, held_out = trained(synthesized_weight=3.0)
    missed = model.evaluate(held_out, 1 - held_out, verbose=0, return_dict=True)["mae"]
    assert missed < absolute(1 - held_out, held_out) / 4  # of leaving the image as it is
    assert missed < absolute(held_out, held_out.mean()) / 2  # of the mean brightness


@pytest.mark.slow
def test_the_published_weight_makes_one_grey_of_small_images():
    """No merit: what the docstring warns of. One grey makes a synthesised image a cycled one."""
    model, held_out = trained(synthesized_weight=30.0)
    assert model.predict(held_out, verbose=0).std() < held_out.std() / 5


def test_both_generators_are_products():
    model = make()
    assert model.products == {
        "generator": model.generator,
        "backward_generator": model.backward_generator,
    }


def test_what_is_wrong_is_refused():
    forward, backward, of_y, of_x = parts()
    with pytest.raises(ValueError, match="one network in two parts"):
        CSGAN(forward, backward, of_y, of_y, image_size=16)
    with pytest.raises(ValueError, match="Give image_size, the crop of training, or pool_size=0"):
        CSGAN(forward, backward, of_y, of_x)
    with pytest.raises(ValueError, match="synthesized_weight=-1"):
        make(synthesized_weight=-1)
    with pytest.raises(ValueError, match="batch without y"):
        compiled(make()).train_on_batch(images())
