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
    discs,
    generator,
    images,
    judge,
)

from medgan.layers import DiffAugment
from medgan.models import Pix2Pix


def parts():
    return generator(1), judge(2, channels=2)


def make(**kwargs):
    return Pix2Pix(*parts(), **kwargs)


def test_one_step_equals_the_step_written_by_hand():
    x, y = images(4), images(4, seed=1)
    model = compiled(make(absolute_weight=3.0))
    model.train_on_batch(x, y)

    translate, discriminator = networks = parts()
    fake = translate(x)
    with tf.GradientTape() as tape:
        both = tf.concat([tf.concat([x, y], -1), tf.concat([x, fake], -1)], 0)
        logits = discriminator(both, training=True)
        probability = tf.sigmoid(logits)
        loss = -tf.reduce_mean(tf.math.log(probability[:4]))
        loss -= tf.reduce_mean(tf.math.log(1 - probability[4:]))
        loss /= 2  # as the paper does for the discriminator
    descend(tape, loss, [discriminator], DISCRIMINATOR_RATE)
    with tf.GradientTape() as tape:
        fake = translate(x)
        logits = discriminator(tf.concat([x, fake], -1))
        loss = -tf.reduce_mean(tf.math.log(tf.sigmoid(logits))) + 3.0 * absolute(fake, y)
    descend(tape, loss, [translate], GENERATOR_RATE)

    ours = [model.generator, model.discriminator]
    assert_same_weights(ours, networks)
    for one, start in zip(ours, parts(), strict=True):
        assert_moved([one], [start])


def test_each_optimizer_moves_its_own_network_only():
    assert_only_the_intended_networks_move(
        make,
        (images(4), images(4, seed=1)),
        lambda model: [model.generator],
        lambda model: [model.discriminator],
    )


def test_the_discriminator_tells_pairs_that_do_not_belong_together():
    """Real images beside another source are as real as any, but no pair."""
    x, y = images(2), images(2, seed=1)
    model = make()
    batch = model.as_batch((x, y))
    logits = model.judged(batch, model.synthesize(batch, training=False))
    fake = model.generator(x)
    for name, image in (("real", y), ("fake", fake)):
        expected = model.discriminator(np.concatenate([x, image], -1))
        assert_allclose(logits[name], expected, atol=0)
    other = model.as_batch((x[::-1], y))
    swapped = model.judged(other, model.synthesize(other, training=False))
    assert np.abs(swapped["real"] - logits["real"]).max() > 1e-3


def test_source_and_image_are_augmented_with_one_draw():
    seen = []

    @keras.saving.register_keras_serializable(package="test")
    class Watched(DiffAugment):
        def call(self, inputs):
            outputs = super().call(inputs)
            seen.append(np.array(outputs))
            return outputs

    x = images(4)
    model = compiled(make(augmentation=Watched(brightness=0, contrast=0, seed=5)))
    model.train_on_batch(x, x)  # the target is the source
    real, fake, for_generator = seen
    assert_allclose(real[..., 0], real[..., 1], atol=0)
    assert (real[..., 0] != x[..., 0]).any()
    for shown in (fake, for_generator):  # both are blank where the square was cut out
        blank = shown[..., 0] == 0
        assert blank.any()
        assert (shown[..., 1][blank] == 0).all()


def test_dropout_acts_in_training_alone():
    source = keras.Input((None, None, 1))
    dropped = keras.layers.Dropout(0.5, seed=1)(source)
    model = Pix2Pix(keras.Model(source, dropped), judge(2, channels=2))
    x = images(2)
    batch = model.as_batch((x, x))
    trained = model.synthesize(batch, training=True)["translated"]
    assert_allclose(np.mean(trained == 0), 0.5, atol=0.1)
    assert_allclose(model(x), x, atol=0)
    assert_allclose(model.predict(x, verbose=0), x, atol=0)
    compiled(model)
    assert_allclose(model.test_on_batch(x, x, return_dict=True)["absolute"], 0, atol=0)


def test_inverse_brightness_is_learned():
    keras.utils.set_random_seed(1)
    model = Pix2Pix(generator(1, width=8), judge(2, channels=2))
    model.compile(
        keras.optimizers.Adam(1e-2, beta_1=0.5),
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )
    x, held_out = discs(128, seed=1), discs(16, seed=9)
    model.fit(x, 1 - x, batch_size=16, epochs=12, verbose=0)
    missed = model.evaluate(held_out, 1 - held_out, verbose=0, return_dict=True)["mae"]
    assert missed < absolute(1 - held_out, held_out) / 10  # of leaving the image as it is
    assert missed < absolute(1 - held_out, (1 - x).mean()) / 5  # of the mean brightness


def test_what_is_wrong_is_refused():
    with pytest.raises(ValueError, match="discriminator of 1 channels, expected 2"):
        Pix2Pix(generator(1), judge(2))
    with pytest.raises(ValueError, match="absolute_weight=-1"):
        make(absolute_weight=-1)
    with pytest.raises(ValueError, match="batch without y"):
        compiled(make()).train_on_batch(images())
