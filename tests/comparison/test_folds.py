import itertools

import numpy as np
import pytest

from medgan.comparison import fold_splits, patient_folds
from medgan.data import phantoms
from medgan.errors import DataError

ATLAS = {"2": 19, "20": 18, "21": 17, "32": 18, "33": 17, "34": 21, "37": 20}


def images(sizes):
    return [patient for patient, count in sizes.items() for _ in range(count)]


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_folds_are_disjoint_and_cover_all_patients(count):
    folds = patient_folds(images(ATLAS), count)
    assert len(folds) == count and all(folds)
    for one, other in itertools.combinations(folds, 2):
        assert not set(one) & set(other)
    assert {patient for fold in folds for patient in fold} == set(ATLAS)


def test_folds_do_not_depend_on_the_order_of_the_images():
    patients = images(ATLAS)
    shuffled = np.random.default_rng(0).permutation(patients).tolist()
    assert patient_folds(patients, 3) == patient_folds(shuffled, 3)


def test_folds_have_about_as_many_images():
    # 5, 4, 3, 3 into two: 5 + 3 and 4 + 3, by hand
    assert patient_folds(images({"a": 3, "b": 5, "c": 4, "d": 3}), 2) == [["b", "d"], ["a", "c"]]


def test_more_folds_than_patients_are_refused():
    with pytest.raises(DataError, match="2 patients for 3 folds"):
        patient_folds(["a", "b"], 3)


def test_every_image_is_held_out_once_and_trains_elsewhere():
    pairs = phantoms(8, 4, 32)
    splits = fold_splits(pairs, 3)
    held_out = [name for split in splits for name in split.validation.names]
    assert sorted(held_out) == sorted(pairs.names)
    for split in splits:
        assert {*split.train.names} == {*pairs.names} - {*split.validation.names}
        assert not {*split.train.patients} & {*split.validation.patients}


def test_a_single_fold_holds_out_the_share():
    (split,) = fold_splits(phantoms(8, 4, 32), 1, validation_patients=0.25)
    assert len(set(split.validation.patients)) == 1
    assert len(set(split.train.patients)) == 3
