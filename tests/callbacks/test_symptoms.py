import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.callbacks.symptoms import SYMPTOMS, measure


def pattern(count=3, size=8, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, size, size, channels))


def of_images(output, reference, source=None):
    batch = {"output": output, "reference": reference, "input": source}
    return measure([{**batch, "input": reference if source is None else source}], [])


def test_shares_and_means_of_logits_count_every_logit_of_all_batches():
    training = [
        {"real": np.array([[1.0, 2.0], [3.0, -1.0]]), "fake": np.array([-2.0, -4.0])},
        {"real": np.array([0.5]), "fake": np.array([0.3, -0.3])},
    ]
    held_out = [{"real": np.array([-1.0, 1.0, -1.0, -3.0]), "fake": np.array([100.0])}]
    numbers = measure(training, held_out)
    assert numbers["real"] == 4 / 5 and numbers["real_logit"] == 5.5 / 5
    assert numbers["held_out"] == 1 / 4 and numbers["held_out_logit"] == -1
    assert numbers["fake"] == 1 / 4 and numbers["fake_logit"] == -6 / 4
    logits = [1, 2, 3, -1, 0.5, -1, 1, -1, -3, -2, -4, 0.3, -0.3]
    assert_allclose(numbers["mean"], np.mean(logits))
    assert_allclose(numbers["spread"], np.std(logits))


def test_boundary_of_least_squares_is_the_middle_of_its_targets():
    batch = {"real": np.array([0.4, 0.9]), "fake": np.array([0.1, 0.6])}
    assert measure([batch], [])["real"] == 1.0
    numbers = measure([batch], [], boundary=0.5)
    assert (numbers["real"], numbers["fake"]) == (0.5, 0.5)


def test_what_is_not_there_is_not_measured():
    numbers = measure([{}], [{}])
    assert numbers.pop("not_finite") == 0
    assert np.isnan(list(numbers.values())).all()


@pytest.mark.parametrize("factor", [0.0, 0.1, 1.0])
def test_diversity_of_weaker_copies_is_their_strength(factor):
    reference = pattern()
    assert_allclose(of_images(factor * reference, reference)["diversity"], factor, atol=1e-12)


def test_diversity_is_the_mean_distance_of_all_pairs():
    output = np.zeros((3, 2, 2, 1))
    output[1] += 0.1
    output[2] += 0.5
    reference = np.zeros((3, 2, 2, 1))
    reference[2] += 0.6
    # pairs 0-1, 0-2, 1-2: 0.1 + 0.5 + 0.4 of 0 + 0.6 + 0.6
    assert_allclose(of_images(output, reference)["diversity"], 1.0 / 1.2)


def test_diversity_pairs_images_of_one_batch_only():
    one, other = pattern(1), pattern(1, size=6, seed=1)
    batches = [{"output": image, "reference": image, "input": image} for image in (one, other)]
    assert np.isnan(measure(batches, [])["diversity"])


def test_fused_images_are_compared_with_the_maximum_of_the_sources():
    sources = pattern(channels=2)
    fused = sources.max(axis=-1, keepdims=True)
    assert_allclose(of_images(fused, sources, sources)["diversity"], 1.0)


def test_references_that_are_all_alike_say_nothing_of_diversity():
    reference = np.repeat(pattern(1), 3, axis=0)
    assert np.isnan(of_images(reference, reference)["diversity"])


def test_contrast_is_the_median_deviation_inside_images_that_show_something():
    reference = pattern(4)
    reference[3] = 0.2  # blank: a blank output is right here
    output = np.zeros((4, 2, 2, 1))
    for image, half in zip(output, (0.1, 0.2, 0.4, 0.0), strict=True):
        image[0], image[1] = 0.5 - half, 0.5 + half
    assert_allclose(of_images(output, reference, reference)["contrast"], 255 * 0.2)


def test_nearest_input_is_found_with_its_distance():
    sources = pattern(channels=2)
    output = sources[..., 1:] + 3 / 255
    numbers = of_images(output, sources, sources)
    assert numbers["nearest_input"] == 2
    assert_allclose(numbers["distance_to_input"], 3)


def test_input_that_is_the_right_answer_does_not_count():
    sources = pattern(channels=2)
    sources[:2, ..., 0] = 0  # the maximum is the second source
    output = sources.max(axis=-1, keepdims=True)
    expected = 255 * np.sqrt(
        np.mean((output[2] - sources[2], output[2] - sources[2])[0] ** 2, (0, 1))
    )
    numbers = of_images(output, sources, sources)
    # every image counts for channel 1, only the third for channel 2
    assert_allclose(numbers["distance_to_input"], expected[1])
    assert numbers["nearest_input"] == 2


def test_input_of_another_size_is_not_compared():
    target = pattern(size=8)
    assert np.isnan(of_images(target, target, pattern(size=4))["distance_to_input"])


def test_values_that_are_not_finite_are_counted_and_spoil_nothing_else():
    output = pattern()
    output[0, 0, 0], output[1, 1, 1] = np.nan, np.inf
    numbers = measure(
        [
            {
                "output": output,
                "reference": pattern(),
                "input": pattern(),
                "real": np.array([np.nan, 1]),
            }
        ],
        [],
    )
    assert numbers["not_finite"] == 3 and numbers["real"] == 0.5
    assert np.isnan([numbers["diversity"], numbers["contrast"]]).all()


def test_sentences_find_their_numbers_and_stay_on_one_line():
    numbers = measure([{}], [{}])
    for symptom in SYMPTOMS:
        assert set(symptom.numbers) <= set(numbers)
        for template in (symptom.text, symptom.over):
            text = template.format(**numbers)
            assert text.endswith(".") and "\n" not in text and len(text) < 300
    assert len({symptom.name for symptom in SYMPTOMS}) == len(SYMPTOMS)
