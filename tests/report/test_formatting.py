import math

import pytest

from medgan.report.formatting import (
    counted,
    escape,
    interval,
    is_number,
    listed,
    milliseconds,
    number,
    places,
    probability,
    quantity,
)


def test_minus_is_a_real_minus_and_zero_has_none():
    assert number(-1.25, 2) == "\N{MINUS SIGN}1.25"
    assert number(-0.0004, 3) == number(-0.0004, 3, signed=True) == "0.000"
    assert number(0.5, 1, signed=True) == "+0.5"
    assert interval([-0.5, 0.25], 2, signed=True) == "\N{MINUS SIGN}0.50 to +0.25"


def test_escaping_covers_attributes():
    assert escape("<a b='c' d=\"e\">&") == "&lt;a b=&#x27;c&#x27; d=&quot;e&quot;&gt;&amp;"


def test_none_and_nan_are_no_numbers():
    assert [is_number(v) for v in (None, math.nan, math.inf, 0, -1.5)] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (53_719, "53.7 k"), (56.8e9, "56.8 G")],
)
def test_quantity_has_three_digits_and_a_prefix(value, text):
    assert quantity(value) == text


def test_small_words():
    assert [milliseconds(v) for v in (0.004, 0.1, 2.13, 24.3)] == ["0.00", "0.10", "2.1", "24"]
    assert [probability(v) for v in (0.0004, 0.001, 1.0)] == ["p < 0.001", "p = 0.001", "p = 1.000"]
    assert [listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [counted(n, "pair") for n in (0, 1, 1200)] == ["0 pairs", "1 pair", "1,200 pairs"]


def test_places_go_by_the_digits_that_are_printed():
    values = {"a": 0.74, "b": 0.7404, "c": 0.741, "d": 0.2, "e": None, "f": math.nan}
    assert places(values, "higher", 3) == {"c": 1, "a": 2, "b": 2}
    assert places(values, "higher", 2) == {"a": 1, "b": 1, "c": 1, "d": 2}
    assert places(values, "lower", 3) == {"d": 1, "a": 2, "b": 2}


def test_nobody_is_best_where_all_are_equal_or_no_direction_is_better():
    assert places({"a": 1.0, "b": 1.0}, "higher", 2) == {}
    assert places({"a": 1.0}, "higher", 2) == {}
    assert places({"a": 1.0, "b": 2.0}, None, 2) == {}
