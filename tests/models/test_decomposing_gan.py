import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    absolute,
    assert_moved,
    assert_only_the_intended_networks_move,
    assert_same_weights,
    compiled,
    descend,
    generator,
    images,
    judge,
    squared,
)

from medgan.losses import StructuralFusionLoss
from medgan.models import DecomposingGAN
from medgan.networks import modality_discriminator


def parts():
    return (
        generator(1, channels=2),
        generator(11, name="first"),
        generator(21, name="second"),
        modality_discriminator(width=2, seed=3),
    )


def make(**kwargs):
    return DecomposingGAN(*parts(), **kwargs)


@pytest.mark.parametrize("synthesized_weight", [0.0, 30.0])
@pytest.mark.parametrize("content_loss", [None, StructuralFusionLoss()], ids=["bare", "content"])
def test_one_step_equals_the_step_written_by_hand(content_loss, synthesized_weight):
    x = images(4, 2)
    model = compiled(
        make(
            content_loss=content_loss,
            adversarial_weight=0.7,
            cycle_weight=3.0,
            synthesized_weight=synthesized_weight,
        )
    )
    model.train_on_batch(x)

    fuse, first, second, discriminator = networks = parts()
    fused = fuse(x)
    with tf.GradientTape() as tape:
        logits = discriminator(tf.concat([x, tf.concat([fused, fused], -1)], 0), training=True)
        # One judge after the other, as its authors write them; the losses add up.
        loss = sum(
            (squared(logits[:4, ..., i], 1.0) + squared(logits[4:, ..., i], 0.0)) / 2
            for i in range(2)
        )
    descend(tape, loss, [discriminator], DISCRIMINATOR_RATE)
    with tf.GradientTape() as tape:
        fused = fuse(x)
        back = tf.concat([first(fused), second(fused)], -1)
        logits = discriminator(tf.concat([fused, fused], -1))
        loss = 0.7 * sum(squared(logits[..., i], 1.0) for i in range(2))
        loss += 3.0 * (absolute(back[..., 0], x[..., 0]) + absolute(back[..., 1], x[..., 1]))
        loss += synthesized_weight * absolute(fused, tf.stop_gradient(fuse(back)))
        if content_loss is not None:
            loss += tf.reduce_mean(content_loss.call(x, fused))
    descend(tape, loss, [fuse, first, second], GENERATOR_RATE)

    ours = [model.generator, model.first_decomposer, model.second_decomposer, model.discriminator]
    assert_same_weights(ours, networks)
    for one, start in zip(ours, parts(), strict=True):
        assert_moved([one], [start])


def test_each_optimizer_moves_its_own_networks_only():
    assert_only_the_intended_networks_move(
        lambda: make(synthesized_weight=30.0),
        (images(4, 2),),
        lambda m: [m.generator, m.first_decomposer, m.second_decomposer],
        lambda m: [m.discriminator],
    )


def test_the_image_that_is_fused_again_is_without_gradient():
    x = images(4, 2)
    model = make(adversarial_weight=0.0, cycle_weight=0.0, synthesized_weight=1.0)
    fuse, first, second, _ = parts()
    batch = model.as_batch((x,))
    with tf.GradientTape() as tape:
        terms = model.generator_terms(batch, model.synthesize(batch, training=True))
        loss = sum(terms.values())
    ours = tape.gradient(loss, model.generator_variables)
    variables = [v for network in (fuse, first, second) for v in network.trainable_variables]

    def by_hand(again_of):
        with tf.GradientTape() as tape:
            fused = fuse(x)
            back = tf.concat([first(fused), second(fused)], -1)
            loss = absolute(fused, again_of(fuse(back)))
        return tape.gradient(loss, variables)

    detached, attached = by_hand(tf.stop_gradient), by_hand(tf.identity)
    nothing = [v is None or not np.any(v) for v in detached]
    assert nothing == [False] * 4 + [True] * 8  # the decomposers get none
    for gradient, expected, other in zip(ours[:4], detached[:4], attached[:4], strict=True):
        assert_allclose(gradient, expected, atol=1e-7)
        assert np.abs(gradient - other).max() > 1e-4
    assert all(gradient is None or not np.any(gradient) for gradient in ours[4:])


def halves(count, seed):
    """Sources that are bright above a row, and left of a column: a fused image holds four cases."""
    rows, columns = np.mgrid[:16, :16]
    row, column = np.random.default_rng(seed).uniform(5, 11, (2, count, 1, 1))
    return np.stack(
        [np.where(rows < row, 0.9, 0.1), np.where(columns < column, 0.9, 0.1)], axis=-1
    ).astype("float32")


def test_fused_images_come_apart_again():
    keras.utils.set_random_seed(1)
    model = DecomposingGAN(
        generator(1, channels=2, width=8),
        generator(11, width=8),
        generator(21, width=8),
        modality_discriminator(width=2, seed=3),
        adversarial_weight=0.01,
    )
    model.compile(keras.optimizers.Adam(2e-2, beta_1=0.5), keras.optimizers.Adam(1e-3))
    model.fit(halves(128, seed=1), batch_size=16, epochs=20, verbose=0)
    held_out = halves(16, seed=9)
    fused = model.predict(held_out, verbose=0)
    back = [model.first_decomposer(fused), model.second_decomposer(fused)]
    missed = np.abs(np.concatenate(back, -1) - held_out).mean(axis=(0, 1, 2))
    # Without a fused image nothing is nearer than the median.
    median = np.median(held_out, axis=(0, 1, 2))
    assert (missed < np.abs(held_out - median).mean(axis=(0, 1, 2)) / 2).all()


def test_without_content_loss_the_terms_are_those_of_the_objective():
    logs = compiled(make()).test_on_batch(images(2, 2), return_dict=True)
    assert set(logs) == {"loss", "adversarial", "cycle"}


def test_what_is_wrong_is_refused():
    fuse, first, second, discriminator = parts()
    with pytest.raises(ValueError, match="one network in two parts"):
        DecomposingGAN(fuse, first, first, discriminator)
    with pytest.raises(ValueError, match="second_decomposer from 2 to 1 channels"):
        DecomposingGAN(fuse, first, generator(5, channels=2), discriminator)
    with pytest.raises(ValueError, match="one channel per source"):
        DecomposingGAN(fuse, first, second, judge(1))
    joint = keras.Sequential([keras.Input((None, None, 2)), keras.layers.Conv2D(1, 3)])
    with pytest.raises(ValueError, match="makes 1 logits per patch"):
        DecomposingGAN(fuse, first, second, joint)
    with pytest.raises(ValueError, match="cycle_weight=-1"):
        make(cycle_weight=-1)
