import keras
import numpy as np
import pytest
import tensorflow as tf
from images_of_noise import (
    NOISE,
    generator,
    grey_images,
    judge,
    noise_of,
    told_of_grey,
)
from numpy.testing import assert_allclose, assert_array_equal
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    assert_moved,
    assert_only_the_intended_networks_move,
    assert_same_weights,
    compiled,
    descend,
    images,
    values,
)

from medgan.losses import MinimaxLoss
from medgan.metrics import FrechetDistance
from medgan.models import GAN, WGAN, WGANGP
from medgan.models.noise import drawn_for

TRAINERS = pytest.mark.parametrize("trainer", [GAN, WGAN, WGANGP])


def small(seed=4, normalization=None, **kwargs):
    return GAN(generator(1), judge(2, normalization=normalization), seed=seed, **kwargs)


def of_kind(trainer, **kwargs):
    # Plain descent in steps this long leaps over a penalty of the usual weight.
    light = {"penalty_weight": 0.1} if trainer is WGANGP else {}
    return trainer(generator(1), judge(2), seed=4, **light, **kwargs)


def pictures(count=4):
    return images(count, side=8)


# Eqs. 8, 9 and 3, written out.


def of_discriminator(real, fake):
    return tf.reduce_mean(tf.math.log(1 + tf.exp(-real))) + tf.reduce_mean(
        tf.math.log(1 + tf.exp(fake))
    )


def not_saturating(fake):
    return tf.reduce_mean(tf.math.log(1 + tf.exp(-fake)))


def minimax(fake):
    return tf.reduce_mean(tf.math.log(1 - tf.sigmoid(fake)))


@pytest.mark.parametrize(
    ("loss", "of_generator"), [(None, not_saturating), (MinimaxLoss(), minimax)]
)
def test_one_step_equals_the_step_written_by_hand(loss, of_generator):
    x = pictures()
    model = compiled(small(adversarial_loss=loss, discriminator_steps=2))
    hand, start = small(), small()
    model.train_on_batch(x)

    (z,) = noise_of(4, 4)
    fake = hand.generator(z, training=True)
    for _ in range(2):
        with tf.GradientTape() as tape:
            value = of_discriminator(hand.discriminator(x), hand.discriminator(fake))
        descend(tape, value, [hand.discriminator], DISCRIMINATOR_RATE)
    with tf.GradientTape() as tape:
        value = of_generator(hand.discriminator(hand.generator(z, training=True)))
    descend(tape, value, [hand.generator], GENERATOR_RATE)

    for network in ("generator", "discriminator"):
        ours, theirs, first = (getattr(m, network) for m in (model, hand, start))
        assert_same_weights([ours], [theirs])
        assert_moved([theirs], [first])


def test_batch_normalisation_sees_each_kind_of_image_alone():
    x = pictures()
    model = compiled(small(normalization=keras.layers.BatchNormalization()))
    hand = small(normalization=keras.layers.BatchNormalization())
    start = small(normalization=keras.layers.BatchNormalization())
    model.train_on_batch(x)

    (z,) = noise_of(4, 4)
    fake = hand.generator(z, training=True)
    with tf.GradientTape() as tape:
        logits = [hand.discriminator(shown, training=True) for shown in (x, fake)]
        value = of_discriminator(*logits)
    descend(tape, value, [hand.discriminator], DISCRIMINATOR_RATE)
    judged = values([hand.discriminator])  # the generator's step moves no average
    with tf.GradientTape() as tape:
        fake = hand.generator(z, training=True)
        value = not_saturating(hand.discriminator(fake, training=True))
    descend(tape, value, [hand.generator], GENERATOR_RATE)

    assert_same_weights([model.generator], [hand.generator])
    assert_moved([model.generator], [start.generator])
    for ours, by_hand in zip(values([model.discriminator]), judged, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6)


def test_an_evaluation_moves_no_average_of_batch_normalisation():
    model = compiled(small(normalization=keras.layers.BatchNormalization()))
    before = values([model.discriminator])
    model.evaluate(pictures(), verbose=0)
    for old, new in zip(before, values([model.discriminator]), strict=True):
        assert_array_equal(new, old)


@TRAINERS
def test_each_optimizer_moves_its_own_network_only(trainer):
    assert_only_the_intended_networks_move(
        lambda: of_kind(trainer),
        (pictures(),),
        lambda model: [model.generator],
        lambda model: [model.discriminator],
    )


@TRAINERS
def test_step_in_a_graph_equals_the_eager_step(trainer):
    results = []
    for eager in (True, False):
        model = of_kind(trainer, discriminator_steps=2)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=eager)
        for _ in range(2):
            model.train_on_batch(pictures())
        results.append(values([model.generator, model.discriminator]))
    for one, other in zip(*results, strict=True):
        assert_allclose(one, other, atol=2e-6)


def test_noise_is_drawn_once_a_step_whatever_the_discriminators_steps():
    model = compiled(small(discriminator_steps=3))
    for _ in range(2):
        model.train_on_batch(pictures())
    assert_array_equal(model.seed_generator.state, [4, 2])  # the seed, and the number of draws


def test_noise_is_that_of_the_standard_normal_distribution():
    network = generator(1)
    draws = keras.random.SeedGenerator(0)
    first, second = (np.array(drawn_for(np.zeros(4000), network, draws)) for _ in range(2))
    assert first.shape == (4000, NOISE)
    assert_allclose(first.mean(axis=0), np.zeros(NOISE), atol=0.06)
    assert_allclose(np.cov(first.T), np.eye(NOISE), atol=0.08)
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_a_saved_trainer_goes_on_with_its_noise(tmp_path):
    model = compiled(small())
    model.train_on_batch(pictures())
    model.save(tmp_path / "gan.keras")
    twin = keras.models.load_model(tmp_path / "gan.keras")
    batch = model.as_batch(pictures())
    expected = np.array(model.synthesize(batch, training=False)["generated"])
    assert_allclose(twin.synthesize(batch, training=False)["generated"], expected, atol=1e-6)
    assert np.abs(model.synthesize(batch, training=False)["generated"] - expected).max() > 1e-3


def test_called_it_makes_images_of_the_callers_noise():
    model, z = small(), np.random.default_rng(0).normal(size=(5, NOISE)).astype("float32")
    assert_allclose(model(z), model.generator(z), atol=0)
    assert_allclose(model.predict(z, verbose=0), model.generator(z), atol=1e-6)
    assert model.products == {"generator": model.generator}


def test_metrics_of_distributions_see_real_and_generated_images():
    image = keras.Input((8, 8, 1))
    brightness = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    model = small()
    model.compile("sgd", "sgd", metrics=[FrechetDistance(brightness)])
    x = pictures(6)
    state = np.array(model.seed_generator.state)
    logs = model.evaluate(x, batch_size=3, verbose=0, return_dict=True)
    model.seed_generator.state.assign(state)
    made = [model.generator(z) for z in noise_of(4, 3, draws=2)]
    greys = x.mean(axis=(1, 2, 3)), np.concatenate(made).mean(axis=(1, 2, 3))
    # Of one feature: the squared differences of means and of standard deviations.
    means, spreads = ([of(grey) for grey in greys] for of in (np.mean, lambda v: v.std(ddof=1)))
    expected = (means[0] - means[1]) ** 2 + (spreads[0] - spreads[1]) ** 2
    assert_allclose(logs["fid"], expected, rtol=1e-2)
    assert set(logs) == {"adversarial", "fid", "loss"}


def test_judgement_is_that_of_the_discriminator():
    model = small()
    batch = model.as_batch(pictures())
    made = model.synthesize(batch, training=False)
    logits = model.judged(batch, made)
    assert_allclose(logits["real"], model.discriminator(batch["x"]), atol=0)
    assert_allclose(logits["fake"], model.discriminator(made["generated"]), atol=0)


def test_greys_are_learned():
    """From 0.2 off the mean grey and all alike, to within 0.03 and a third to twice the spread."""
    keras.utils.set_random_seed(2)
    model = GAN(generator(2), judge(7), discriminator_steps=3, seed=2)
    # A GAN goes round its goal; the average of its weights does not.
    optimizer = keras.optimizers.Adam(5e-3, beta_1=0.5, use_ema=True, ema_momentum=0.98)
    model.compile(optimizer, keras.optimizers.Adam(5e-3, beta_1=0.5))
    mean, spread, _ = told_of_grey(model)
    assert abs(mean - 0.7) > 0.15
    assert spread < 0.01
    model.fit(grey_images(1024, 1), batch_size=32, epochs=16, verbose=0)
    mean, spread, _ = told_of_grey(model)
    assert abs(mean - 0.7) < 0.03
    assert 0.015 < spread < 0.1


@TRAINERS
def test_networks_that_do_not_fit_are_refused(trainer):
    with pytest.raises(ValueError, match="expected noise of known size"):
        trainer(keras.Sequential([keras.layers.Dense(4)]), judge(1))
    with pytest.raises(ValueError, match="expected the same sides and channels"):
        trainer(generator(1, side=16), judge(1))
    image = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match="expected noise of known size"):
        trainer(keras.Model(image, keras.layers.Conv2D(1, 1)(image)), judge(1))


@TRAINERS
def test_real_images_of_another_size_are_refused(trainer):
    model = compiled(trainer(generator(1), judge(2)))
    with pytest.raises(ValueError, match="Resize the images, or build both networks for theirs"):
        model.train_on_batch(images(2, side=16))
