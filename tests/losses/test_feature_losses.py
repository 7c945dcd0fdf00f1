import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.losses import AdaptedFeatureLoss, DiscriminatorFeatureLoss, KernelAlignmentLoss


def maps(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def orthogonal(size, seed=0):
    return np.linalg.qr(maps(size, size, seed=seed).astype("float64"))[0]


def test_adapted_features_cost_their_mean_squared_difference():
    teacher, student = maps(3, 4, 5, 6), maps(3, 4, 5, 6, seed=1)
    expected = 2.5 * ((teacher.astype("float64") - student) ** 2).mean(axis=(1, 2, 3))
    loss = AdaptedFeatureLoss(["embedding"], weight=2.5)
    assert_allclose(loss.call(teacher, student), expected, rtol=1e-5)
    assert_allclose(loss(teacher, student), expected.mean(), rtol=1e-5)


def test_discriminator_features_cost_their_mean_absolute_difference():
    teacher, student = maps(3, 4, 5, 6), maps(3, 4, 5, 6, seed=1)
    expected = 3 * np.abs(teacher.astype("float64") - student).mean(axis=(1, 2, 3))
    assert_allclose(DiscriminatorFeatureLoss().call(teacher, student), expected, rtol=1e-5)


def test_kernel_alignment_is_the_cosine_of_the_gram_matrices():
    teacher, student = maps(5, 3, 2, 4), maps(5, 6, 1, 2, seed=1)
    first, second = (m.reshape(5, -1).astype("float64") for m in (teacher, student))
    first, second = first @ first.T, second @ second.T
    cosine = (first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second)
    value = KernelAlignmentLoss(["a"], weight=2.0).call(teacher, student)
    assert_allclose(value, np.full(5, 2 * (1 - cosine)), rtol=1e-5)
    assert cosine < 0.95


@pytest.mark.parametrize("scale", [1.0, -3.0, 1e-6, 1e5])
def test_kernel_alignment_of_maps_with_themselves_is_one_at_any_scale(scale):
    teacher = maps(6, 3, 3, 2)
    assert_allclose(KernelAlignmentLoss(["a"])(teacher, scale * teacher), 0, atol=1e-5)


def test_kernel_alignment_does_not_see_an_orthogonal_map():
    teacher, student = maps(6, 12), maps(6, 12, seed=1)
    loss = KernelAlignmentLoss(["a"])
    turned = (student @ orthogonal(12)).astype("float32")
    assert_allclose(loss(teacher, turned), loss(teacher, student), rtol=1e-4)
    assert_allclose(loss(student, turned), 0, atol=1e-5)
    stretched = student * np.linspace(0.1, 4, 12, dtype="float32")
    assert abs(float(loss(teacher, stretched)) - float(loss(teacher, student))) > 1e-3


def test_orthogonal_rows_of_images_are_told_from_equal_images():
    distinct = np.eye(4, dtype="float32")
    equal = np.ones((4, 3), "float32")
    # <I, J> / (|I| |J|) with J of ones: 4 / (2 * 4)
    assert_allclose(KernelAlignmentLoss(["a"])(distinct, equal), 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "loss", [AdaptedFeatureLoss(["a"]), KernelAlignmentLoss(["a"]), DiscriminatorFeatureLoss()]
)
@pytest.mark.parametrize("teacher", [np.zeros((3, 2, 2, 4), "float32"), maps(3, 2, 2, 4)])
def test_gradient_is_finite_on_maps_without_any_activation(loss, teacher):
    student = tf.zeros((3, 2, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = loss(teacher, student)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, student)).all()


def test_pairs_name_the_teachers_layer_first():
    loss = AdaptedFeatureLoss(["embedding", ["deep", "shallow"]])
    assert loss.pairs == [("embedding", "embedding"), ("deep", "shallow")]


@pytest.mark.parametrize("kind", [AdaptedFeatureLoss, KernelAlignmentLoss])
@pytest.mark.parametrize("layers", ["embedding", [], [["one", "two", "three"]], [3]])
def test_what_names_no_layers_is_refused(kind, layers):
    with pytest.raises(ValueError, match="expected a list of names of layers"):
        kind(layers)


@pytest.mark.parametrize("layers", ["activation", [], [["one", "two"]]])
def test_what_names_no_layers_of_a_discriminator_is_refused(layers):
    with pytest.raises(ValueError, match="expected a list of names of layers, or None"):
        DiscriminatorFeatureLoss(layers)


@pytest.mark.parametrize("kind", [AdaptedFeatureLoss, KernelAlignmentLoss])
def test_negative_weight_is_refused(kind):
    with pytest.raises(ValueError, match="weight=-1"):
        kind(["a"], weight=-1)


@pytest.mark.parametrize("loss", [AdaptedFeatureLoss(["a"]), DiscriminatorFeatureLoss()])
@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (2, 8, 8, 1), (2, 8, 8)])
def test_maps_of_other_shapes_are_refused(loss, shape):
    with pytest.raises(ValueError, match="Tap layers of the same resolution"):
        loss(maps(2, 8, 8, 3), maps(*shape))
