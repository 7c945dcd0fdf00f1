import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.ops import contrast_to_noise


def picture(seed, count=3):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 255, size=(count, 12, 15, 1)).astype("float32")
    return images, rng.uniform(size=(count, 12, 15)) < 0.3, rng.uniform(size=(count, 12, 15)) < 0.5


def expected(image, inside, outside):
    image = image[..., 0].astype("float64")
    first, second = image[inside], image[outside]
    return abs(first.mean() - second.mean()) / np.sqrt((first.var() + second.var()) / 2)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_value_by_numpy(dtype):
    images, inside, outside = picture(0)
    values = [expected(*each) for each in zip(images, inside, outside, strict=True)]
    masks = inside.astype(dtype), outside.astype(dtype)
    assert_allclose(contrast_to_noise(images, *masks), values, rtol=1e-4)


def test_flat_regions_have_the_noise_of_rounding():
    image = np.zeros((1, 4, 6, 1), "float32")
    image[:, :, 3:] = 5
    right = image[..., 0] > 0
    assert_allclose(contrast_to_noise(image, right, ~right), [5 * np.sqrt(12)], rtol=1e-6)
    assert_allclose(contrast_to_noise(0 * image, right, ~right), [0])


def test_gain_offset_and_sign_do_not_matter():
    images, inside, outside = picture(1)
    base = np.asarray(contrast_to_noise(images, inside, outside))
    assert_allclose(contrast_to_noise(255 - images / 2, inside, outside), base, rtol=1e-4)
    assert_allclose(contrast_to_noise(images, outside, inside), base, rtol=1e-5)


def test_noise_lowers_it():
    rng = np.random.default_rng(2)
    left = np.arange(40)[None, None] < np.full((1, 40, 1), 20)
    image = np.where(left, 100.0, 130.0)[..., None].astype("float32")
    noise = rng.normal(size=image.shape).astype("float32")
    values = [float(contrast_to_noise(image + s * noise, left, ~left)[0]) for s in (1, 5, 20)]
    assert_allclose(values, [30, 6, 1.5], rtol=0.1)


def test_no_structure_no_value():
    images, inside, outside = picture(3)
    inside[1], outside[2] = False, False
    values = np.asarray(contrast_to_noise(images, inside, outside))
    assert np.isnan(values).tolist() == [False, True, True]


def test_graph_with_unknown_batch():
    images, inside, outside = picture(4)
    signature = [tf.TensorSpec((None, None, None, 1))] + 2 * [
        tf.TensorSpec((None, None, None), tf.bool)
    ]
    graph = tf.function(contrast_to_noise, input_signature=signature, autograph=False)
    assert_allclose(
        graph(images, inside, outside), contrast_to_noise(images, inside, outside), rtol=1e-5
    )


def test_anything_but_grey_images_is_refused():
    mask = np.ones((1, 8, 8))
    with pytest.raises(ValueError, match="expected grey images"):
        contrast_to_noise(np.zeros((1, 8, 8, 2), "float32"), mask, mask)
