import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan import ops

ALL = [
    ops.frechet_distance,
    ops.kernel_distance,
    ops.precision_recall,
    ops.density_coverage,
    ops.nearest,
]


def features(seed, rows, columns=6, shift=0.0):
    """Correlated features, float32."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(columns, columns))
    return (rng.normal(size=(rows, columns)) @ mixing + shift).astype("float32")


def distances(first, second):
    first, second = first.astype("float64"), second.astype("float64")
    return np.linalg.norm(first[:, None] - second[None, :], axis=-1)


def radii(rows, neighbours):
    return np.sort(distances(rows, rows), axis=1)[:, neighbours]


def parts(value):
    return [np.asarray(part) for part in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_frechet_distance_is_that_of_the_matrix_root(offset):
    real, generated = features(1, 40) + offset, features(2, 25, shift=0.7) + offset
    covariances = [np.cov(x.astype("float64"), rowvar=False) for x in (real, generated)]
    shift = real.mean(axis=0, dtype="float64") - generated.mean(axis=0, dtype="float64")
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = shift @ shift + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert_allclose(ops.frechet_distance(real, generated), expected, rtol=2e-4)
    assert_allclose(ops.frechet_distance(generated, real), expected, rtol=2e-4)


def test_frechet_distance_holds_with_fewer_images_than_features():
    real, generated = features(1, 5, 30), features(2, 8, 30, shift=1.0)
    covariances = [np.cov(x.astype("float64"), rowvar=False) for x in (real, generated)]
    shift = real.mean(axis=0, dtype="float64") - generated.mean(axis=0, dtype="float64")
    # the trace of the root is the sum of the roots of the eigenvalues, also where it is singular
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real
    root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    expected = shift @ shift + np.trace(covariances[0] + covariances[1]) - 2 * root
    assert_allclose(ops.frechet_distance(real, generated), expected, rtol=1e-4)


@pytest.mark.parametrize("rows", [4, 40])
def test_frechet_distance_of_equal_sets_is_zero_and_of_shifted_ones_the_squared_shift(rows):
    real = features(1, rows)
    scale = np.trace(np.cov(real, rowvar=False))
    assert_allclose(ops.frechet_distance(real, real[::-1]), 0, atol=1e-5 * scale)
    shifted = real + np.array([3, 0, 4, 0, 0, 0], "float32")
    assert_allclose(ops.frechet_distance(real, shifted), 25, rtol=1e-4)


def test_kernel_distance_is_the_mean_over_pairs():
    real, generated = features(1, 7), features(2, 5, shift=0.5)

    def kernel(x, y):
        return (x.astype("float64") @ y / 6 + 1) ** 3

    def mean(pairs):
        return np.mean([kernel(x, y) for x, y in pairs])

    def others(rows):
        return [(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]

    cross = [(x, y) for x in real for y in generated]
    expected = mean(others(real)) + mean(others(generated)) - 2 * mean(cross)
    assert_allclose(ops.kernel_distance(real, generated), expected, rtol=1e-4)


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    values = [
        float(ops.kernel_distance(*rng.normal(size=(2, 8, 3)).astype("float32")))
        for _ in range(100)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


@pytest.mark.parametrize("neighbours", [1, 3])
@pytest.mark.parametrize("offset", [0.0, 300.0])  # float32 squares of 300 lose all of the distance
def test_precision_and_recall_are_those_of_a_search(neighbours, offset):
    real, generated = features(1, 30, 3), features(2, 20, 3, shift=1.5)
    across = distances(real, generated)
    precision = (across <= radii(real, neighbours)[:, None]).any(axis=0).mean()
    recall = (across <= radii(generated, neighbours)[None, :]).any(axis=1).mean()
    assert 0 < precision < 1 and 0 < recall < 1
    values = ops.precision_recall(real + offset, generated + offset, neighbours)
    assert_allclose(values, [precision, recall], rtol=1e-6)


@pytest.mark.parametrize("neighbours", [2, 5])
def test_density_and_coverage_are_those_of_a_search(neighbours):
    real, generated = features(1, 30, 3), features(2, 20, 3, shift=1.5)
    inside = distances(real, generated) <= radii(real, neighbours)[:, None]
    density, coverage = inside.sum() / (neighbours * 20), inside.any(axis=1).mean()
    assert density > 0 and 0 < coverage < 1
    values = ops.density_coverage(real, generated, neighbours)
    assert_allclose(values, [density, coverage], rtol=1e-6)


def test_equal_sets_are_precise_and_complete_even_where_images_are_there_twice():
    once = features(1, 8)
    for real in (once, np.repeat(once, 7, axis=0), np.ones((9, 6), "float32")):
        assert_array_equal(ops.precision_recall(real, real), [1, 1])
        assert_array_equal(ops.density_coverage(real, real)[1], 1)
        for part in parts(ops.nearest(real, real)):
            assert np.isfinite(part).all()
        assert_array_equal(ops.nearest(real, real)[1], 0)


def test_collapse_costs_recall_and_coverage_but_not_precision():
    real = features(1, 40, 2)
    collapsed = np.repeat(real[[3]], 40, axis=0)
    # of the real images only the repeated one is reached
    assert_allclose(ops.precision_recall(real, collapsed), [1, 1 / 40], rtol=1e-6)
    assert float(ops.density_coverage(real, collapsed)[1]) < 0.4


def test_nearest_tells_copies_from_inventions():
    real = features(1, 21, 3)
    generated = np.concatenate([real[[7, 2]], real[[5]] + np.float32(0.1), features(3, 2, 3)])
    usual = np.median(radii(real, 1))
    across = distances(real, generated)
    index, ratio = ops.nearest(real, generated)
    assert_array_equal(index, across.argmin(axis=0))
    assert_array_equal(index[:3], [7, 2, 5])
    assert_allclose(ratio, across.min(axis=0) / usual, rtol=1e-4)
    assert_array_equal(ratio[:2], [0, 0])


@pytest.mark.parametrize("function", ALL)
def test_graph_with_unknown_numbers_of_images_computes_the_same(function):
    real, generated = features(1, 12), features(2, 9)
    unknown = tf.TensorSpec((None, 6))
    graph = tf.function(function, input_signature=(unknown, unknown))
    values, expected = parts(graph(real, generated)), parts(function(real, generated))
    for part, one in zip(values, expected, strict=True):
        assert_allclose(part, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", ALL)
def test_constant_features_give_finite_values(function):
    constant = np.full((8, 4), 0.3, "float32")
    other = features(1, 8, 4)
    for pair in ((constant, constant), (constant, other), (other, constant)):
        assert all(np.isfinite(part).all() for part in parts(function(*pair)))


@pytest.mark.parametrize("function", ALL[:2])
def test_double_precision_is_kept(function):
    real, generated = features(1, 12).astype("float64"), features(2, 9).astype("float64")
    assert function(real, generated).dtype == "float64"
    assert function(real, generated.astype("float32")).dtype == "float32"


@pytest.mark.parametrize(
    ("function", "real", "generated", "message"),
    [
        (ops.frechet_distance, 1, 5, "Received 1 real images, expected at least 2"),
        (ops.kernel_distance, 5, 1, "Received 1 generated images, expected at least 2"),
        (ops.precision_recall, 3, 9, "Received 3 real images, expected at least 4"),
        (ops.precision_recall, 9, 3, "Received 3 generated images, expected at least 4"),
        (ops.density_coverage, 5, 1, "Received 5 real images, expected at least 6"),
        (ops.nearest, 1, 1, "Received 1 real images, expected at least 2"),
    ],
)
def test_too_few_images_are_refused(function, real, generated, message):
    with pytest.raises(ValueError, match=message):
        function(features(1, real), features(2, generated))


def test_features_of_different_encoders_and_images_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(9, 6\) and \(9, 5\), expected two matrices"):
        ops.frechet_distance(features(1, 9), features(1, 9, 5))
    with pytest.raises(ValueError, match="Encode the images first"):
        ops.kernel_distance(np.zeros((3, 8, 8, 1)), np.zeros((3, 8, 8, 1)))
