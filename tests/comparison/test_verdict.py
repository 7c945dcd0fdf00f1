import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import wilcoxon

from medgan.comparison import paired, sentence
from medgan.metrics import FUSION_SCORES

SCORES = {key: FUSION_SCORES[key] for key in ("sf", "vif", "nabf")}
PATIENTS = [name for name in "abcdefgh" for _ in range(3)]


def values(gains, seeds=2, noise=0.0):
    """`(first, second)`: the second all zeros, the first better or worse by `gains` per score."""
    generator = np.random.default_rng(0)
    shape = (seeds, len(PATIENTS), len(SCORES))
    first = np.array(gains) + noise * generator.standard_normal(shape)
    return first, np.zeros(shape)


def verdicts(*arguments, **keywords):
    found = paired(*values(*arguments, **keywords), PATIENTS, SCORES)
    return {key: entry["verdict"] for key, entry in found.items()}


def test_differences_are_means_of_patients_and_p_is_the_exact_signed_rank_test():
    generator = np.random.default_rng(1)
    first, second = generator.uniform(size=(2, 2, 10, 1))
    patients = ["a"] * 1 + ["b"] * 3 + list("cdefgh")
    found = paired(first, second, patients, {"sf": SCORES["sf"]})["sf"]
    gaps = (first - second).mean(axis=0)[:, 0]
    by_patient = [gaps[0], gaps[1:4].mean(), *gaps[4:]]
    assert_allclose(found["difference"], np.mean(by_patient), rtol=1e-8)
    assert_allclose(found["p"], wilcoxon(by_patient, method="exact").pvalue, rtol=1e-8)
    seeds = [(first - second)[seed, :, 0] for seed in range(2)]
    by_seed = [np.mean([g[0], g[1:4].mean(), *g[4:]]) for g in seeds]
    assert_allclose(found["by_seed"], by_seed, rtol=1e-8)
    assert found["patients"] == 8


def test_a_clear_gain_helps_and_less_of_a_low_score_is_a_gain():
    assert verdicts([2.0, 0.2, -0.1], noise=0.01) == dict.fromkeys(SCORES, "helps")
    assert verdicts([-2.0, -0.2, 0.1], noise=0.01) == dict.fromkeys(SCORES, "harms")


def test_a_gain_that_is_smaller_than_noise_between_seeds_does_not_help():
    assert verdicts([0.0, 0.0, 0.0], noise=1e-4) == dict.fromkeys(SCORES, "does not help")


def test_a_sure_gain_below_the_noise_between_seeds_is_no_help():
    noise = {"sf": 0.3, "vif": 0.005, "nabf": -0.001}  # of 0.5, 0.01 and 0.002
    assert verdicts(list(noise.values()), noise=1e-5) == dict.fromkeys(SCORES, "does not help")


def test_a_wide_interval_cannot_be_told():
    first, second = values([3.0, 3.0, 3.0])
    first[:, ::2] *= -1  # half of the images gain what the others lose
    first[:, :12] *= np.linspace(0.8, 1.2, 12)[:, None]  # no ties
    found = paired(first, second, PATIENTS, SCORES)
    assert {entry["verdict"] for entry in found.values()} == {"cannot be told"}


def test_seeds_that_disagree_cannot_be_told():
    first, second = values([2.0, 0.2, -0.1], noise=1e-3)
    first[1] -= [2.2, 0.22, -0.11]  # still a gain on average, a loss from the second seed
    found = paired(first, second, PATIENTS, SCORES)
    assert {entry["verdict"] for entry in found.values()} == {"cannot be told"}


def test_five_patients_are_too_few_for_any_claim():
    few = [name for name in "abcde" for _ in range(3)]
    first, second = values([2.0, 0.2, 0.0], noise=1e-3)
    found = paired(first[:, :15], second[:, :15], few, SCORES)
    assert {entry["verdict"] for entry in found.values()} == {"cannot be told"}
    assert "With fewer than 6 patients" in sentence(found, scores=SCORES)


@pytest.mark.parametrize(
    ("gains", "noise", "begins", "says"),
    [
        ([2.0, 0.2, -0.1], 0.01, "Distillation helps in 3 of 3 scores.", "Better in SF (+2.00)"),
        (
            [-2.0, -0.2, 0.1],
            0.01,
            "Distillation does not help.",
            "Worse in SF (",
        ),
        ([2.0, -0.2, 0.0], 1e-3, "Distillation helps in 1 of 3 scores and harms in 1.", "VIF"),
        ([0.0, 0.0, 0.0], 1e-4, "Distillation does not help.", "No gain beyond noise"),
    ],
)
def test_sentence_says_what_the_numbers_allow(gains, noise, begins, says):
    found = paired(*values(gains, noise=noise), PATIENTS, SCORES)
    said = sentence(found, scores=SCORES)
    assert said.startswith(begins)
    assert says in said
    assert "Over 8 patients and 2 seeds." in said


def test_sentence_says_when_nothing_can_be_told():
    first, second = values([3.0, 3.0, 3.0])
    first[:, ::2] *= -1
    said = sentence(paired(first, second, PATIENTS, SCORES), scores=SCORES)
    assert said.startswith("Whether distillation helps cannot be told. Not to be told in SF (")


def test_sentence_warns_of_a_single_seed_and_of_many_scores():
    found = paired(*values([2.0, 0.2, -0.1], seeds=1, noise=0.01), PATIENTS, SCORES)
    for entry in found.values():
        entry["p"], entry["p_holm"] = 0.03, 0.09
    said = sentence(found, scores=SCORES)
    assert "One seed: chance between trainings is in no interval." in said
    assert (
        "After Holm's correction for 3 scores p < 0.05 is left of the gains in none of them."
        in said
    )
