import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.ops import spatial_frequency


def test_value_by_hand():
    # differences along x: 1, 1, 2, -3; along y: 3, 4, 0
    image = np.array([[0, 1, 2], [3, 5, 2]], "float32")
    along_x = np.mean([1, 1, 2**2, 3**2])
    along_y = np.mean([3**2, 4**2, 0])
    score = spatial_frequency(image[None, :, :, None])
    assert_allclose(score, [np.sqrt(along_x + along_y)], rtol=1e-6)


def test_each_image_is_scored_alone():
    batch = np.random.default_rng(0).uniform(0, 255, size=(3, 5, 8, 1)).astype("float32")
    expected = [
        np.sqrt(np.mean(np.diff(i, axis=0) ** 2) + np.mean(np.diff(i, axis=1) ** 2))
        for i in batch.astype("float64")[..., 0]
    ]
    assert_allclose(spatial_frequency(batch), expected, rtol=1e-5)


def test_score_grows_with_contrast_and_ignores_an_offset():
    image = np.random.default_rng(1).uniform(size=(1, 6, 6, 1)).astype("float32")
    base = np.asarray(spatial_frequency(image))
    assert_allclose(spatial_frequency(3 * image + 1), 3 * base, rtol=1e-5)


def test_constant_image_scores_zero_with_a_finite_gradient():
    image = tf.fill((2, 6, 6, 1), 0.7)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = spatial_frequency(image)
    assert_allclose(score, [0, 0], atol=1e-5)
    assert_allclose(tape.gradient(score, image), np.zeros((2, 6, 6, 1)))


@pytest.mark.parametrize("shape", [(1, 8, 8, 2), (8, 8, 1)])
def test_anything_but_grey_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"expected grey images"):
        spatial_frequency(np.zeros(shape, "float32"))
