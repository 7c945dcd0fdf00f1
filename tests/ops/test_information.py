import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from medgan import ops


def images(seed, *shape, levels=256):
    return np.random.default_rng(seed).integers(0, levels, size=shape).astype("float32")


def alike(seed, shape=(3, 32, 40)):
    """Sources and a fused image that tell something about each other, 16 grey levels."""
    sources = images(seed, *shape, 2, levels=16)
    noise = images(seed + 1, *shape, levels=4)
    return sources, np.minimum(sources.max(axis=-1) + noise, 15)[..., None]


def test_entropy_is_that_of_scipy():
    batch = images(1, 3, 20, 31, 1)
    batch[1] = batch[1] // 64
    expected = [stats.entropy(np.unique(b, return_counts=True)[1], base=2) for b in batch]
    assert_allclose(ops.entropy(batch), expected, rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 17.0, 255.0])
def test_entropy_of_a_constant_image_is_zero(level):
    values = np.asarray(ops.entropy(np.full((2, 9, 9, 1), level, "float32")))
    assert_allclose(values, [0, 0])
    assert not np.signbit(values).any()  # a table would show -0.000


@pytest.mark.parametrize("jit", [False, True])
def test_images_that_hold_nan_have_no_information(jit):
    sources, fused = alike(3)
    sources[0, 4, 5, 1] = fused[1, 2, 3, 0] = np.nan

    @tf.function(jit_compile=jit)
    def scores(sources, fused):
        return [
            ops.entropy(fused),
            ops.fusion_mutual_information(sources, fused),
            ops.normalised_mutual_information(sources, fused),
        ]

    entropy, *shared = (np.isnan(values).tolist() for values in scores(sources, fused))
    assert entropy == [False, True, False]
    assert shared == 2 * [[True, True, False]]


def test_entropy_of_all_grey_levels_is_eight_bits():
    ramp = np.arange(256, dtype="float32").reshape(1, 16, 16, 1)
    assert_allclose(ops.entropy(ramp), [8], rtol=1e-6)
    # what an 8-bit file would hold: rounded, clipped
    assert_allclose(ops.entropy(ramp + 0.4), [8], rtol=1e-6)
    assert_allclose(ops.entropy(1000 + ramp), [0])


def test_mutual_information_is_the_sum_of_those_of_scikit_learn():
    sources, fused = alike(1)
    expected = [
        sum(mutual_info_score(s[..., i].ravel(), f.ravel()) for i in range(2))
        for s, f in zip(sources, fused, strict=True)
    ]
    assert_allclose(ops.fusion_mutual_information(sources, fused), expected, rtol=1e-4)
    in_bits = ops.fusion_mutual_information(sources, fused, unit="bits")
    assert_allclose(in_bits, np.divide(expected, np.log(2)), rtol=1e-4)


def test_normalised_mutual_information_is_the_sum_of_those_of_scikit_learn():
    sources, fused = alike(3)
    expected = [
        sum(normalized_mutual_info_score(s[..., i].ravel(), f.ravel()) for i in range(2))
        for s, f in zip(sources, fused, strict=True)
    ]
    assert_allclose(ops.normalised_mutual_information(sources, fused), expected, rtol=1e-4)


def test_an_image_tells_its_entropy_about_itself():
    image = images(1, 1, 24, 24, 1)
    sources = np.concatenate([image, image], axis=-1)
    in_bits = ops.fusion_mutual_information(sources, image, unit="bits")
    assert_allclose(in_bits, 2 * np.asarray(ops.entropy(image)), rtol=1e-5)
    assert_allclose(ops.normalised_mutual_information(sources, image), [2], rtol=1e-5)


def test_information_does_not_depend_on_which_grey_is_which():
    sources, fused = alike(5)
    table = np.random.default_rng(0).permutation(256).astype("float32")
    relabelled = table[fused.astype(int)]
    for score in (ops.fusion_mutual_information, ops.normalised_mutual_information):
        assert_allclose(score(sources, relabelled), score(sources, fused), rtol=1e-5)
        swapped = np.stack([sources[..., 1], table[sources[..., 0].astype(int)]], axis=-1)
        assert_allclose(score(swapped, fused), score(sources, fused), rtol=1e-5)


def test_information_falls_with_noise():
    image = images(1, 1, 64, 64, 1, levels=32) * 4
    sources = np.concatenate([image, image], axis=-1)
    noise = np.random.default_rng(1).normal(size=image.shape)
    for score in (ops.fusion_mutual_information, ops.normalised_mutual_information):
        values = [float(score(sources, image + sigma * noise)[0]) for sigma in (0, 2, 6, 18)]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.9 * values[0]


def test_constant_images_tell_nothing():
    constant = np.full((1, 16, 16, 1), 30.0, "float32")
    flat, rich = np.repeat(constant, 2, axis=-1), images(1, 1, 16, 16, 2)
    for score in (ops.fusion_mutual_information, ops.normalised_mutual_information):
        assert_allclose(score(flat, constant), [0])
        assert_allclose(score(rich, constant), [0], atol=1e-6)
        assert_allclose(score(flat, rich[..., :1]), [0], atol=1e-6)


def test_another_unit_is_refused():
    with pytest.raises(ValueError, match=r"'hartleys', expected \"nats\" or \"bits\""):
        ops.fusion_mutual_information(*alike(1), unit="hartleys")
