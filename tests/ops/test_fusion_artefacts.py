import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan import ops


def images(seed, *shape):
    smooth = np.random.default_rng(seed).uniform(size=shape)
    return 255 * ndimage.gaussian_filter(smooth, (0, 1, 1, 0)).astype("float32")


def test_artefacts_are_those_of_the_reference(reference):
    sources, fused = images(1, 3, 24, 33, 2), images(2, 3, 24, 33, 1)
    expected = [
        reference["nabf"](s[..., 0], s[..., 1], f[..., 0])
        for s, f in zip(sources.astype("float64"), fused.astype("float64"), strict=True)
    ]
    assert min(expected) > 0.05
    assert_allclose(ops.fusion_artefacts(sources, fused), expected, atol=1e-5)


def test_a_new_edge_by_hand():
    # one edge of 40 grey levels in the fused image, none in the sources: weights are all .001,
    # nothing is preserved, and two of the eight columns have an edge
    sources = np.full((1, 8, 8, 2), 10.0, "float32")
    fused = np.full((1, 8, 8, 1), 10.0, "float32")
    fused[:, :, 4:] = 50
    strength = 0.9999 / (1 + np.exp(19 * 0.5))
    preserved = np.sqrt(strength * 0.9995 / (1 + np.exp(-22 * 0.5)))
    assert_allclose(ops.fusion_artefacts(sources, fused), [(1 - preserved) * 2 / 8], rtol=1e-5)


def test_sources_blurred_and_weakened_have_no_artefacts():
    sources = images(1, 1, 32, 32, 2)
    for fused in (sources[..., :1], sources[..., 1:], 0.5 * sources[..., :1] + 60):
        assert_allclose(ops.fusion_artefacts(sources, fused), [0], atol=1e-7)
    blurred = ndimage.gaussian_filter(sources[..., :1], (0, 3, 3, 0))
    assert float(ops.fusion_artefacts(sources, blurred)[0]) < 0.01


def test_artefacts_do_not_depend_on_the_order_of_the_sources():
    sources, fused = images(1, 2, 16, 16, 2), images(2, 2, 16, 16, 1)
    swapped = ops.fusion_artefacts(sources[..., ::-1], fused)
    assert_allclose(swapped, ops.fusion_artefacts(sources, fused), rtol=1e-5)


def test_artefacts_do_not_depend_on_brightness_or_on_the_sign_of_the_fused_image():
    sources, fused = images(1, 1, 20, 20, 2), images(2, 1, 20, 20, 1)
    expected = ops.fusion_artefacts(sources, fused)
    assert_allclose(ops.fusion_artefacts(sources + 9, fused - 5), expected, rtol=1e-3)
    assert_allclose(ops.fusion_artefacts(sources, 255 - fused), expected, rtol=1e-3)


def test_artefacts_grow_with_noise_within_zero_and_one():
    sources = images(1, 1, 48, 48, 2)
    noise = np.random.default_rng(2).normal(size=(1, 48, 48, 1))
    mean = sources.mean(axis=-1, keepdims=True)
    values = [float(ops.fusion_artefacts(sources, mean + s * noise)[0]) for s in (0, 4, 12, 36)]
    assert values == sorted(values)
    assert 0 <= values[0] < 0.1 < values[-1] < 1


@pytest.mark.parametrize("level", [0.0, 77.7, 255.0])
def test_constant_images_have_no_artefacts(level):
    constant = np.full((1, 16, 16, 1), level, "float32")
    for sources in (images(1, 1, 16, 16, 2), np.repeat(255 - constant, 2, axis=-1)):
        assert_allclose(ops.fusion_artefacts(sources, constant), [0], atol=1e-7)
