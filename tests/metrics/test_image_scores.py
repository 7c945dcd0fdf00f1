import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import metrics
from medgan.losses import StructuralFusionLoss

FUSION = tuple(metrics.FUSION_SCORES)
TRANSLATION = tuple(metrics.TRANSLATION_SCORES)


def pairs(seed, count, side=48):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(count, side, side, 2)).astype("float32")


def spatial_frequency(image):
    grey = np.round(255 * np.clip(image, 0, 1)).astype("float64")
    return np.sqrt(np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2))


def test_every_image_counts_the_same_whatever_its_batch():
    metric = metrics.FusionScore("sf")
    batches = [pairs(1, 3, 12) * 0.2, pairs(2, 1, 12)]  # calm, calm, calm; lively
    for sources in batches:
        metric.update_state(sources, sources[..., :1])
    expected = [spatial_frequency(image[..., 0]) for batch in batches for image in batch]
    assert_allclose(metric.result(), np.mean(expected), rtol=1e-5)
    mean_of_batches = np.mean([np.mean(expected[:3]), expected[3]])
    assert abs(mean_of_batches - np.mean(expected)) > 10  # what it must not be


def test_images_are_clipped_and_rounded_like_an_eight_bit_file():
    sources = pairs(3, 2, 12)
    fused = 3 * sources[..., :1] - 1
    metric = metrics.FusionScore("sf")
    metric.update_state(sources, fused)
    assert_allclose(metric.result(), np.mean([spatial_frequency(f[..., 0]) for f in fused]), 1e-5)


def test_less_than_half_a_grey_level_does_not_exist():
    metric = metrics.FusionScore("sf")
    metric.update_state(pairs(4, 1, 12), 0.4 / 255 * pairs(4, 1, 12)[..., :1])
    assert_allclose(metric.result(), 0, atol=1e-5)


def test_weights_weigh_images_and_reset_forgets():
    sources = pairs(5, 2, 12)
    metric = metrics.FusionScore("sf")
    metric.update_state(sources, sources[..., :1])
    metric.reset_state()
    metric.update_state(sources, sources[..., 1:], sample_weight=np.array([3.0, 1.0]))
    first, second = (spatial_frequency(image[..., 1]) for image in sources)
    assert_allclose(metric.result(), (3 * first + second) / 4, rtol=1e-5)


def test_scd_of_an_exact_sum_is_two():
    sources = np.round(127 * pairs(6, 2, 16)) / 255
    metric = metrics.FusionScore("scd")
    metric.update_state(sources, sources.sum(axis=-1, keepdims=True))
    assert_allclose(metric.result(), 2, atol=1e-5)


@pytest.mark.parametrize("name", ["ssim", "ssim_head"])
def test_equal_sources_returned_unchanged_have_an_ssim_of_one(name):
    image = pairs(7, 2)[..., :1]
    metric = metrics.FusionScore(name)
    metric.update_state(np.concatenate([image, image], axis=-1), image)
    assert_allclose(metric.result(), 1, atol=1e-5)


def test_equal_sources_returned_unchanged_have_a_vif_of_two_and_the_highest_qabf():
    image = pairs(8, 2)[..., :1]
    sources = np.concatenate([image, image], axis=-1)
    for name, expected in (("vif", 2.0), ("qabf", 0.9994 * 0.9879 / (1 + np.exp(-4.4)))):
        metric = metrics.FusionScore(name)
        metric.update_state(sources, image)
        assert_allclose(metric.result(), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "key"),
    [(metrics.FusionScore, key) for key in FUSION]
    + [(metrics.TranslationScore, key) for key in TRANSLATION],
)
def test_metric_bears_the_short_name_and_survives_serialisation(kind, key):
    assert kind(key).name == key
    metric = kind(key, name="other", dtype="float32")
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == f"medgan>{kind.__name__}"
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is kind
    assert copy.get_config() == metric.get_config()
    assert copy.score == key


def test_translation_keeps_what_lies_between_two_grey_levels():
    metric = metrics.TranslationScore("mae")
    target = np.zeros((2, 12, 12, 1), "float32")
    metric.update_state(target, target + 0.4 / 255)
    metric.update_state(target[:1], target[:1] - 1)  # below 0 is clipped: no error
    assert_allclose(metric.result(), 0.4 * 2 / 3, rtol=1e-5)


def test_the_head_is_that_of_the_target():
    target = np.zeros((1, 32, 32, 1), "float32")
    target[:, 8:24, 8:24] = 1
    output = target.copy()
    output[:, :4] = 1  # 128 wrong pixels, none of them inside the target's head
    values = {}
    for key in ("mae", "mae_head"):
        metric = metrics.TranslationScore(key)
        metric.update_state(target, output)
        values[key] = float(metric.result())
    assert_allclose(values["mae"], 255 * 128 / 1024, rtol=1e-5)
    assert values["mae_head"] == 0


def test_unknown_scores_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'sff', expected one of sf, ssim"):
        metrics.FusionScore("sff")


def test_metrics_serve_compile_and_evaluate():
    model = keras.Sequential([keras.Input((48, 48, 2)), keras.layers.Conv2D(1, 1)])
    model.layers[0].set_weights([np.array([0.0, 1.0]).reshape(1, 1, 2, 1), np.zeros(1)])
    model.compile(
        loss=StructuralFusionLoss(),
        metrics=[metrics.FusionScore("sf"), metrics.FusionScore("ssim")],
    )
    sources = pairs(10, 3)
    logs = model.evaluate(sources, sources, batch_size=2, verbose=0, return_dict=True)
    expected = np.mean([spatial_frequency(image[..., 1]) for image in sources])
    assert_allclose(logs["sf"], expected, rtol=1e-5)
    assert 0.45 < logs["ssim"] < 0.55  # one source unchanged (1), the other unrelated (about 0)


@pytest.mark.parametrize("name", ["sf", "ssim", "vif"])
def test_wrong_channels_are_refused(name):
    sources = pairs(11, 1)
    with pytest.raises(ValueError, match="expected grey images"):
        metrics.FusionScore(name).update_state(sources, sources)


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        metrics.ImageScore("sf")
