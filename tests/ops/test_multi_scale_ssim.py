import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan import ops
from medgan.ops.multi_scale_ssim import SMALLEST_SIDE

SIDE = 176


def pictures(seed, count=2, height=SIDE, width=SIDE, channels=1):
    """Smooth structures of several sizes, in 0..255."""
    rng = np.random.default_rng(seed)
    batch = sum(
        sigma * ndimage.gaussian_filter(rng.normal(size=(count, height, width, channels)), scale)
        for sigma, scale in ((1, (0, 1, 1, 0)), (8, (0, 8, 8, 0)))
    )
    return (np.clip(128 + 100 * batch, 0, 255)).astype("float32")


def by_hand(first, second, mask=None):
    """MS-SSIM of two images in 0..255 with NumPy; the mask is averaged like the images."""
    first, second = first.astype("float64"), second.astype("float64")
    mask = np.ones_like(first) if mask is None else mask.astype("float64")
    result = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        maps = (first, second, first**2, second**2, first * second)
        maps = [ndimage.gaussian_filter(m, 1.5, radius=5)[5:-5, 5:-5] for m in maps]
        mean_1, mean_2 = maps[:2]
        variances = maps[2] - mean_1**2 + maps[3] - mean_2**2
        values = (2 * (maps[4] - mean_1 * mean_2) + 7.65**2) / (variances + 7.65**2)
        if scale == 4:
            values *= (2 * mean_1 * mean_2 + 2.55**2) / (mean_1**2 + mean_2**2 + 2.55**2)
        inside = mask[5:-5, 5:-5]
        inside = inside if inside.any() else np.ones_like(inside)
        result *= max(np.average(values, weights=inside), 1e-6) ** weight
        height, width = (side // 2 for side in first.shape)
        first, second, mask = (
            m[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
            for m in (first, second, mask)
        )
    return result


@pytest.mark.parametrize(("height", "width"), [(SIDE, SIDE), (SIDE + 1, SIDE + 21)])
def test_five_scales_by_hand(height, width):
    first, second = pictures(1, 2, height, width), pictures(1, 2, height, width)
    second[0] = 0.7 * second[0] + 0.3 * pictures(2, 1, height, width)
    second[1] = ndimage.gaussian_filter(second[1], (2, 2, 0))
    expected = [by_hand(x[..., 0], y[..., 0]) for x, y in zip(first, second, strict=True)]
    assert_allclose(ops.ms_ssim(first, second, 255.0), expected, rtol=1e-4)
    assert_allclose(ops.ms_ssim(first / 255, second / 255), expected, rtol=1e-4)


def test_mask_is_averaged_down_the_scales():
    first = pictures(1, 3)
    second = 0.6 * first + 0.4 * pictures(2, 3)
    mask = np.zeros((3, SIDE, SIDE), "float32")
    mask[0, 40:121, 50:133] = 1
    mask[1, 88:91, 88:91] = 1  # on the coarsest scale a few pixels of small weight
    mask[2, :3] = 1  # in the cut border of every scale: the frame counts
    expected = [
        by_hand(x[..., 0], y[..., 0], m) for x, y, m in zip(first, second, mask, strict=True)
    ]
    assert_allclose(ops.ms_ssim(first, second, 255.0, mask=mask), expected, rtol=1e-4)
    frame = ops.ms_ssim(first, second, 255.0)
    assert_allclose(ops.ms_ssim(first, second, 255.0, mask=0 * mask), frame, rtol=1e-6)
    assert_allclose(ops.ms_ssim(first, second, 255.0, mask=0 * mask + 1), frame, rtol=1e-6)


def test_fusion_ms_ssim_is_that_of_the_reference(reference):
    sources, fused = pictures(1, channels=2), pictures(1)
    fused = 0.6 * fused + 0.4 * sources.mean(axis=-1, keepdims=True)
    expected = [
        reference["ms_ssim"](s[..., 0], s[..., 1], f[..., 0])
        for s, f in zip(sources.astype("float64"), fused.astype("float64"), strict=True)
    ]
    assert_allclose(ops.fusion_ms_ssim(sources, fused, 255.0), expected, rtol=1e-4)
    swapped = ops.fusion_ms_ssim(sources[..., ::-1], fused, 255.0)
    assert_allclose(swapped, expected, rtol=1e-4)


def test_equal_images_score_one_and_the_opposite_stays_above_zero():
    image = pictures(1, 1)
    assert_allclose(ops.ms_ssim(image, image, 255.0), [1], rtol=1e-6)
    opposite = float(ops.ms_ssim(image, 255 - image, 255.0)[0])
    # all five means are negative and count 1e-6; the powers sum to 1.0001
    assert_allclose(opposite, 1e-6**1.0001, rtol=1e-3)


def test_ms_ssim_falls_with_noise_and_blur():
    image = pictures(1, 1)
    noise = np.random.default_rng(2).normal(size=image.shape)
    noisy = [image + sigma * noise for sigma in (0, 8, 24, 72)]
    blurred = [ndimage.gaussian_filter(image, (0, sigma, sigma, 0)) for sigma in (0, 1, 3, 9)]
    for series in (noisy, blurred):
        batch = np.concatenate(series).astype("float32")
        values = np.asarray(ops.ms_ssim(np.repeat(image, 4, axis=0), batch, 255.0))
        assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_value_and_gradient_are_finite_on_constant_images(level):
    image = tf.fill((1, SIDE, SIDE, 1), level)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = ops.ms_ssim(tf.zeros_like(image), image)
    expected = (1e-4 / (level**2 + 1e-4)) ** 0.1333  # luminance of the coarsest scale
    assert_allclose(score, [expected], rtol=1e-3)
    assert np.isfinite(tape.gradient(score, image)).all()


def test_images_without_room_for_five_scales_are_refused():
    assert SMALLEST_SIDE == SIDE
    small = np.zeros((1, SIDE, SIDE - 1, 1), "float32")
    with pytest.raises(ValueError, match=r"176x175.*at least 176 pixels"):
        ops.ms_ssim(small, small)
    with pytest.raises(ValueError, match=r"176x175.*at least 176 pixels"):
        ops.fusion_ms_ssim(np.repeat(small, 2, axis=-1), small)
