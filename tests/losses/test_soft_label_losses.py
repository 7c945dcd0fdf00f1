import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import special

from medgan.losses import SoftenedLabelLoss, SpatialSoftLabelLoss


def logits(seed, *shape):
    return np.random.default_rng(seed).normal(scale=2, size=shape).astype("float32")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_softened_label_is_the_divergence_of_two_bernoullis(temperature):
    teacher, student = logits(0, 3, 4, 4, 2), logits(1, 3, 4, 4, 2)
    p = special.expit(teacher.astype("float64") / temperature)
    q = special.expit(student.astype("float64") / temperature)
    divergence = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    expected = temperature**2 * divergence.mean(axis=(1, 2, 3))
    loss = SoftenedLabelLoss(temperature)
    assert_allclose(loss.call(teacher, student), expected, rtol=1e-4)
    assert_allclose(loss(teacher, student), expected.mean(), rtol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_softened_label_is_least_and_zero_where_the_logits_agree(temperature):
    loss = SoftenedLabelLoss(temperature)
    teacher = logits(0, 2, 5, 5, 1)
    assert_allclose(loss(teacher, teacher), 0, atol=1e-6)
    for offset in (-1, -0.1, 0.1, 1):
        assert float(loss(teacher, teacher + offset)) > 1e-4
    student = tf.constant(teacher)
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = loss(teacher, student)
    assert_allclose(tape.gradient(value, student), np.zeros_like(teacher), atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0, 20.0])
def test_gradient_of_small_logits_is_a_quarter_of_the_difference_at_every_temperature(temperature):
    teacher = np.array([[-0.3, 0.1, 0.2, 0.3]], "float32")
    student = tf.constant([[0.2, -0.2, 0.3, -0.1]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = SoftenedLabelLoss(temperature)(teacher, student)
    gradient = 4 * tape.gradient(value, student)  # of the sum over the four patches
    # sigmoid is linear up to d^3 / 48: below 1 percent of the slope for logits of 0.3
    assert_allclose(gradient, (student - teacher) / 4, rtol=0.02)


def test_softened_label_stays_finite_at_large_logits():
    teacher, student = tf.constant([[1e4, -1e4]]), tf.constant([[-1e4, 1e4]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = SoftenedLabelLoss(1.0)(teacher, student)
    assert_allclose(value, 1e4, rtol=1e-5)
    assert_allclose(tape.gradient(value, student), [[-0.5, 0.5]], atol=1e-5)


def windows(image, side):
    """The windows of one channel that are whole, flattened."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return [
        image[r * side : (r + 1) * side, c * side : (c + 1) * side].ravel()
        for r in range(rows)
        for c in range(columns)
    ]


def images(seed, *shape):
    return np.random.default_rng(seed).uniform(-0.05, 1.05, size=shape).astype("float32")


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("shape", [(2, 16, 24, 1), (2, 21, 17, 2)])
def test_spatial_labels_are_the_softmax_of_scipy_over_each_window(temperature, shape):
    teacher, student = images(0, *shape), images(1, *shape)
    expected = []
    for t, s in zip(teacher.astype("float64"), student.astype("float64"), strict=True):
        divergences = []
        for channel in range(shape[-1]):
            logits_t = special.logit(np.clip(t[..., channel], 0.01, 0.99))
            logits_s = special.logit(np.clip(s[..., channel], 0.01, 0.99))
            for u, v in zip(windows(logits_t, 8), windows(logits_s, 8), strict=True):
                p, q = special.softmax(u / temperature), special.softmax(v / temperature)
                divergences.append(special.rel_entr(p, q).sum())
        expected.append(temperature**2 * np.mean(divergences))
    loss = SpatialSoftLabelLoss(temperature, window=8)
    assert_allclose(loss.call(teacher, student), expected, rtol=1e-4)
    assert_allclose(loss(teacher, student), np.mean(expected), rtol=1e-4)


def test_spatial_labels_do_not_see_an_offset_of_a_window_but_do_see_one_inside_it():
    u = logits(0, 1, 16, 16, 1) / 2
    offsets = np.kron([[1.0, -0.5], [0.3, -1.2]], np.ones((8, 8)))[None, :, :, None]
    teacher = special.expit(u)
    loss = SpatialSoftLabelLoss(window=8)
    assert_allclose(loss(teacher, special.expit(u + offsets)), 0, atol=1e-5)
    half = np.kron([[1.0, -0.5, 0.3, -1.2]], np.ones((16, 4)))[None, :, :, None]
    assert float(loss(teacher, special.expit(u + half))) > 0.01


def test_spatial_labels_of_equal_images_cost_nothing():
    image = images(0, 2, 32, 32, 1)
    assert_allclose(SpatialSoftLabelLoss()(image, image), 0, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradient_of_spatial_labels_is_finite_on_flat_images(level):
    teacher, student = images(0, 1, 16, 16, 1), tf.fill((1, 16, 16, 1), level)
    for target in (teacher, tf.fill((1, 16, 16, 1), level)):
        with tf.GradientTape() as tape:
            tape.watch(student)
            value = SpatialSoftLabelLoss()(target, student)
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, student)).all()


def test_spatial_labels_work_at_sizes_known_only_in_the_call():
    loss = SpatialSoftLabelLoss(window=8)
    compiled = tf.function(loss.call, input_signature=[tf.TensorSpec((None, None, None, 1))] * 2)
    teacher, student = images(0, 2, 21, 17, 1), images(1, 2, 21, 17, 1)
    assert_allclose(compiled(teacher, student), loss.call(teacher, student), rtol=1e-5)


def test_images_smaller_than_a_window_are_refused():
    image = images(0, 1, 15, 32, 1)
    with pytest.raises(ValueError, match=r"15x32, expected at least one window of 16x16"):
        SpatialSoftLabelLoss()(image, image)


@pytest.mark.parametrize("loss", [SoftenedLabelLoss, SpatialSoftLabelLoss])
@pytest.mark.parametrize("temperature", [0, -1.0])
def test_temperatures_must_be_above_zero(loss, temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature}, expected a number above 0"):
        loss(temperature)


def test_windows_of_one_pixel_are_refused():
    with pytest.raises(ValueError, match="window=1, expected 2 or more"):
        SpatialSoftLabelLoss(window=1)
