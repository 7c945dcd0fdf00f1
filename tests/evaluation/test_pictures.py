import numpy as np
from numpy.testing import assert_array_equal

from medgan.evaluation import ComputedMethod, Evaluation, Study, UnusableImage
from medgan.evaluation.pictures import chosen, make_pictures
from medgan.metrics import Score

SCORES = {
    "up": Score("Up", None, "", "", main=True),
    "down": Score("Down", None, "", "", "lower", main=True),
}


def evaluation(count=30, patients=3):
    whose = [str(index * patients // count) for index in range(count)] if patients else None
    made = Evaluation("fusion", [f"{index}.png" for index in range(count)], whose, "", SCORES)
    made.add("mine", {"up": np.arange(count), "down": np.zeros(count)})
    return made


def test_pictures_are_spread_over_patients():
    indices = chosen(evaluation(), 6)
    assert indices == sorted(set(indices)) and len(indices) == 6
    assert [index // 10 for index in indices] == [0, 0, 1, 1, 2, 2]
    assert chosen(evaluation(patients=None), 3) == [5, 15, 25]


def test_pictures_show_where_the_own_method_is_worst():
    made = evaluation()
    indices = chosen(made, 6, "mine")
    assert {0, 1} <= set(indices) and len(indices) == 6
    made.add("low", {"up": np.zeros(30), "down": np.arange(30)})
    assert {28, 29} <= set(chosen(made, 6, "low"))


def test_few_images_are_all_shown_and_incomplete_ones_are_not():
    made = evaluation(4, 2)
    assert chosen(made, 12, "mine") == [0, 1, 2, 3]
    made.add("other", {"up": [1, None, 1, 1]})
    assert chosen(made, 12, "mine") == [0, 2, 3]
    assert chosen(made, 0, "mine") == []


def test_pictures_are_grey_levels_of_references_and_results():
    levels = np.random.default_rng(0).integers(0, 256, (2, 6, 7, 2), "uint8")

    def read(index):
        if index == 2:
            raise UnusableImage("2.png", "CT", "received nothing")
        return levels[index] / np.float32(255)

    study = Study(["0.png", "1.png", "2.png"], ["a", "b", "b"], read, ["CT", "MRI"])
    method = ComputedMethod("maximum", lambda x: x.max(axis=-1, keepdims=True))
    first, second = make_pictures(study, [method], [0, 1, 2])
    assert (first["name"], first["patient"]) == ("0.png", "a")
    assert list(second["images"]) == ["CT", "MRI", "maximum"]
    assert_array_equal(second["images"]["MRI"], levels[1, ..., 1])
    assert_array_equal(second["images"]["maximum"], levels[1].max(axis=-1))
    assert second["images"]["maximum"].dtype == "uint8"
