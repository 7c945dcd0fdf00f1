import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.metrics import structural_similarity

from medgan.metrics import FUSION_SCORES, mean_by_patient, score_fusion


def pairs(count, height=48, width=48):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, 2)).astype("float32")


def brightest(sources):
    return np.max(sources, axis=-1, keepdims=True)


def test_there_is_one_value_per_image_and_score_in_order():
    sources = pairs(5)
    whole = score_fusion(brightest, [sources])
    parts = score_fusion(brightest, iter([sources[:2], sources[2:3], sources[3:]]))
    assert set(whole) == set(FUSION_SCORES) == {"sf", "ssim", "ssim_head", "scd", "qabf", "vif"}
    for name, values in whole.items():
        assert values.shape == (5,)
        assert_allclose(parts[name], values, rtol=1e-5, atol=1e-6)


def test_batches_may_differ_in_image_size():
    scores = score_fusion(brightest, [pairs(1), pairs(2, 41, 64)])
    assert all(values.shape == (3,) for values in scores.values())


def test_values_are_those_of_eight_bit_images():
    sources = pairs(2)
    scores = score_fusion(lambda x: 2 * x[..., :1] - 0.5, [sources])
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


def test_one_patient_per_image_is_asked_for():
    with pytest.raises(ValueError, match="2 patients for 3 images"):
        mean_by_patient([1.0, 2.0, 3.0], ["a", "b"])
