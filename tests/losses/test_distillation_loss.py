import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.losses import (
    DistillationLoss,
    SoftenedLabelLoss,
    SpatialSoftLabelLoss,
    TeacherImageLoss,
    WaveletLoss,
)

WEIGHTS = {"soft_label": 2.0, "spatial": 3.0, "absolute": 5.0, "structure": 7.0, "wavelet": 11.0}


def images(seed):
    return np.random.default_rng(seed).uniform(size=(3, 32, 32, 1)).astype("float32")


def logits(seed):
    return np.random.default_rng(seed).normal(size=(3, 6, 6, 2)).astype("float32")


def expected_terms(temperature):
    teacher, student = images(0), images(1)
    image = 5 * TeacherImageLoss(absolute=1, structure=0).call(teacher, student)
    image += 7 * TeacherImageLoss(absolute=0, structure=1).call(teacher, student)
    return {
        "soft_label": 2 * SoftenedLabelLoss(temperature).call(logits(2), logits(3)),
        "spatial": 3 * SpatialSoftLabelLoss(temperature).call(teacher, student),
        "image": image,
        "wavelet": 11 * WaveletLoss().call(teacher, student),
    }


@pytest.mark.parametrize("temperature", [1.0, 6.0])
def test_terms_are_the_weighted_parts(temperature):
    loss = DistillationLoss(temperature, **WEIGHTS)
    terms = loss.terms(images(0), images(1), logits(2), logits(3))
    expected = expected_terms(temperature)
    assert set(terms) == set(expected)
    for name, values in expected.items():
        assert_allclose(terms[name], values, rtol=1e-5, err_msg=name)


def test_loss_on_images_is_the_sum_without_the_soft_label():
    loss = DistillationLoss(6.0, **WEIGHTS)
    expected = expected_terms(6.0)
    del expected["soft_label"]
    assert set(loss.terms(images(0), images(1))) == set(expected)
    total = np.sum([np.asarray(values) for values in expected.values()], axis=0)
    assert_allclose(loss.call(images(0), images(1)), total, rtol=1e-5)
    assert_allclose(loss(images(0), images(1)), total.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "zero, left_out",
    [
        ({"soft_label": 0.0}, "soft_label"),
        ({"spatial": 0.0}, "spatial"),
        ({"absolute": 0.0, "structure": 0.0}, "image"),
        ({"wavelet": 0.0}, "wavelet"),
    ],
)
def test_parts_of_weight_zero_are_left_out(zero, left_out):
    terms = DistillationLoss(6.0, **{**WEIGHTS, **zero}).terms(
        images(0), images(1), logits(2), logits(3)
    )
    expected = expected_terms(6.0)
    del expected[left_out]
    assert set(terms) == set(expected)
    for name, values in expected.items():
        assert_allclose(terms[name], values, rtol=1e-5, err_msg=name)


def test_absolute_differences_alone_need_no_window_of_ssim():
    loss = DistillationLoss(spatial=0.0, absolute=2.0, structure=0.0, wavelet=0.0)
    teacher, student = images(0)[:, :5, :5], images(1)[:, :5, :5]
    assert_allclose(loss(teacher, student), 2 * np.abs(teacher - student).mean(), rtol=1e-5)


def test_without_any_part_there_is_nothing_to_pay():
    loss = DistillationLoss(soft_label=0, spatial=0, absolute=0, structure=0, wavelet=0)
    assert_allclose(loss.call(images(0), images(1)), np.zeros(3))


def test_student_that_equals_its_teacher_owes_nothing():
    terms = DistillationLoss().terms(images(0), images(0), logits(2), logits(2))
    for name, values in terms.items():
        assert_allclose(values, np.zeros(3), atol=1e-4, err_msg=name)


@pytest.mark.parametrize("name", WEIGHTS)
def test_negative_weights_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=-1, expected a weight of 0 or more"):
        DistillationLoss(**{name: -1})


def test_temperature_must_be_above_zero():
    with pytest.raises(ValueError, match="temperature=0, expected a number above 0"):
        DistillationLoss(temperature=0)
