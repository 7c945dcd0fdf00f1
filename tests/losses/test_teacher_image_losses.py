import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from skimage.metrics import structural_similarity

from medgan.losses import TeacherImageLoss, WaveletLoss


def images(seed, *shape):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


@pytest.mark.parametrize("channels", [1, 2])
def test_teacher_image_is_the_absolute_and_the_structural_difference(channels):
    teacher, student = images(0, 2, 20, 17, channels), images(1, 2, 20, 17, channels)
    expected = []
    for t, s in zip(teacher.astype("float64"), student.astype("float64"), strict=True):
        similarity = structural_similarity(
            t,
            s,
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        expected.append(3 * np.abs(t - s).mean() + 7 * (1 - similarity))
    loss = TeacherImageLoss(absolute=3, structure=7)
    assert_allclose(loss.call(teacher, student), expected, rtol=1e-4)
    assert_allclose(loss(teacher, student), np.mean(expected), rtol=1e-4)


@pytest.mark.parametrize("loss", [TeacherImageLoss(), WaveletLoss()])
def test_equal_images_cost_nothing(loss):
    image = images(0, 2, 16, 16, 1)
    assert_allclose(loss(image, image), 0, atol=1e-5)


def test_one_level_by_hand():
    teacher = np.zeros((1, 2, 2, 1), "float32")
    student = np.array([[1, 2], [3, 5]], "float32")[None, :, :, None]
    # details (1-2+3-5)/2, (1+2-3-5)/2, (1-2-3+5)/2: 1.5 + 2.5 + 0.5, halved
    assert_allclose(WaveletLoss(levels=1)(teacher, student), 2.25)


def wavelet_by_matrices(difference, levels):
    """Sum over levels and bands of the mean absolute detail, halved, with Haar matrices."""
    total = 0.0
    for _ in range(levels):
        rows, columns = (side // 2 * 2 for side in difference.shape)
        low_r, high_r = (np.kron(np.eye(rows // 2), [[1, sign]]) for sign in (1, -1))
        low_c, high_c = (np.kron(np.eye(columns // 2), [[1, sign]]) for sign in (1, -1))
        difference = difference[:rows, :columns] / 2
        for left, right in ((low_r, high_c), (high_r, low_c), (high_r, high_c)):
            total += np.abs(left @ difference @ right.T).mean()
        difference = low_r @ difference @ low_c.T
    return total / 2


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("size", [(16, 24), (17, 15)])
def test_levels_add_up_and_channels_are_averaged(levels, size):
    teacher, student = images(0, 2, *size, 2), images(1, 2, *size, 2)
    difference = (student - teacher).astype("float64").transpose(0, 3, 1, 2)
    expected = [np.mean([wavelet_by_matrices(c, levels) for c in image]) for image in difference]
    assert_allclose(WaveletLoss(levels).call(teacher, student), expected, rtol=1e-5)


def test_wavelet_does_not_see_brightness():
    image = images(0, 1, 16, 16, 1)
    assert_allclose(WaveletLoss()(image, image + 0.3), 0, atol=1e-6)


@pytest.mark.parametrize("loss", [TeacherImageLoss(), WaveletLoss()])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradient_is_finite_on_flat_images(loss, level):
    student = tf.fill((1, 16, 16, 1), level)
    for teacher in (tf.fill((1, 16, 16, 1), level), tf.constant(images(0, 1, 16, 16, 1))):
        with tf.GradientTape() as tape:
            tape.watch(student)
            value = loss(teacher, student)
        assert np.isfinite(tape.gradient(value, student)).all()


@pytest.mark.parametrize("name", ["absolute", "structure"])
def test_negative_weights_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=-1, expected a weight of 0 or more"):
        TeacherImageLoss(**{name: -1})


def test_wavelet_without_a_level_is_refused():
    with pytest.raises(ValueError, match="levels=0, expected 1 or more"):
        WaveletLoss(0)
