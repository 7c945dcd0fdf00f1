import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage
from skimage.metrics import structural_similarity

from medgan import ops


def reference(first, second, data_range):
    """Gaussian SSIM of scikit-image with the settings of Wang et al., and its map."""
    _, values = structural_similarity(
        first.astype("float64"),
        second.astype("float64"),
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        truncate=3.5,
        use_sample_covariance=False,
        full=True,
    )
    return values[5:-5, 5:-5]


def pictures(seed, count, height, width, scale):
    rng = np.random.default_rng(seed)
    grid = np.add.outer(np.arange(height), np.arange(width)) / (height + width)
    return (scale * (0.6 * grid + 0.4 * rng.uniform(size=(count, height, width)))).astype("float32")


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_map_and_mean_are_those_of_scikit_image(data_range):
    first, second = pictures(1, 2, 24, 31, data_range), pictures(2, 2, 24, 31, data_range)
    expected = np.stack([reference(a, b, data_range) for a, b in zip(first, second, strict=True)])
    first, second = first[..., None], second[..., None]
    # float32 variances of values up to 1 carry about 1e-7 / 9e-4 of error at most
    assert_allclose(ops.ssim_map(first, second, data_range)[..., 0], expected, atol=3e-5)
    assert_allclose(ops.ssim(first, second, data_range), expected.mean(axis=(1, 2)), atol=3e-6)


def test_equal_images_score_one_and_no_others():
    image = pictures(1, 1, 16, 16, 1.0)[..., None]
    assert_allclose(ops.ssim(image, image), [1], atol=1e-6)
    assert float(ops.ssim(image, 1 - image)[0]) < 0
    assert float(ops.ssim(image, image + 0.05)[0]) < 0.999


def test_constant_images_keep_only_the_luminance_term():
    first, second = np.full((1, 12, 12, 1), 0.2, "float32"), np.full((1, 12, 12, 1), 0.6, "float32")
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert_allclose(ops.ssim(first, second), [expected], rtol=1e-3)


def test_fusion_ssim_is_the_mean_over_both_sources():
    sources = pictures(1, 4, 20, 18, 255.0).reshape(2, 2, 20, 18).transpose(0, 2, 3, 1)
    fused = pictures(2, 2, 20, 18, 255.0)
    expected = [
        (reference(s[..., 0], f, 255).mean() + reference(s[..., 1], f, 255).mean()) / 2
        for s, f in zip(sources, fused, strict=True)
    ]
    assert_allclose(ops.fusion_ssim(sources, fused[..., None], 255.0), expected, atol=3e-6)


def head_like(seed, count=2, height=40, width=45):
    """Sources and their mean with noise: black, saturated and textured parts, whole grey levels."""
    noise = np.random.default_rng(seed).normal(size=(count, height, width, 3))
    images = 128 + 60 * ndimage.gaussian_filter(noise, (0, 2, 2, 0)) / 0.14 + 4 * noise
    images[:, :12] = 0
    images[:, 28:] += 120
    images[..., 2] = (images[..., 0] + images[..., 1]) / 2
    images = np.round(np.clip(images, 0, 255)).astype("float32")
    return images[..., :2], images[..., 2:]


@pytest.mark.parametrize(
    ("key", "variant", "tolerance"),
    [
        ("ssim_uniform", ops.fusion_ssim_uniform, 1e-5),
        # the reference rounds in float32 as well
        ("ssim_legacy_sum", ops.fusion_ssim_legacy_sum, 1e-3),
        ("ssim_matlab", ops.fusion_ssim_matlab, 1e-5),
    ],
)
def test_variants_are_those_of_the_reference(reference, key, variant, tolerance):
    sources, fused = head_like(1)
    expected = [
        reference[key](s[..., 0], s[..., 1], f[..., 0])
        for s, f in zip(sources.astype("float64"), fused.astype("float64"), strict=True)
    ]
    assert_allclose(variant(sources, fused), expected, rtol=tolerance)


def test_variants_rank_a_noisy_and_a_blurred_result_below_a_clean_one():
    image = head_like(1, 1)[1]
    sources = np.repeat(image, 2, axis=-1)
    noise = np.random.default_rng(2).normal(size=image.shape)
    noisy = [image + sigma * noise for sigma in (0, 3, 9, 27)]
    blurred = [ndimage.gaussian_filter(image, (0, sigma, sigma, 0)) for sigma in (0, 0.6, 1, 2)]
    for variant, best in (
        (lambda *images: ops.fusion_ssim(*images, 255.0), 1),
        (ops.fusion_ssim_uniform, 1),
        (ops.fusion_ssim_legacy_sum, 2),
        (ops.fusion_ssim_matlab, 1),
    ):
        for series in (noisy, blurred):
            values = np.asarray(variant(np.repeat(sources, 4, axis=0), np.concatenate(series)))
            assert_allclose(values[0], best, rtol=1e-6)
            assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("level", [40.0, 200.3, 255.0])
def test_variants_keep_only_the_luminance_term_of_constant_images(level):
    black, constant = np.zeros((1, 16, 16, 2), "float32"), np.full((1, 16, 16, 1), level, "float32")
    for variant, data_range, factor in (
        (ops.fusion_ssim_uniform, 255, 1),
        (ops.fusion_ssim_legacy_sum, 2, 2),
        (ops.fusion_ssim_matlab, 1, 1),
    ):
        floor = (0.01 * data_range) ** 2
        luminance = factor * floor / (level**2 + floor)
        assert_allclose(variant(black, constant), [luminance], rtol=1e-3, atol=1e-6)
        same = np.repeat(constant, 2, axis=-1)
        assert_allclose(variant(same, constant), [factor], rtol=1e-6)


def test_wrong_channels_and_small_images_are_refused():
    with pytest.raises(ValueError, match="two sources stacked"):
        ops.fusion_ssim(np.zeros((1, 16, 16, 3), "float32"), np.zeros((1, 16, 16, 1), "float32"))
    with pytest.raises(ValueError, match="expected grey images"):
        ops.ssim(np.zeros((1, 16, 16, 3), "float32"), np.zeros((1, 16, 16, 3), "float32"))
    with pytest.raises(ValueError, match=r"6x16.*at least 7 pixels"):
        ops.fusion_ssim_uniform(
            np.zeros((1, 6, 16, 2), "float32"), np.zeros((1, 6, 16, 1), "float32")
        )
    with pytest.raises(ValueError, match=r"10x16.*at least 11 pixels"):
        ops.ssim(np.zeros((1, 10, 16, 1), "float32"), np.zeros((1, 10, 16, 1), "float32"))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradient_is_finite_on_constant_images(level):
    image = tf.fill((1, 16, 16, 1), level)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = ops.ssim(tf.zeros_like(image), image)
    assert np.isfinite(tape.gradient(score, image)).all()
    assert np.isfinite(score).all()


def _mask_by_loops(image, threshold):
    """A pixel counts if some pixel of its row and column is bright on each of its four sides."""
    bright = image > threshold
    mask = np.zeros(image.shape)
    for y, x in np.ndindex(*image.shape):
        sides = (bright[: y + 1, x], bright[y:, x], bright[y, : x + 1], bright[y, x:])
        mask[y, x] = all(side.any() for side in sides)
    return mask


def test_head_mask_is_the_union_of_both_filled_outlines():
    rng = np.random.default_rng(0)
    sources = rng.uniform(size=(2, 9, 12, 2)).astype("float32") ** 6  # few bright pixels
    expected = [
        np.maximum(_mask_by_loops(s[..., 0], 0.2), _mask_by_loops(s[..., 1], 0.2)) for s in sources
    ]
    assert 0.1 < np.mean(expected) < 0.9
    assert_allclose(ops.head_mask(sources, threshold=0.2), expected)


def test_head_mask_fills_a_ring_and_leaves_the_outside():
    y, x = np.mgrid[-10:11, -10:11]
    radius = np.hypot(x, y)
    ring = ((radius > 6) & (radius < 8)).astype("float32")
    sources = np.stack([ring, np.zeros_like(ring)], axis=-1)[None]
    mask = np.asarray(ops.head_mask(sources))[0]
    assert mask[radius < 8].all()
    assert not mask[radius > 11].any()


def test_head_ssim_is_the_map_averaged_inside_the_mask():
    rng = np.random.default_rng(0)
    sources = np.zeros((1, 32, 32, 2), "float32")
    sources[:, 8:26, 6:24] = 255 * rng.uniform(0.2, 1, size=(1, 18, 18, 2))
    fused = np.zeros((1, 32, 32, 1), "float32")
    fused[:, 8:26, 6:24] = 255 * rng.uniform(0.2, 1, size=(1, 18, 18, 1))
    maps = [reference(sources[0, ..., i], fused[0, ..., 0], 255) for i in range(2)]
    inside = np.zeros((32, 32), bool)
    inside[8:26, 6:24] = True
    expected = np.mean(maps, axis=0)[inside[5:-5, 5:-5]].mean()
    assert_allclose(ops.head_ssim(sources, fused), [expected], atol=3e-6)
    assert float(ops.head_ssim(sources, fused)[0]) < float(
        ops.fusion_ssim(sources, fused, 255.0)[0]
    )


def test_head_ssim_without_a_head_is_that_of_the_frame():
    black = np.zeros((1, 16, 16, 2), "float32")
    fused = np.full((1, 16, 16, 1), 40.0, "float32")
    expected = 6.5025 / (1600 + 6.5025)
    assert_allclose(ops.head_ssim(black, fused), [expected], rtol=1e-3)
