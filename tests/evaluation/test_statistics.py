import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from medgan.evaluation.statistics import (
    holm,
    intervals,
    means,
    paired_tests,
    patient_means,
    resampling_weights,
)

PATIENTS = ["a", "a", "a", "b", "c", "c"]


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_means_of_patients_leave_out_what_is_missing():
    values = np.array([[1.0, np.nan], [2.0, 5.0], [6.0, 7.0], [4.0, np.nan], [8.0, 1], [0.0, 1]])
    by_patient = patient_means(values, PATIENTS)
    assert_allclose(by_patient, [[3.0, 6.0], [4.0, np.nan], [4.0, 1.0]])
    assert_allclose(means(values, PATIENTS), [11 / 3, 3.5])
    assert_allclose(means(values, None), [21 / 6, 14 / 4])
    assert np.isnan(means(np.full((2, 1), np.nan), None)).all()


def test_a_resample_is_drawn_in_two_stages():
    members = [np.array([0, 1, 2]), np.array([3]), np.array([4, 5])]
    weights = resampling_weights(members, np.random.default_rng(0), 4000)
    assert_allclose(weights.sum(axis=1), 1)
    # Each patient weighs 1/3 on average, divided among the images.
    assert_allclose(weights.mean(axis=0), [1 / 9] * 3 + [1 / 3] + [1 / 6] * 2, atol=0.01)
    # A patient's weight is a multiple of 1/3; an image's is a multiple of 1/3 of 1/images.
    for rows in members:
        thirds = 3 * weights[:, rows]
        assert_allclose(thirds.sum(axis=1), np.round(thirds.sum(axis=1)), atol=1e-9)
        assert_allclose(len(rows) * thirds, np.round(len(rows) * thirds), atol=1e-9)


def test_interval_agrees_with_resampling_written_as_loops():
    values = random(6, 1)
    rng = np.random.default_rng(1)
    members = {"a": [0, 1, 2], "b": [3], "c": [4, 5]}
    resampled = []
    for _ in range(4000):
        drawn = [members[patient] for patient in rng.choice(["a", "b", "c"], 3)]
        resampled.append(np.mean([values[rng.choice(rows, len(rows)), 0].mean() for rows in drawn]))
    expected = np.percentile(resampled, [2.5, 97.5])
    assert_allclose(intervals(values, PATIENTS, 4000)[0], expected, atol=0.08)


def test_interval_without_patients_agrees_with_scipy():
    values = random(40, 1)
    expected = stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=4000, method="percentile", rng=0
    ).confidence_interval
    assert_allclose(intervals(values, None, 4000)[0], expected, atol=0.03)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 4)
    # Each column is one study of 20 patients whose images resemble each other.
    values = np.repeat(rng.normal(size=(20, 200)), 4, axis=0) + 0.5 * rng.normal(size=(80, 200))
    bounds = intervals(values, patients, 500)
    covered = np.mean((bounds[:, 0] < 0) & (bounds[:, 1] > 0))
    assert 0.88 < covered < 0.99
    alone = intervals(values, None, 500)
    assert np.mean((alone[:, 0] < 0) & (alone[:, 1] > 0)) < 0.8  # images are no patients


def test_single_values_have_no_interval_and_missing_ones_change_no_other_column():
    values = random(6, 3)
    whole = intervals(values, PATIENTS)
    values[1:, 0] = np.nan
    values[:, 1] = np.nan
    bounds = intervals(values, PATIENTS)
    assert np.isnan(bounds[:2]).all()
    assert_allclose(bounds[2], whole[2])


def test_equal_seeds_give_equal_intervals():
    values = random(10, 2)
    assert_allclose(intervals(values, None), intervals(values, None), rtol=0)


def test_wilcoxon_is_over_patients_where_there_are_six():
    patients = np.repeat(list("abcdefg"), 3)
    differences = random(21, 4) + 0.5
    differences[differences[:, 0] < 0, 0] = 0  # zeros and ties
    p_values, units, counts = paired_tests(differences, patients)
    assert units == ["patients"] * 4 and counts.tolist() == [7] * 4
    by_patient = differences.reshape(7, 3, 4).mean(axis=1)
    for column in range(4):
        assert_allclose(p_values[column], stats.wilcoxon(by_patient[:, column]).pvalue)


@pytest.mark.parametrize("patients", [None, np.repeat(list("abcde"), 3).tolist()])
def test_wilcoxon_is_over_images_otherwise(patients):
    differences = random(15, 2)
    p_values, units, counts = paired_tests(differences, patients)
    assert units == ["images"] * 2 and counts.tolist() == [15, 15]
    assert_allclose(p_values[1], stats.wilcoxon(differences[:, 1]).pvalue)


def test_differences_of_zero_are_no_difference():
    differences = np.zeros((4, 3))
    differences[:, 2] = [1.0, 0.0, 0.0, 0.0]
    differences[1:, 1] = np.nan
    p_values, _, counts = paired_tests(differences, None)
    assert p_values[0] == 1 and np.isnan(p_values[1]) and counts[1] == 1
    assert p_values[2] == 1  # of one difference that is not zero either sign is as likely


def test_holm_agrees_with_the_steps_by_hand():
    adjusted = holm([0.02, np.nan, 0.001, 0.5, 0.02])
    assert_allclose(adjusted, [0.06, np.nan, 0.004, 0.5, 0.06])
    assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])
    assert len(holm([])) == 0
