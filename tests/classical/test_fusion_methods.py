"""What all classical methods have in common."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.classical import FUSION_METHODS

EVERY = pytest.mark.parametrize("name", FUSION_METHODS)
# A code of at most 16 atoms of 64 is coarse; elsewhere only rounding counts.
LOSSLESS = [name for name in FUSION_METHODS if name not in ("clipped_sum", "sparse_representation")]


def pairs(seed, *shape):
    """Random grey levels: no two coefficients are equal, so no rule must break a tie."""
    return np.random.default_rng(seed).uniform(size=(*shape, 2)).astype("float32")


def fused(name, sources):
    return np.asarray(FUSION_METHODS[name](sources))


def test_table_names_the_nine_methods_in_order():
    assert list(FUSION_METHODS) == [
        "average",
        "maximum",
        "clipped_sum",
        "pca",
        "laplacian",
        "dwt",
        "swt",
        "guided_filter",
        "sparse_representation",
    ]


@EVERY
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 31, 20), (2, 9, 33)])
def test_result_has_one_channel_of_float32_in_range(name, shape):
    result = fused(name, pairs(1, *shape))
    assert result.shape == (*shape, 1)
    assert result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1


@EVERY
def test_images_of_a_batch_do_not_mix(name):
    sources = pairs(2, 2, 12, 17)
    alone = np.concatenate([fused(name, sources[:1]), fused(name, sources[1:])])
    assert_allclose(fused(name, sources), alone, atol=1e-6)


@EVERY
def test_tensor_and_other_precision_give_the_same(name):
    sources = pairs(3, 1, 12, 12).astype("float16")
    expected = fused(name, sources.astype("float32"))
    assert_allclose(fused(name, tf.constant(sources)), expected, atol=1e-6)
    assert_allclose(fused(name, sources.astype("float64")), expected, atol=1e-6)


@EVERY
def test_order_of_the_sources_does_not_matter(name):
    sources = pairs(4, 1, 20, 23)
    assert_allclose(fused(name, sources), fused(name, sources[..., ::-1]), atol=2e-6)


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("size", [(16, 16), (21, 38)])
def test_image_fused_with_itself_comes_back(name, size):
    image = pairs(5, 1, *size)[..., :1]
    assert_allclose(fused(name, np.repeat(image, 2, axis=-1)), image, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in FUSION_METHODS if name != "clipped_sum"])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constants_stay(name, value):
    sources = np.full((1, 18, 21, 2), value, "float32")
    assert_allclose(fused(name, sources), sources[..., :1], atol=1e-6)


@pytest.mark.parametrize("size", [(40, 40), (37, 43)])
@EVERY
def test_nothing_moves(name, size):
    # Half a pixel would show in the centre of mass of a blob beside flat grey.
    rows, columns = np.ogrid[: size[0], : size[1]]
    blob = 0.3 * np.exp(-((rows - 18) ** 2 + (columns - 21) ** 2) / 20)
    grey = 0.2
    result = fused(name, np.stack([grey + blob, grey + 0 * blob], axis=-1)[None])[0, ..., 0]
    result = result - (2 * grey if name == "clipped_sum" else grey)
    assert_allclose(np.sum(result * rows) / result.sum(), 18, atol=0.1)
    assert_allclose(np.sum(result * columns) / result.sum(), 21, atol=0.1)


@EVERY
@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (np.zeros((1, 16, 16, 3)), r"shape \(1, 16, 16, 3\); expected \(batch, height, width, 2\)"),
        (np.zeros((16, 16, 2)), r"shape \(16, 16, 2\)"),
        (np.zeros((0, 16, 16, 2)), "hold no pixel"),
        (np.zeros((1, 16, 16, 2), "uint8"), r"uint8 sources; expected floating point in \[0, 1\]"),
        (np.full((1, 16, 16, 2), np.nan), r"from nan to nan; expected finite values in \[0, 1\]"),
        (np.full((1, 16, 16, 2), 255.0), r"from 255 to 255; .* divide 8-bit images by 255"),
        (np.full((1, 16, 16, 2), -0.5), "from -0.5 to -0.5"),
    ],
)
def test_what_is_no_pair_of_grey_images_is_refused(name, sources, message):
    with pytest.raises(ValueError, match=message):
        FUSION_METHODS[name](sources)


@pytest.mark.parametrize(
    ("name", "side"),
    [("laplacian", 4), ("dwt", 6), ("swt", 6), ("guided_filter", 3), ("sparse_representation", 8)],
)
def test_smallest_side_is_the_one_said(name, side):
    assert fused(name, pairs(7, 1, side, 30)).shape == (1, side, 30, 1)
    with pytest.raises(ValueError, match=f"{side - 1}x30; .* at least {side} pixels a side"):
        FUSION_METHODS[name](pairs(7, 1, side - 1, 30))


def test_sources_are_left_as_they_are():
    for method in FUSION_METHODS.values():
        sources = pairs(8, 1, 9, 9)
        before = sources.copy()
        method(sources)
        assert_array_equal(sources, before)
