import json

import numpy as np
import pytest

from medgan.data import Pairs, Split, split_by_patient
from medgan.errors import DataError


def pairs_of(*patients):
    names = tuple(f"{index}.png" for index in range(len(patients)))
    return Pairs(names, patients, tuple(np.zeros((2, 2, 2), "uint8") for _ in patients))


TEN = pairs_of(*(f"p{number}" for number in range(10) for _ in range(3)))


def patients_of(split):
    return [set(side.patients) for side in (split.train, split.validation, split.test)]


@pytest.mark.parametrize("seed", range(20))
def test_no_patient_is_on_two_sides_and_no_slice_is_lost(seed):
    split = split_by_patient(TEN, 0.3, 0.2, seed)
    train, validation, test = patients_of(split)
    assert not (train & validation or train & test or validation & test)
    names = [*split.train.names, *split.validation.names, *split.test.names]
    assert sorted(names) == sorted(TEN.names)


@pytest.mark.parametrize(
    ("share", "patients"), [(0.01, 1), (0.14, 1), (0.15, 2), (0.24, 2), (0.25, 3), (0.33, 3)]
)
def test_shares_count_patients_round_half_up_and_are_never_empty(share, patients):
    assert len(set(split_by_patient(TEN, share).validation.patients)) == patients


def test_seed_decides_and_repeats():
    draws = [
        frozenset(split_by_patient(TEN, 0.3, seed=seed).validation.patients)
        for seed in (0, 0, 1, 2, 3)
    ]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1


def test_order_of_the_slices_does_not_matter_for_the_draw():
    reversed_pairs = TEN.select(range(len(TEN) - 1, -1, -1))
    assert patients_of(split_by_patient(TEN)) == patients_of(split_by_patient(reversed_pairs))


def test_test_side_does_not_depend_on_the_share_for_validation():
    sides = [split_by_patient(TEN, share, 0.2).test.names for share in (0.1, 0.3, 0.5)]
    assert sides[0] == sides[1] == sides[2]


def test_named_patients_go_where_they_are_named():
    pairs = pairs_of("20", "20", "21", "32", "33")
    train, validation, test = patients_of(split_by_patient(pairs, [20, "21"], ["33"]))
    assert (train, validation, test) == ({"32"}, {"20", "21"}, {"33"})


def test_a_share_draws_from_those_who_are_not_named():
    for seed in range(10):
        _, validation, test = patients_of(split_by_patient(TEN, ["p3"], 0.4, seed))
        assert validation == {"p3"}
        assert len(test) == 4
        assert "p3" not in test


def test_dictionary_goes_through_json():
    split = split_by_patient(pairs_of("b", "a", "b"), ["a"])
    assert json.loads(json.dumps(split.to_dict())) == {
        "train": {"patients": ["b"], "names": ["0.png", "2.png"]},
        "validation": {"patients": ["a"], "names": ["1.png"]},
        "test": {"patients": [], "names": []},
    }


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (["p1"], ["p1", "p2"], "p1 in validation_patients and in test_patients"),
        (["nobody"], 0.0, "nobody.*p0, p1"),
        (0.0, 0.0, "at least 1 patient to validate"),
        ([], 0.0, "at least 1 patient to validate"),
        (0.99, 0.0, "Received 10 patients, expected at least 11"),
        (0.6, 0.5, "Received 10 patients, expected at least 12"),
        (1.0, 0.0, "less than 1"),
        (-0.1, 0.0, "less than 1"),
        (20, 0.0, r"such as \[20\]"),
        (float("nan"), 0.0, "less than 1"),
        (True, 0.0, "list of patients or a share"),
        ("p1", 0.0, "list of patients or a share"),
        (None, 0.0, "list of patients or a share"),
    ],
)
def test_impossible_splits_are_refused_in_one_line(validation, test, message):
    with pytest.raises(DataError, match=message) as caught:
        split_by_patient(TEN, validation, test)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("patients", [(), ("1",)])
def test_too_few_patients_are_counted(patients):
    with pytest.raises(DataError, match=f"Received {len(patients)} patients, expected at least"):
        split_by_patient(pairs_of(*patients), 0.33)


def test_a_split_by_hand_that_shares_a_patient_is_refused():
    with pytest.raises(DataError, match="patients 1 in train and test"):
        Split(pairs_of("1"), pairs_of("2"), pairs_of("1"))


def test_atlas_is_divided_by_patient(atlas):
    from medgan.data import paired_folders

    split = split_by_patient(paired_folders(atlas / "CT-MRI"), [20, 21], [37])
    train, validation, test = patients_of(split)
    assert train == {"2", "32", "33", "34"}
    assert (validation, test) == ({"20", "21"}, {"37"})
