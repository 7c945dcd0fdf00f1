import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage, signal
from skimage.metrics import structural_similarity

from medgan.losses import FusionLoss, MetricAwareFusionLoss, StructuralFusionLoss


def pictures(seed, count=2, side=48):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(count, side, side)), (0, 1.2, 1.2))
    return np.clip(0.45 + 0.7 * smooth, 0, 1).astype("float32")


def example():
    first, second = pictures(1), pictures(2)
    # neither between nor equal to the sources; lies outside [0, 1] here and there
    fused = 1.3 * np.maximum(first, second) - 0.2 * pictures(3)
    return np.stack([first, second], axis=-1), fused[..., None]


def each(function, clipped=False):
    """Applies a function of (first, second, fused) to every image, in float64."""
    sources, fused = (values.astype("float64") for values in example())
    fused = np.clip(fused, 0, 1) if clipped else fused
    return np.array(
        [function(s[..., 0], s[..., 1], f[..., 0]) for s, f in zip(sources, fused, strict=True)]
    )


def similarity(first, second, fused):
    return np.mean(
        [
            structural_similarity(
                source,
                fused,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for source in (first, second)
        ]
    )


def scd(first, second, fused):
    def correlation(a, b):
        a, b = a - a.mean(), b - b.mean()
        return np.mean(a * b) / np.sqrt(np.mean(a * a) * np.mean(b * b) + 1e-6)

    return correlation(fused - second, first) + correlation(fused - first, second)


def spatial_frequency(image):
    return np.sqrt(np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2))


def signed_gradient_miss(first, second, fused):
    total = 0.0
    for axis in (0, 1):
        a, b, f = (ndimage.sobel(i, axis=axis, mode="mirror") for i in (first, second, fused))
        total += np.mean(np.abs(f - np.where(np.abs(a) >= np.abs(b), a, b)))
    return total / 2


def smooth_qabf(first, second, fused):
    def edges(image):
        x, y = (ndimage.sobel(255 * image, axis=axis, mode="mirror") for axis in (1, 0))
        return x, y, np.sqrt(x * x + y * y + 6.5)

    f = edges(fused)
    kept = total = 0.0
    for source in (edges(first), edges(second)):
        ratio = np.minimum(source[2], f[2]) / np.maximum(source[2], f[2])
        cosine = np.abs(source[0] * f[0] + source[1] * f[1]) / (source[2] * f[2])
        alignment = 1 - np.arccos(np.clip(cosine, 0, 0.9999)) / (np.pi / 2)
        quality = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
        quality = quality * 0.9879 / (1 + np.exp(-22 * (alignment - 0.8)))
        kept, total = kept + (quality * source[2]).sum(), total + source[2].sum()
    return kept / total


def smooth_vif(first, second, fused):
    score = 0.0
    for reference in (first, second):
        a, b = 255 * reference, 255 * fused
        numerator = denominator = 0.0
        for size in (17, 9, 5, 3):
            offsets = np.arange(size) - size // 2
            window = np.exp(-np.add.outer(offsets**2, offsets**2) / (2 * (size / 5) ** 2))
            window /= window.sum()

            def local(values, window=window):
                return signal.convolve2d(values, window, mode="valid")

            if size < 17:
                a, b = local(a)[::2, ::2], local(b)[::2, ::2]
            cov = local(a * b) - local(a) * local(b)
            var_a = np.maximum(local(a * a) - local(a) ** 2, 1e-3)
            var_b = np.maximum(local(b * b) - local(b) ** 2, 1e-3)
            gain = np.maximum(cov / (var_a + 1e-3), 0)
            noise = np.maximum(var_b - gain * cov, 1e-3)
            numerator += np.log(1 + gain**2 * var_a / (noise + 2)).sum()
            denominator += np.log(1 + var_a / 2).sum()
        score += numerator / denominator
    return score


STRUCTURAL = {"intensity": 2.0, "gradient": 3.0, "structure": 5.0, "correlation": 7.0}
METRIC_AWARE = {
    "structure": 2.0,
    "correlation": 3.0,
    "edges": 5.0,
    "information": 7.0,
    "frequency": 11.0,
    "frequency_cap": 3.0,
}


def test_terms_of_the_structural_loss_are_those_of_numpy():
    sources, fused = example()
    terms = StructuralFusionLoss(**STRUCTURAL).terms(sources, fused)
    assert set(terms) == set(STRUCTURAL)
    brightest = sources.max(axis=-1, keepdims=True)
    intensity = np.abs(fused - brightest).mean(axis=(1, 2, 3))
    assert_allclose(terms["intensity"], 2 * intensity, rtol=1e-5)
    assert_allclose(terms["gradient"], 3 * each(signed_gradient_miss), rtol=1e-5)
    assert_allclose(terms["structure"], 5 * (1 - each(similarity)), rtol=1e-4)
    assert_allclose(terms["correlation"], 7 * (2 - each(scd)) / 2, rtol=1e-4)


def test_terms_of_the_metric_aware_loss_are_those_of_numpy():
    sources, fused = example()
    terms = MetricAwareFusionLoss(**METRIC_AWARE).terms(sources, fused)
    ratio = each(
        lambda a, b, f: spatial_frequency(f) / (spatial_frequency(np.maximum(a, b)) + 1e-3),
        clipped=True,
    )
    assert (ratio > 1.05).all() and (ratio < 3).all()
    outside = np.maximum(fused - 1, 0) + np.maximum(-fused, 0)
    assert (outside.mean(axis=(1, 2, 3)) > 0).all()
    expected = {
        "structure": 2 * (1 - each(similarity, clipped=True)),
        "correlation": 3 * (2 - each(scd, clipped=True)),
        "edges": 5 * (1 - each(smooth_qabf, clipped=True)),
        "information": 7 * (2 - each(smooth_vif, clipped=True)),
        "frequency": 11 * (3 - ratio),
        "overshoot": outside.mean(axis=(1, 2, 3)),
    }
    assert set(terms) == set(expected)
    for name, values in expected.items():
        assert_allclose(terms[name], values, rtol=1e-3, err_msg=name)


def test_contrast_outside_the_range_of_a_file_earns_nothing_but_overshoot():
    sources, fused = example()
    loss = MetricAwareFusionLoss()
    hidden, shown = loss.terms(sources, fused), loss.terms(sources, np.clip(fused, 0, 1))
    assert_allclose(shown.pop("overshoot"), [0, 0])
    assert (np.asarray(hidden["overshoot"]) > 1e-4).all()
    for name, values in shown.items():
        assert_allclose(hidden[name], values, err_msg=name)


def test_spatial_frequency_above_the_cap_earns_nothing():
    sources, fused = example()
    noise = 0.3 * np.random.default_rng(4).normal(size=fused.shape).astype("float32")
    loss = MetricAwareFusionLoss(frequency_cap=1.0)
    for image in (fused, fused + noise):
        assert_allclose(loss.terms(sources, image)["frequency"], [0, 0], atol=1e-6)


@pytest.mark.parametrize("loss", [StructuralFusionLoss(), MetricAwareFusionLoss()])
def test_loss_is_the_sum_of_its_terms_averaged_over_the_images(loss):
    sources, fused = example()
    terms = loss.terms(sources, fused)
    assert all(term.shape == (2,) for term in terms.values())
    total = np.sum([np.asarray(term) for term in terms.values()], axis=0)
    assert_allclose(loss.call(sources, fused), total, rtol=1e-6)
    assert_allclose(loss(sources, fused), total.mean(), rtol=1e-6)


def test_gradient_of_equal_sources_is_owed_with_its_sign():
    image = pictures(1)[..., None]
    sources = np.concatenate([image, image], axis=-1)
    loss = StructuralFusionLoss()
    assert_allclose(loss.terms(sources, image)["gradient"], [0, 0], atol=1e-6)
    # the negative has the same magnitudes: a loss of magnitudes would be blind
    miss = [
        np.mean([np.abs(ndimage.sobel(i, axis=axis, mode="mirror")).mean() for axis in (0, 1)])
        for i in image[..., 0]
    ]
    assert_allclose(loss.terms(sources, 1 - image)["gradient"], 20 * 2 * np.array(miss), rtol=1e-4)


def test_best_answer_to_equal_sources_costs_next_to_nothing_but_correlation():
    image = pictures(1)[..., None]
    sources = np.concatenate([image, image], axis=-1)
    terms = StructuralFusionLoss().terms(sources, image)
    for name in ("intensity", "gradient", "structure"):
        assert_allclose(terms[name], [0, 0], atol=1e-5)
    assert_allclose(terms["correlation"], [5, 5], atol=1e-5)  # F - B is flat: r = 0


@pytest.mark.parametrize("loss", [StructuralFusionLoss(), MetricAwareFusionLoss()])
@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("fused", ["flat", "textured"])
def test_gradient_is_finite_on_flat_crops(loss, level, fused):
    sources = tf.fill((2, 48, 48, 2), level)
    image = tf.fill((2, 48, 48, 1), level) if fused == "flat" else tf.constant(example()[1])
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = loss(sources, image)
    gradient = np.asarray(tape.gradient(value, image))
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert np.abs(gradient).max() < 10


@pytest.mark.parametrize("loss", [StructuralFusionLoss(), MetricAwareFusionLoss()])
def test_small_step_against_the_gradient_lowers_the_loss(loss):
    sources, image = example()
    image = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = loss(sources, image)
    gradient = tape.gradient(value, image)
    step = 1e-3 * value / tf.reduce_sum(gradient**2)  # to lower it by a thousandth
    assert_allclose(loss(sources, image - step * gradient) / value, 0.999, atol=3e-4)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(StructuralFusionLoss, name) for name in STRUCTURAL]
    + [(MetricAwareFusionLoss, name) for name in METRIC_AWARE],
)
def test_negative_weights_are_refused(loss, name):
    with pytest.raises(ValueError, match=f"{name}=-1, expected a weight of 0 or more"):
        loss(**{name: -1})


def test_metric_aware_loss_refuses_images_too_small_for_vif():
    with pytest.raises(ValueError, match="at least 41 pixels"):
        MetricAwareFusionLoss()(np.zeros((1, 40, 40, 2), "float32"), np.zeros((1, 40, 40, 1)))


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        FusionLoss()
