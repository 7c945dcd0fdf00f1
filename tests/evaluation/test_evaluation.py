import csv
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from medgan.evaluation import Evaluation
from medgan.metrics import Score

NAMES = ["1001.png", "1002.png", "2001.png", "3001.png"]
PATIENTS = ["1", "1", "2", "3"]


def score(title, better="higher", **about):
    return Score(title, lambda a, b: None, "as written", "somebody 1900", better, **about)


SCORES = {
    "up": score("Up", main=True),
    "down": score("Down", "lower", decimals=1, main=True),
    "level": score("Level", None, main=True),
    "extra": score("Extra"),
}


def evaluation(names=NAMES, patients=PATIENTS, **methods):
    made = Evaluation("fusion", names, patients, "a title", SCORES)
    for name, values in methods.items():
        made.add(name, values)
    return made


def random(count=8, patients=4, methods=3, shift=0.3):
    rng = np.random.default_rng(0)
    names = [f"{index}.png" for index in range(count)]
    whose = None if patients is None else [str(index % patients) for index in range(count)]
    made = Evaluation("fusion", names, whose, "", SCORES)
    for number in range(methods):
        made.add(f"m{number}", {key: rng.normal(number * shift, 1, count) for key in SCORES})
    return made


def test_means_count_patients_alike():
    made = evaluation(one={"up": [1, 3, 5, 8]}, two={"up": [0, 0, 0, 3]})
    assert made.scores() == {"one": {"up": 5.0}, "two": {"up": 1.0}}
    alike = evaluation(patients=None, one={"up": [1, 3, 5, 8]})
    assert alike.scores() == {"one": {"up": 4.25}}
    assert made.to_dict()["by_patient"]["one"]["up"] == {"1": 2.0, "2": 5.0, "3": 8.0}
    assert alike.to_dict()["by_patient"] == {} and alike.to_dict()["patients"] is None


def test_means_are_over_the_images_that_every_method_has():
    made = evaluation(one={"up": [1, 3, 5, 8]}, two={"up": [0, None, 2, np.nan]})
    received = made.to_dict()
    assert received["scores"] == {"one": {"up": 3.0}, "two": {"up": 1.0}}
    assert received["values"]["one"]["up"] == [1, 3, 5, 8]
    assert received["values"]["two"]["up"] == [0, None, 2, None]
    assert received["by_patient"]["one"]["up"] == {"1": 1.0, "2": 5.0, "3": None}
    assert "over the 2 of 4 images that every method has" in received["notes"][0]
    assert received["tests"][0]["difference"] == 2.0 and received["tests"][0]["count"] == 2


def test_a_score_that_one_image_lacks_takes_nothing_from_other_scores():
    made = evaluation(one={"up": [1, 3, 5, 8], "extra": [1, 1, 1, None]})
    assert made.scores()["one"] == {"up": 5.0, "extra": 1.0}


def test_methods_without_a_common_image_keep_their_means_and_it_is_said():
    made = evaluation(one={"up": [1, 3, None, None]}, two={"up": [None, None, 2, 4]})
    received = made.to_dict()
    assert received["scores"] == {"one": {"up": 2.0}, "two": {"up": 3.0}}
    assert received["tests"] == []
    assert "cannot be compared" in received["notes"][0]


def test_a_score_that_only_one_method_has_is_kept():
    made = evaluation(one={"up": [1, 3, 5, 8]}, two={"extra": [1, 1, 1, 1]})
    scores = made.to_dict()["scores"]
    assert scores == {"one": {"up": 5.0, "extra": None}, "two": {"up": None, "extra": 1.0}}


def test_payload_is_json_without_nan():
    made = evaluation(one={"up": [1, 3, np.inf, np.nan], "down": [np.nan] * 4})
    received = made.to_dict()
    assert json.loads(json.dumps(received, allow_nan=False)) == received
    assert received["values"]["one"]["up"] == [1, 3, None, None]
    assert received["scores"]["one"]["down"] is None
    assert received["intervals"]["one"]["down"] is None
    about = received["conventions"]["up"]
    assert (about["title"], about["convention"], about["main"]) == ("Up", "as written", True)
    assert list(received["conventions"]) == ["up", "down"]
    assert received["images"][2] == {"name": "2001.png", "patient": "2"}
    assert received["versions"]["medgan"] and received["versions"]["opencv"]


def test_tests_are_over_all_pairs_with_holm_within_a_score():
    made = random(count=14, patients=7)
    received = made.to_dict()
    tests = [entry for entry in received["tests"] if entry["score"] == "down"]
    pairs = [(entry["first"], entry["second"]) for entry in tests]
    assert pairs == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    expected = []
    for entry in tests:
        first, second = (made.values(entry[side])["down"] for side in ("first", "second"))
        by_patient = (first - second).reshape(2, 7).mean(axis=0)  # image k is of patient k mod 7
        assert_allclose(entry["difference"], by_patient.mean(), rtol=1e-6)
        expected.append(stats.wilcoxon(by_patient).pvalue)
        assert (entry["unit"], entry["count"]) == ("patients", 7)
        low, high = entry["interval"]
        assert low < entry["difference"] < high
    assert_allclose([entry["p"] for entry in tests], expected)
    order = np.argsort(expected)
    steps = np.maximum.accumulate(np.array([3, 2, 1]) * np.array(expected)[order])
    assert_allclose([tests[i]["p_holm"] for i in order], np.minimum(steps, 1))
    assert received["notes"] == []


def test_too_few_patients_for_so_many_pairs_are_warned_of():
    received = random(count=14, patients=7, methods=5, shift=9).to_dict()
    (note,) = received["notes"]
    assert note.startswith("7 patients and 10 pairs of methods: the smallest p that Holm's")
    alike = np.arange(1, 8)  # seven differences of one sign: nothing is more certain
    smallest = 10 * stats.wilcoxon(alike).pvalue
    assert f"leaves is {smallest:.3f}, so no difference can be significant" in note
    assert_allclose(min(test["p_holm"] for test in received["tests"]), smallest)
    assert random(count=20, patients=10, methods=5).to_dict()["notes"] == []
    assert random(count=14, patients=7, methods=1).to_dict()["notes"] == []


def test_few_patients_are_warned_of():
    received = random(patients=4).to_dict()
    assert received["tests"][0]["unit"] == "images"
    (note,) = received["notes"]
    assert note.startswith("4 patients only") and "p-values are too small" in note
    alone = random(patients=4, methods=1).to_dict()
    assert alone["tests"] == [] and "p-values" not in alone["notes"][0]
    assert "One patient only" in random(patients=1).to_dict()["notes"][0]
    assert "Every image counts alike" in random(patients=None).to_dict()["notes"][0]


def test_one_image_has_neither_interval_nor_test():
    received = evaluation(["a"], ["1"], one={"up": [1.0]}, two={"up": [2.0]}).to_dict()
    assert received["intervals"] == {"one": {"up": None}, "two": {"up": None}}
    (entry,) = received["tests"]
    assert entry["difference"] == -1 and entry["p"] is entry["interval"] is None
    assert received["notes"] == ["One image only: no intervals and no tests."]


def test_table_shows_main_scores_and_marks_best_and_second():
    made = evaluation(
        slow_one={"up": [1] * 4, "down": [3] * 4, "level": [1] * 4, "extra": [1] * 4},
        two={"up": [2] * 4, "down": [2.04] * 4, "level": [2] * 4},
        three={"up": [2.0001] * 4, "down": [2.01] * 4, "level": [3] * 4},
        four={"up": [0] * 4},
    )
    assert made.cells() == [
        ["method", "Up", "Down", "Level"],
        ["slow_one", "1.000", "3.0", "1.000"],
        ["two", "2.000", "2.0", "2.000"],
        ["three", "2.000", "2.0", "3.000"],
        ["four", "0.000", "-", "-"],
    ]
    marks = [[0, 0, 0, 0], [0, 2, 2, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert made.marks() == marks
    assert made.lower_is_better() == ["Down"]


def test_table_shows_costs_where_they_are_known():
    made = Evaluation("fusion", NAMES, PATIENTS, scores=SCORES)
    cost = {"parameters": 1234, "macs": 5_600_000, "milliseconds": 7.04}
    made.add("one", {"up": [1] * 4}, cost, ["looks stretched"])
    made.add("two", {"up": [1] * 4})
    head, one, two = made.cells()
    assert head == ["method", "Up", "parameters", "MACs", "CPU ms"]
    assert one == ["one", "1.000", "1,234", "5.60 M", "7.0"]
    assert two == ["two", "1.000", "-", "-", "-"]
    assert [len(line) for line in made.marks()] == [5, 5, 5]
    assert made.to_dict()["costs"] == {"one": cost}
    assert made.to_dict()["cautions"] == {"one": ["looks stretched"]}


def test_csv_has_a_row_per_method_and_image_and_nothing_for_none(tmp_path):
    made = evaluation(one={"up": [1 / 3, None, 5, 8]}, two={"up": [1, 2, 3, 4]})
    made.write_csv(tmp_path / "scores.csv")
    with open(tmp_path / "scores.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["method", "name", "patient", *SCORES]
    assert [row["up"] for row in rows] == ["0.333333333", "", "5", "8", "1", "2", "3", "4"]
    assert {row["down"] for row in rows} == {""}
    assert (rows[2]["method"], rows[2]["name"], rows[2]["patient"]) == ("one", "2001.png", "2")


@pytest.mark.parametrize(
    ("method", "values", "words"),
    [
        ("one", {"up": [1] * 4}, "twice"),
        ("two", {"side": [1] * 4}, "'side', expected some of up"),
        ("two", {"up": [1] * 3}, "3 values of up for 4 images"),
    ],
)
def test_what_does_not_fit_is_refused(method, values, words):
    made = evaluation(one={"up": [1] * 4})
    with pytest.raises(ValueError, match=words):
        made.add(method, values)


def test_one_patient_per_image_is_asked_for():
    with pytest.raises(ValueError, match="2 patients for 4 images"):
        Evaluation("fusion", NAMES, ["1", "2"])


def test_sets_have_scores_without_images(tmp_path):
    made = Evaluation("synthesis", [], scores=SCORES)
    made.add_set("one", {"up": 1.5, "down": np.nan})
    made.add_set("two", {"up": 0.5})
    received = made.to_dict()
    assert received["scores"]["one"] == {"up": 1.5, "down": None}
    assert received["scores"]["two"] == {"up": 0.5, "down": None}
    assert received["images"] == [] and received["tests"] == [] and received["notes"] == []
    assert made.cells()[1:] == [["one", "1.500", "-"], ["two", "0.500", "-"]]
    made.write_csv(tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text().splitlines()[1] == "one,,,1.5,,,"
