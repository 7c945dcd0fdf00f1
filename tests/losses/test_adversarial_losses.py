import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.losses import (
    AdversarialLoss,
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    WassersteinLoss,
)

LOSSES = [
    NonSaturatingLoss(),
    NonSaturatingLoss(real_label=0.9),
    MinimaxLoss(),
    LeastSquaresLoss(),
    LeastSquaresLoss(real_label=0.95, fake_label=0.15),
    HingeLoss(),
    WassersteinLoss(),
]


def logits(seed, *shape):
    return np.random.default_rng(seed).normal(scale=2, size=shape).astype("float32")


def sigmoid(values):
    return 1 / (1 + np.exp(-values.astype("float64")))


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (NonSaturatingLoss(), 2 * np.log(2), np.log(2)),
        (NonSaturatingLoss(real_label=0.9), 2 * np.log(2), np.log(2)),
        (MinimaxLoss(), 2 * np.log(2), -np.log(2)),
        (LeastSquaresLoss(), 0.5, 1.0),
        (LeastSquaresLoss(0.95, 0.15), (0.95**2 + 0.15**2) / 2, 0.95**2),
        (HingeLoss(), 2.0, 0.0),
        (WassersteinLoss(), 0.0, 0.0),
    ],
)
def test_values_at_zero_logits(loss, discriminator, generator):
    zeros = np.zeros((2, 3, 3, 1), "float32")
    assert_allclose(loss.discriminator(zeros, zeros), discriminator, rtol=1e-6)
    assert_allclose(loss.generator(zeros), generator, atol=1e-6)
    assert_allclose(loss.equilibrium, discriminator, rtol=1e-6)


def test_non_saturating_loss_is_the_paper_s_equations_8_and_9():
    real, fake = logits(0, 2, 4, 4, 2), logits(1, 2, 4, 4, 2)
    loss = NonSaturatingLoss()
    expected = -np.mean(np.log(sigmoid(real))) - np.mean(np.log(1 - sigmoid(fake)))
    assert_allclose(loss.discriminator(real, fake), expected, rtol=1e-5)
    assert_allclose(loss.generator(fake), -np.mean(np.log(sigmoid(fake))), rtol=1e-5)


def test_label_smoothing_is_the_cross_entropy_with_a_soft_target_on_real_images_only():
    real, fake = logits(0, 5, 3), logits(1, 5, 3)
    p = sigmoid(real)
    expected = -np.mean(0.9 * np.log(p) + 0.1 * np.log(1 - p)) - np.mean(np.log(1 - sigmoid(fake)))
    loss = NonSaturatingLoss(real_label=0.9)
    assert_allclose(loss.discriminator(real, fake), expected, rtol=1e-5)
    assert_allclose(loss.generator(fake), NonSaturatingLoss().generator(fake))


def test_minimax_loss_is_the_paper_s_equation_3():
    real, fake = logits(0, 2, 4, 4, 2), logits(1, 2, 4, 4, 2)
    of_fake = np.mean(np.log(1 - sigmoid(fake)))
    loss = MinimaxLoss()
    assert_allclose(loss.generator(fake), of_fake, rtol=1e-5)
    expected = -np.mean(np.log(sigmoid(real))) - of_fake
    assert_allclose(loss.discriminator(real, fake), expected, rtol=1e-5)


def gradient(function, value):
    value = tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value)


def test_only_the_minimax_generator_saturates_when_it_is_found_out():
    fake = np.array([-10.0, -20.0], "float32")
    # d/dt -log(1 + exp(t)) / 2 = -sigmoid(t) / 2
    assert_allclose(gradient(MinimaxLoss().generator, fake), -sigmoid(fake) / 2, rtol=1e-5)
    assert np.abs(gradient(MinimaxLoss().generator, fake)).max() < 1e-4
    assert_allclose(gradient(NonSaturatingLoss().generator, fake), [-0.5, -0.5], rtol=1e-4)


def test_fixed_labels_give_the_mean_gradient_of_drawn_ones():
    real, fake = logits(0, 6), logits(1, 6)
    middle = (np.arange(400) + 0.5) / 400  # midpoints: their mean is that of the uniform draw
    of_real = [np.mean(r - (0.7 + 0.5 * middle)) / 6 for r in real]
    of_fake = [np.mean(f - 0.3 * middle) / 6 for f in fake]
    of_generator = [np.mean(2 * (f - (0.7 + 0.5 * middle))) / 6 for f in fake]
    loss = LeastSquaresLoss(real_label=0.95, fake_label=0.15)
    assert_allclose(gradient(lambda x: loss.discriminator(x, fake), real), of_real, atol=1e-6)
    assert_allclose(gradient(lambda x: loss.discriminator(real, x), fake), of_fake, atol=1e-6)
    assert_allclose(gradient(loss.generator, fake), of_generator, atol=1e-6)


@pytest.mark.parametrize("labels", [(0.0, 1.0), (0.5, 0.5)])
def test_least_squares_labels_the_wrong_way_round_are_refused(labels):
    with pytest.raises(ValueError, match="label of real images above the other"):
        LeastSquaresLoss(*labels)


def test_wasserstein_by_hand():
    loss = WassersteinLoss()
    real, fake = np.array([[3.0, 1.0]]), np.array([[0.5, -1.5], [2.0, 0.0]])
    assert_allclose(loss.discriminator(real, fake), 0.25 - 2)
    assert_allclose(loss.generator(fake), -0.25)


def test_least_squares_by_hand():
    loss = LeastSquaresLoss()
    # real: ((2-1)^2 + (0-1)^2) / 2 = 1; fake: (1 + 9) / 2 = 5
    assert_allclose(loss.discriminator(np.array([2.0, 0.0]), np.array([-1.0, 3.0])), 3)
    assert_allclose(loss.generator(np.array([-1.0, 3.0])), 4)  # (4 + 4) / 2


def test_hinge_by_hand():
    loss = HingeLoss()
    # real: (0 + 0.5) / 2; fake: (0 + 1.5) / 2
    assert_allclose(loss.discriminator(np.array([3.0, 0.5]), np.array([-2.0, 0.5])), 1.0)
    assert_allclose(loss.generator(np.array([-2.0, 0.5])), 0.75)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_large_logits_keep_values_and_gradients_finite(loss, size):
    real, fake = tf.fill((2, 2), size), tf.fill((2, 2), -size)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        terms = (loss.discriminator(real, fake), loss.generator(fake))
    assert np.isfinite(terms).all()
    gradients = [tape.gradient(terms[0], real), tape.gradient(terms[0], fake)]
    gradients.append(tape.gradient(terms[1], fake))
    assert np.isfinite(gradients).all()


def test_generator_that_is_found_out_still_learns():
    fake = tf.constant([-1e4])
    with tf.GradientTape() as tape:
        tape.watch(fake)
        value = NonSaturatingLoss().generator(fake)
    assert_allclose(value, 1e4)
    assert_allclose(tape.gradient(value, fake), [-1])


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_logits_give_a_float32_scalar(loss):
    half = logits(0, 2, 3, 3, 1).astype("float16")
    for value in (loss.discriminator(half, half), loss.generator(half)):
        assert value.shape == ()
        assert value.dtype == tf.float32


@pytest.mark.parametrize("loss", LOSSES)
def test_serialisation_round_trip(loss):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    real, fake = logits(0, 4), logits(1, 4)
    assert_allclose(copy.discriminator(real, fake), loss.discriminator(real, fake))


@pytest.mark.parametrize("label", [0.5, 1.1, -1])
def test_labels_that_are_not_real_are_refused(label):
    with pytest.raises(ValueError, match=rf"real_label={label}, expected above 0.5"):
        NonSaturatingLoss(label)


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        AdversarialLoss()
