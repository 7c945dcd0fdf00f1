import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage, signal

from medgan import ops


def _strength_and_angle(image):
    kernel = np.array([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])
    along_y = signal.convolve2d(image, kernel, mode="same")
    along_x = signal.convolve2d(image, -kernel.T, mode="same")
    angle = np.full(image.shape, np.pi / 2)
    np.divide(along_y, along_x, out=angle, where=along_x != 0)
    return np.hypot(along_x, along_y), np.where(along_x == 0, np.pi / 2, np.arctan(angle))


def _kept(source, fused):
    (strength, angle), (fused_strength, fused_angle) = source, fused
    ratio = np.empty_like(strength)
    for place in np.ndindex(*strength.shape):
        g, f = strength[place], fused_strength[place]
        ratio[place] = f if g == f else min(g, f) / max(g, f)
    alignment = 1 - np.abs(angle - fused_angle) / (np.pi / 2)
    strength_kept = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
    return strength_kept * 0.9879 / (1 + np.exp(-22 * (alignment - 0.8)))


def qabf(first, second, fused):
    """Xydeas and Petrovic's measure as its MATLAB code has it, transcribed in float64."""
    a, b, f = (_strength_and_angle(image.astype("float64")) for image in (first, second, fused))
    kept = _kept(a, f) * a[0] + _kept(b, f) * b[0]
    return kept.sum() / (a[0] + b[0]).sum()


def textured(seed, count=2, side=32):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, side, side))
    smooth = ndimage.gaussian_filter(noise, (0, 1.2, 1.2))
    grey = np.clip(110 + 170 * smooth, 0, 255)
    grey[:, :, : side // 4] = 0
    return np.round(grey).astype("float32")


def stacked(first, second):
    return np.stack([first, second], axis=-1)


def test_score_is_that_of_the_published_algorithm():
    first, second = textured(1), textured(2)
    for fused in (np.maximum(first, second), np.round((first + second) / 2), first, 255 - second):
        expected = [qabf(*images) for images in zip(first, second, fused, strict=True)]
        score = ops.edge_preservation(stacked(first, second), fused[..., None])
        assert_allclose(score, expected, rtol=1e-4)


def test_two_equal_sources_returned_unchanged_keep_nearly_every_edge():
    image = textured(1, 1)
    # equal edges of a strength above 1 keep 0.9994 * 0.9879 / (1 + exp(-22 * 0.2))
    expected = 0.9994 * 0.9879 / (1 + np.exp(-4.4))
    score = ops.edge_preservation(stacked(image, image), image[..., None])
    assert_allclose(score, [expected], rtol=1e-3)


def test_score_stays_in_its_range_and_falls_with_blur():
    image = textured(1, 1)
    sources = stacked(image, textured(2, 1))
    scores = [
        float(
            ops.edge_preservation(sources, ndimage.gaussian_filter(image, (0, s, s))[..., None])[0]
        )
        for s in (0, 1, 3)
    ]
    assert 1 > scores[0] > scores[1] > scores[2] >= 0


def test_without_edges_the_score_is_zero():
    black = np.zeros((1, 16, 16, 2), "float32")
    assert_allclose(ops.edge_preservation(black, textured(1, 1, 16)[..., None]), [0])
    assert_allclose(ops.edge_preservation(black, black[..., :1]), [0])


def test_smooth_version_is_close_to_the_score_on_textured_images():
    first, second = textured(1, 2, 48), textured(2, 2, 48)
    sources = stacked(first, second)
    for fused in (np.maximum(first, second), np.round((first + second) / 2)):
        fused = fused[..., None]
        # it wraps the orientation, mirrors the border, and has no jump where strengths are equal
        assert_allclose(
            ops.smooth_edge_preservation(sources, fused),
            ops.edge_preservation(sources, fused),
            atol=0.04,
        )


@pytest.mark.parametrize("kind", ["black", "white", "textured", "equal", "opposed"])
def test_gradient_of_the_smooth_version_is_finite(kind):
    first, second = textured(1, 1), textured(2, 1)
    fused = {
        "black": np.zeros_like(first),
        "white": np.full_like(first, 255),
        "textured": np.maximum(first, second),
        "equal": first,
        "opposed": 255 - first,
    }[kind]
    for sources in (stacked(first, second), np.full((1, 32, 32, 2), fused.max(), "float32")):
        image = tf.constant(fused[..., None])
        with tf.GradientTape() as tape:
            tape.watch(image)
            score = ops.smooth_edge_preservation(sources, image)
        assert ((np.asarray(score) >= 0) & (np.asarray(score) <= 1)).all()
        assert np.isfinite(tape.gradient(score, image)).all()


@pytest.mark.parametrize("function", [ops.edge_preservation, ops.smooth_edge_preservation])
def test_wrong_channels_are_refused(function):
    with pytest.raises(ValueError, match="two sources stacked"):
        function(np.zeros((1, 16, 16, 3), "float32"), np.zeros((1, 16, 16, 1), "float32"))
    with pytest.raises(ValueError, match="expected grey images"):
        function(np.zeros((1, 16, 16, 2), "float32"), np.zeros((1, 16, 16, 2), "float32"))
