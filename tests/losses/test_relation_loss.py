import itertools

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.losses import RelationLoss

ONLY = [{"distance": 1.0}, {"angle": 1.0}, {"alignment": 1.0}]


def only(**weights):
    return RelationLoss(**{"distance": 0.0, "angle": 0.0, "alignment": 0.0, **weights})


def embeddings(seed, count=6, features=5):
    return np.random.default_rng(seed).normal(size=(count, features)).astype("float32")


def rotation(seed, features=5):
    return np.linalg.qr(embeddings(seed, features, features))[0]


def huber(differences):
    size = np.abs(differences)
    return np.mean(np.where(size < 1, size**2 / 2, size - 0.5))


def distances_by_loops(points):
    count = len(points)
    table = np.zeros((count, count))
    for i, j in itertools.product(range(count), repeat=2):
        table[i, j] = np.linalg.norm(points[i] - points[j])
    return table / table[table > 0].mean()


def angles_by_loops(points):
    count = len(points)
    table = np.zeros((count, count, count))
    for i, j, k in itertools.product(range(count), repeat=3):
        a, b = points[i] - points[j], points[k] - points[j]
        if a.any() and b.any():
            table[i, j, k] = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return table


def test_terms_are_those_of_the_papers_by_loops():
    teacher, student = embeddings(0, 6, 7), embeddings(1, 6, 3)  # widths may differ
    t, s = teacher.astype("float64"), student.astype("float64")
    expected = {
        "distance": huber(distances_by_loops(t) - distances_by_loops(s)),
        "angle": huber(angles_by_loops(t) - angles_by_loops(s)),
        "alignment": 1
        - np.sum((t @ t.T) * (s @ s.T)) / np.linalg.norm(t @ t.T) / np.linalg.norm(s @ s.T),
    }
    for name, value in expected.items():
        assert_allclose(only(**{name: 3.0})(teacher, student), 3 * value, rtol=1e-4, err_msg=name)
    total = RelationLoss(distance=2.0, angle=3.0, alignment=5.0)(teacher, student)
    by_hand = 2 * expected["distance"] + 3 * expected["angle"] + 5 * expected["alignment"]
    assert_allclose(total, by_hand, rtol=1e-4)


def test_large_differences_are_punished_linearly():
    # one pair far away from a cluster: distances of more than 1 apart
    teacher = np.zeros((40, 2), "float32")
    teacher[:, 0] = np.linspace(0, 1e-2, 40)
    teacher[0, 0] = 10
    student = embeddings(1, 40, 2)
    difference = distances_by_loops(teacher.astype("float64")) - distances_by_loops(student)
    assert np.abs(difference).max() > 2
    assert_allclose(only(distance=1.0)(teacher, student), huber(difference), rtol=1e-3)


@pytest.mark.parametrize("weights", ONLY)
def test_equal_embeddings_cost_nothing(weights):
    assert_allclose(only(**weights)(embeddings(0), embeddings(0)), 0, atol=1e-6)


@pytest.mark.parametrize("weights", ONLY)
def test_scale_and_rotation_are_not_seen(weights):
    teacher = embeddings(0)
    student = (0.01 * teacher @ rotation(1)).astype("float32")
    assert_allclose(only(**weights)(teacher, student), 0, atol=1e-5)
    assert float(only(**weights)(teacher, embeddings(2))) > 0.01


@pytest.mark.parametrize("weights", ONLY[:2])
def test_distances_and_angles_do_not_see_a_common_offset(weights):
    teacher = embeddings(0)
    assert_allclose(only(**weights)(teacher, teacher + 3), 0, atol=1e-5)
    assert float(only(alignment=1.0)(teacher, teacher + 3)) > 0.01


def test_value_of_the_batch_is_repeated_for_its_images():
    values = np.asarray(RelationLoss().call(embeddings(0), embeddings(1)))
    assert values.shape == (6,)
    assert_allclose(values, values[0])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_batches_stay_finite(count):
    student = tf.constant(embeddings(1, count))
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = RelationLoss()(embeddings(0, count), student)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, student)).all()


def test_one_image_has_no_relations_and_two_have_no_angle():
    assert_allclose(RelationLoss()(embeddings(0, 1), embeddings(1, 1) + 3), 0, atol=1e-5)
    assert_allclose(only(angle=1.0)(embeddings(0, 2), embeddings(1, 2)), 0, atol=1e-6)


@pytest.mark.parametrize("student", [np.zeros((4, 5)), np.ones((4, 5)), embeddings(0, 4)])
def test_collapsed_and_equal_embeddings_keep_gradients_finite(student):
    student = tf.constant(student, "float32")
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = RelationLoss()(embeddings(0, 4), student)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, student)).all()


@pytest.mark.parametrize("name", ["distance", "angle", "alignment"])
def test_negative_weights_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=-1, expected a weight of 0 or more"):
        RelationLoss(**{name: -1})
