import re

import pytest

from medgan.report.tables import (
    baselines,
    comparison_table,
    conventions_table,
    difference,
    pair_table,
    score_table,
)

MINUS = "\N{MINUS SIGN}"


def rows(html):
    """Text of each body row's cells; a bar stands for every tag inside a cell."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", html.split("</thead>")[1], flags=re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.S) for row in found]
    return [[re.sub(r"<[^>]*>", "|", cell).strip("|") for cell in row] for row in cells]


def test_best_and_second_are_marked_in_words_and_by_printed_digits(payload):
    average, maximum, _, evil = rows(score_table(payload))
    assert average[1] == "10.00|8.00 to 12.00"
    assert maximum[1] == "best| |30.00||28.00 to 32.00"
    assert evil[1] == "20.00|| second||18.00 to 22.00"
    # .750 and .7504 are printed alike, so both are best; 0.5 is second
    assert average[2].startswith("best| |0.750|") and maximum[2].startswith("best| |0.750|")
    assert evil[2].startswith("0.500|| second|")


def test_lower_is_best_where_it_is_better_and_undefined_is_a_dash(payload):
    html = score_table(payload)
    average, maximum, _, evil = rows(html)
    assert average[3].startswith("best| |0.000|") and maximum[3].startswith("0.020|| second|")
    assert evil[3] == "\N{EN DASH}" and 'title="not defined"' in html


def test_head_says_direction_and_convention(payload, parse):
    page = parse(score_table(payload))
    heads = page.found("th", scope="col", class_="main")
    assert [head["title"] for head in heads] == [
        "What SF is. (higher is better)",
        "What SSIM is. (higher is better)",
    ]
    assert page.found("th", class_="extra")[0]["title"] == "What Nabf is. (lower is better)"
    assert "SF\xa0↑" in page.text and "Nabf\xa0↓" in page.text


def test_sorting_knows_the_value_in_full(payload, parse):
    page = parse(score_table(payload))
    values = [cell["data-value"] for cell in page.found("td", class_="main")]
    assert values == ["10.0", "0.75", "30.0", "0.7504", "20.0", "0.5"]


def test_cautions_stand_in_the_body_of_their_method(payload):
    bodies = score_table(payload).split("<tbody>")[1:]
    assert ["Brighter than both" in body for body in bodies] == [False, True, False]
    assert "sources &amp; more." in bodies[1]


def test_costs_are_columns_only_where_there_are_any(payload):
    average, maximum, _, _ = rows(score_table(payload))
    assert average[4:] == ["0", "0.10"] and maximum[4:] == ["\N{EN DASH}"] * 2
    assert "MACs" not in score_table(payload)
    payload["costs"] = {}
    assert len(rows(score_table(payload))[0]) == 4


def test_scores_of_one_pair_are_those_of_its_image(payload):
    average, maximum, _ = rows(pair_table(payload, 2))
    assert average == ["average", "12.00", "best| |0.850", "best| |0.010"]
    assert maximum[1] == "best| |32.00"
    payload["values"] = {}
    assert pair_table(payload, 2) == ""


@pytest.mark.parametrize(
    ("method", "baseline", "value", "interval"),
    [("average", "maximum", -20.0, [-21.0, -18.0]), ("maximum", "average", 20.0, [18.0, 21.0])],
)
def test_signs_flip_when_the_baseline_is_the_first(payload, method, baseline, value, interval):
    found = difference(payload, method, baseline)
    assert list(found) == ["sf"]
    assert found["sf"]["difference"] == value and found["sf"]["interval"] == interval


def test_comparison_shows_the_chosen_baseline_and_keeps_the_others(payload, parse):
    html = comparison_table(payload)
    bodies = parse(html).found("tbody")
    assert [("data-baseline", "hidden" in body) for body in bodies] == [
        ("data-baseline", True),
        ("data-baseline", False),
        ("data-baseline", True),
    ]
    assert baselines(payload) == (payload["methods"], "maximum")
    against_average, _ = rows(html)[:2]
    assert against_average[1] == "better| |+20.00||+18.00 to +21.00||p = 0.030"
    against_maximum = rows(html)[2]
    text = f"worse| |{MINUS}20.00||{MINUS}21.00 to {MINUS}18.00||p = 0.030"
    assert against_maximum == ["average", text, "\N{EN DASH}", "\N{EN DASH}"]
    assert 'title="over 2 patients"' in html


def test_verdict_follows_the_direction_and_is_silent_where_chance_may_be(payload):
    payload["conventions"]["sf"]["better"] = "lower"
    assert rows(comparison_table(payload))[0][1].startswith("worse| |+20.00")
    for test in payload["tests"]:
        test["p_holm"] = 0.05
    assert rows(comparison_table(payload))[0][1].startswith("+20.00")
    for test in payload["tests"]:
        test["p_holm"] = test["interval"] = None
    assert rows(comparison_table(payload))[0][1] == "+20.00"


def test_conventions_list_every_score_with_its_source(payload):
    assert rows(conventions_table(payload))[2] == [
        "Nabf |nabf",
        "lower",
        "What Nabf is.",
        "Somebody 1999",
    ]


def test_names_are_escaped_everywhere(payload):
    for html in (score_table(payload), comparison_table(payload), pair_table(payload, 0)):
        assert "<script" not in html and "&lt;script&gt;" in html
