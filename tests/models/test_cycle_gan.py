import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
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

from medgan.models import CycleGAN


def parts():
    return generator(1), generator(11, name="backward"), judge(2), judge(3)


def make(**kwargs):
    return CycleGAN(*parts(), image_size=16, seed=5, **kwargs)


def networks_of(model):
    return [*model.generator_networks, *model.discriminator_networks]


@pytest.mark.parametrize("identity_weight", [0.0, 2.0])
def test_steps_equal_the_steps_written_by_hand(identity_weight):
    """Four, so that the discriminators see images that were made by generators before."""
    steps = 4
    x = images(2 * steps).reshape(steps, 2, 16, 16, 1)
    y = images(2 * steps, seed=1).reshape(x.shape)
    model = compiled(make(cycle_weight=3.0, identity_weight=identity_weight, pool_size=3))
    for data in zip(x, y, strict=True):
        model.train_on_batch(*data)

    forward, backward, of_y, of_x = networks = parts()
    pool, backward_pool = PoolByHand(3, seed=5), PoolByHand(3, seed=6)
    for x_now, y_now in zip(x, y, strict=True):
        with tf.GradientTape() as tape:
            fake_y, fake_x = forward(x_now), backward(y_now)
            loss = squared(of_y(fake_y), 1.0) + squared(of_x(fake_x), 1.0)
            loss += 3.0 * absolute(backward(fake_y), x_now)
            loss += 3.0 * absolute(forward(fake_x), y_now)
            loss += identity_weight * absolute(forward(y_now), y_now)
            loss += identity_weight * absolute(backward(x_now), x_now)
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


def test_each_generator_gets_the_gradient_of_both_cycles():
    """A popular example gives each generator the cycle that ends with it, and not the other."""
    x, y = images(2), images(2, seed=1)
    model = make(cycle_weight=1.0)
    forward, backward, _, _ = parts()
    batch = model.as_batch((x, y))
    with tf.GradientTape() as tape:
        terms = model.generator_terms(batch, model.synthesize(batch, training=True))
        loss = terms["cycle"] + terms["backward_cycle"]
    ours = tape.gradient(loss, model.generator_variables)

    def by_hand(*weights):
        with tf.GradientTape() as tape:
            loss = weights[0] * absolute(backward(forward(x)), x)
            loss += weights[1] * absolute(forward(backward(y)), y)
        return tape.gradient(loss, forward.trainable_variables + backward.trainable_variables)

    whole, first_half, second_half = by_hand(1, 1), by_hand(1, 0), by_hand(0, 1)
    for received, expected, *halves in zip(ours, whole, first_half, second_half, strict=True):
        assert_allclose(received, expected, atol=1e-7)
        for half in halves:
            assert np.abs(received - half).max() > 1e-4


def test_an_evaluation_and_a_judgement_leave_the_pools_alone():
    x, y = images(2), images(2, seed=1)
    model = compiled(make(pool_size=2))
    for _ in range(3):
        model.train_on_batch(x, y)
    state = [*model.pool.variables, *model.backward_pool.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in state]
    model.evaluate(x, y, verbose=0)
    batch = model.as_batch((x, y))
    logits = model.judged(batch, model.synthesize(batch, training=False))
    assert_allclose(logits["real"], model.discriminator(y), atol=0)
    assert_allclose(logits["fake"], model.discriminator(model.generator(x)), atol=0)
    for old, new in zip(before, state, strict=True):
        assert_array_equal(keras.ops.convert_to_numpy(new), old)


def test_a_pool_is_asked_once_for_a_step():
    """However often the discriminators step: else one image would be kept several times."""
    x, y = images(2), images(2, seed=1)
    model = compiled(make(pool_size=50, discriminator_steps=3))
    model.train_on_batch(x, y)
    assert int(model.pool.filled) == 2
    assert int(model.backward_pool.filled) == 2


def test_both_generators_are_products():
    model = make()
    assert model.products == {
        "generator": model.generator,
        "backward_generator": model.backward_generator,
    }
    x = images()
    assert_allclose(model(x), model.generator(x), atol=0)


def test_inverse_brightness_is_learned_without_pairs():
    """x are bright discs on dark ground, y dark discs on bright ground, other ones."""
    keras.utils.set_random_seed(1)
    model = CycleGAN(
        generator(1, width=8),
        generator(11, width=8),
        judge(2, width=8),
        judge(3, width=8),
        image_size=16,
        identity_weight=0.0,
        seed=5,
    )
    model.compile(
        keras.optimizers.Adam(5e-3, beta_1=0.5),
        keras.optimizers.Adam(2e-3, beta_1=0.5),
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )
    x, y, held_out = discs(128, seed=1), 1 - discs(128, seed=2), discs(16, seed=9)
    model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    missed = model.evaluate(held_out, 1 - held_out, verbose=0, return_dict=True)["mae"]
    assert missed < absolute(1 - held_out, held_out) / 4  # of leaving the image as it is
    assert missed < absolute(1 - held_out, (1 - x).mean()) / 2  # of the mean brightness


def test_what_is_wrong_is_refused():
    forward, backward, of_y, of_x = parts()
    with pytest.raises(ValueError, match="one network in two parts"):
        CycleGAN(forward, forward, of_y, of_x, image_size=16)
    with pytest.raises(ValueError, match="Give image_size, the crop of training, or pool_size=0"):
        CycleGAN(forward, backward, of_y, of_x)
    with pytest.raises(ValueError, match="backward_discriminator that takes 2 channels"):
        CycleGAN(forward, backward, of_y, judge(1, channels=2), image_size=16)
    with pytest.raises(ValueError, match=r"identity_weight=5\.0 for a generator from 2 to 1"):
        two = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(2, 1)])
        CycleGAN(generator(1, channels=2), two, of_y, judge(1, channels=2), image_size=16)
    with pytest.raises(ValueError, match="cycle_weight=-1"):
        make(cycle_weight=-1)
    with pytest.raises(ValueError, match="batch without y"):
        compiled(make()).train_on_batch(images())


def test_the_size_of_pooled_images_is_that_of_networks_which_take_no_other():
    def fixed(seed):
        network = generator(seed)
        image = keras.Input((20, 18, 1))
        return keras.Model(image, network(image))

    def fixed_judge(seed):
        image = keras.Input((20, 18, 1))
        return keras.Model(image, judge(seed)(image))

    for networks in (
        (fixed(1), fixed(2), judge(1), judge(2)),
        (generator(1), generator(2), fixed_judge(1), fixed_judge(2)),
    ):
        model = CycleGAN(*networks)
        assert model.pool.image_shape == model.backward_pool.image_shape == (20, 18, 1)
    assert CycleGAN(*parts(), pool_size=0).pool.capacity == 0
