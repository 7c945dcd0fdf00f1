import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from skimage.metrics import structural_similarity

from medgan.metrics import (
    FUSION_SCORES,
    TRANSLATION_SCORES,
    applicable,
    mean_by_patient,
    score_fusion,
    score_images,
    score_translation,
)


def pairs(count, height=48, width=48):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, 2)).astype("float32")


def brightest(sources):
    return np.max(sources, axis=-1, keepdims=True)


def test_there_is_one_value_per_image_and_score_in_order():
    sources = pairs(5)
    keys = ["vif", "ssim", "sf"]
    whole = score_fusion(brightest, [sources], keys)
    parts = score_fusion(brightest, iter([sources[:2], sources[2:3], sources[3:]]), keys)
    assert list(whole) == ["sf", "ssim", "vif"]  # in the order of the table
    for name, values in whole.items():
        assert values.shape == (5,)
        assert_allclose(parts[name], values, rtol=1e-5, atol=1e-6)


def test_batches_may_differ_in_image_size():
    scores = score_fusion(brightest, [pairs(1), pairs(2, 20, 64)], ["sf", "vif"])
    assert scores["sf"].shape == scores["vif"].shape == (3,)
    # 20 pixels have no room for the scales of VIF
    assert np.isnan(scores["vif"]).tolist() == [False, True, True]


def test_scores_that_the_images_have_no_room_for_are_not_applicable():
    every = applicable(FUSION_SCORES, 256)
    assert every == tuple(FUSION_SCORES)
    assert set(every) - set(applicable(FUSION_SCORES, 175)) == {"ms_ssim"}
    with pytest.raises(ValueError, match="'vifs', expected some of sf, ssim"):
        applicable(FUSION_SCORES, 256, ["vifs"])


def test_translation_is_scored_against_the_target():
    source, target = pairs(2)[..., :1], pairs(2)[..., 1:]
    scores = score_translation(lambda x: x, [(source, target)], ["mae", "rmse"])
    gap = 255.0 * (source - target).astype("float64")
    assert_allclose(scores["mae"], np.abs(gap).mean(axis=(1, 2, 3)), rtol=1e-5)
    assert_allclose(scores["rmse"], np.sqrt((gap**2).mean(axis=(1, 2, 3))), rtol=1e-5)


def test_values_are_those_of_eight_bit_images():
    sources = pairs(2)
    scores = score_fusion(lambda x: 2 * x[..., :1] - 0.5, [sources], ["sf", "scd", "ssim"])
    grey_sources = np.round(255 * sources).astype("float64")
    grey_fused = np.round(np.clip(255 * (2 * sources[..., 0] - 0.5), 0, 255)).astype("float64")
    for index in range(2):
        a, b, f = grey_sources[index, ..., 0], grey_sources[index, ..., 1], grey_fused[index]
        frequency = np.mean(np.diff(f, axis=0) ** 2) + np.mean(np.diff(f, axis=1) ** 2)
        assert_allclose(scores["sf"][index], np.sqrt(frequency), rtol=1e-4)
        correlations = np.corrcoef((f - b).ravel(), a.ravel())[0, 1]
        correlations += np.corrcoef((f - a).ravel(), b.ravel())[0, 1]
        assert_allclose(scores["scd"][index], correlations, atol=1e-4)
        similarities = [
            structural_similarity(
                source,
                f,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for source in (a, b)
        ]
        assert_allclose(scores["ssim"][index], np.mean(similarities), atol=1e-4)


def test_patients_count_the_same_whatever_their_slices():
    values, patients = [1.0, 2.0, 3.0, 10.0], ["b", "a", "b", "a"]
    assert mean_by_patient(values, patients) == 4.0  # (2 + 6) / 2
    assert mean_by_patient([1.0, 2.0, 3.0, 10.0], ["a", "a", "a", "b"]) == 6.0  # (2 + 10) / 2
    assert mean_by_patient([1.0, 2.0, 3.0, 10.0]) == 4.0
    assert mean_by_patient([1.0, 1.0, 4.0]) == 2.0
    assert mean_by_patient([1.0, np.nan, 5.0], ["a", "a", "b"]) == 3.0  # NaN counts as missing
    assert np.isnan(mean_by_patient([np.nan]))


def test_one_patient_per_image_is_asked_for():
    with pytest.raises(ValueError, match="2 patients for 3 images"):
        mean_by_patient([1.0, 2.0, 3.0], ["a", "b"])


@pytest.mark.parametrize(("task", "channels"), [("fusion", 2), ("translation", 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite_have_no_score(task, channels, value):
    reference = pairs(3)[..., :channels]
    result = pairs(3)[..., 1:].copy()
    result[1, 20, 20] = value
    for key, values in score_images(task, reference, result).items():
        assert np.isnan(values).tolist() == [False, True, False], key


JIT = {
    "fusion": (FUSION_SCORES, 2, 44),
    "translation": (TRANSLATION_SCORES, 1, 44),
    "fusion at five scales": ({"ms_ssim": FUSION_SCORES["ms_ssim"]}, 2, 176),
    "translation at five scales": (
        {key: TRANSLATION_SCORES[key] for key in ("ms_ssim", "ms_ssim_head")},
        1,
        176,
    ),
}


@pytest.mark.parametrize("case", JIT)
def test_scores_are_the_same_under_xla(case):
    scores, channels, side = JIT[case]
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (2, side, side, channels)).astype("float32")
    reference[0] *= 0.3
    result = reference.mean(axis=-1, keepdims=True) + rng.normal(scale=20, size=(2, side, side, 1))
    result = np.clip(np.round(result), 0, 255).astype("float32")
    keys = applicable(scores, side)

    def every(reference, result):
        return {key: scores[key].function(reference, result) for key in keys}

    compiled = tf.function(every, jit_compile=True)(reference, result)
    for key, values in every(reference, result).items():
        assert_allclose(compiled[key], values, rtol=1e-4, atol=1e-5, err_msg=key)
