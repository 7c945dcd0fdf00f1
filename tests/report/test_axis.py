import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.report.axis import Axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0, 0.5, 1]),
        ([0.31, 0.69], [0.3, 0.4, 0.5, 0.6, 0.7]),
        ([-3.0, 17.0], [-5, 0, 5, 10, 15, 20]),
        ([5.0], [2, 4, 6, 8]),
        ([0.0, 0.0], [-0.5, 0, 0.5]),
    ],
)
def test_linear_ticks_are_round_and_hold_all_values(values, ticks):
    assert_allclose(Axis.linear(values, 0, 1).ticks, ticks, atol=1e-12)


def test_places_are_in_proportion():
    axis = Axis.linear([10.0, 30.0], start=100, end=300)
    assert_allclose([axis.place(v) for v in (10, 15, 30)], [100, 150, 300])
    falling = Axis.linear([0.0, 1.0], start=200, end=0)
    assert_allclose([falling.place(v) for v in (0, 0.25, 1)], [200, 150, 0])


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis():
    axis = Axis.logarithm([0.1, 10.0], start=0, end=100)
    assert_allclose([axis.place(v) for v in (0.1, 1.0, 10.0)], [0, 50, 100], atol=1e-9)


def test_logarithmic_ticks_are_few_however_far_the_values_reach():
    assert_allclose(Axis.logarithm([1.0, 1.0], 0, 1).ticks, [1, 2])
    assert_allclose(Axis.logarithm([3e-7, 4e5], 0, 1).ticks, 10.0 ** np.arange(-9, 7, 3))
    assert_allclose(Axis.logarithm([0.3, 4.0], 0, 1).ticks, [0.2, 0.5, 1, 2, 5])


def test_labels_have_the_digits_that_tell_ticks_apart():
    axis = Axis.linear([-0.1, 0.1], 0, 1)
    assert [axis.label(tick) for tick in axis.ticks] == [
        "\N{MINUS SIGN}0.10",
        "\N{MINUS SIGN}0.05",
        "0.00",
        "0.05",
        "0.10",
    ]
    assert [Axis.linear([0.0, 1000.0], 0, 1).label(t) for t in (0, 500)] == ["0", "500"]
    assert [Axis.logarithm([0.1, 9.0], 0, 1).label(t) for t in (0.1, 10.0)] == ["0.1", "10"]
