"""Training, validation and test sides that never share a patient."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from medgan.data.pairs import Pairs
from medgan.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Three sets of pairs without a patient in common.

    Args:
        train: what the networks learn from.
        validation: what the scores during the training are measured on.
        test: what nobody looks at before the end; may be empty.

    Raises:
        DataError: if two of them share a patient.
    """

    train: Pairs
    validation: Pairs
    test: Pairs

    def __post_init__(self):
        """Checks that no patient is on two sides."""
        sides = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
        for position, (name, pairs) in enumerate(sides):
            for other_name, other in sides[position + 1 :]:
                shared = sorted(set(pairs.patients) & set(other.patients))
                if shared:
                    raise DataError(
                        f"Received the patients {', '.join(shared)} in {name} and {other_name}; "
                        "expected each patient on one side only. Split by patient."
                    )

    def to_dict(self) -> dict:
        """Returns the patients and the names of each side, ready for JSON."""
        return {
            field.name: {
                "patients": sorted(set(getattr(self, field.name).patients)),
                "names": list(getattr(self, field.name).names),
            }
            for field in dataclasses.fields(self)
        }


def split_by_patient(
    pairs: Pairs,
    validation_patients: float | Sequence[str | int] = 0.33,
    test_patients: float | Sequence[str | int] = 0.0,
    seed: int = 0,
) -> Split:
    """Divides pairs into training, validation and test by patient.

    Slices of one patient are nearly copies of each other: divided by slice, a network is
    examined on what it has learned by heart. Hence shares are shares of the patients, and
    the share of the slices may differ.

    Args:
        pairs: all pairs.
        validation_patients: the patients to validate on, as a list, or a share of all
            patients, 0 < share < 1. A share is rounded half up and gets at least one patient.
        test_patients: likewise; 0 or an empty list keeps no test side.
        seed: draws the patients of the shares. The test patients do not depend on the share
            for validation, and the other way round.

    Returns:
        A `Split`. Pairs keep their order.

    Raises:
        DataError: if a patient is unknown or in both lists, a share is outside [0, 1), or
            training or validation would be empty.

    Example:
        >>> from medgan.data import phantoms, split_by_patient
        >>> split = split_by_patient(phantoms(count=6, patients=3, image_size=32))
        >>> len(split.train), len(split.validation), len(split.test)
        (4, 2, 0)
    """
    everyone = sorted(set(pairs.patients))
    validation_named, validation_count = _request(
        "validation_patients", validation_patients, everyone
    )
    test_named, test_count = _request("test_patients", test_patients, everyone)
    both = sorted(set(validation_named) & set(test_named))
    if both:
        raise DataError(
            f"Received the patients {', '.join(both)} in validation_patients and in "
            "test_patients; expected each in one list only."
        )
    named = {*validation_named, *test_named}
    free = [patient for patient in everyone if patient not in named]
    in_validation = len(validation_named) + validation_count
    in_test = len(test_named) + test_count
    if in_validation == 0:
        raise DataError(
            f"Received validation_patients={validation_patients!r} with {len(everyone)} patients; "
            "expected at least 1 patient to validate on. Name one, or give a share above 0."
        )
    if in_validation + in_test >= len(everyone):
        raise DataError(
            f"Received {len(everyone)} patients, expected at least {in_validation + in_test + 1}: "
            f"{in_validation} for validation, {in_test} for test and 1 or more for training. "
            "Add patients, or lower data.validation_patients or data.test_patients."
        )
    order = np.random.default_rng(seed).permutation(len(free))
    shuffled = [free[position] for position in order]
    # One from the front, one from the back: changing one share leaves the other side alone.
    validation = {*validation_named, *shuffled[:validation_count]}
    test = {*test_named, *shuffled[len(shuffled) - test_count :]}
    return Split(
        train=pairs.of_patients(set(everyone) - validation - test),
        validation=pairs.of_patients(validation),
        test=pairs.of_patients(test),
    )


def _request(argument, value, everyone):
    """Returns the patients that are named and how many more are to be drawn."""
    if isinstance(value, bool | str) or not isinstance(value, int | float | Sequence):
        raise DataError(
            f"Received {argument}={value!r}; expected a list of patients or a share from 0 to 1."
        )
    if isinstance(value, Sequence):
        named = sorted({str(patient) for patient in value})
        unknown = [patient for patient in named if patient not in everyone]
        if unknown:
            raise DataError(
                f"Received the patients {', '.join(unknown)} in {argument}, who have no images; "
                f"expected some of {', '.join(everyone) or 'no one'}."
            )
        return named, 0
    if not 0 <= value < 1:
        raise DataError(
            f"Received {argument}={value!r}; expected a share of the patients, 0 or more and "
            f"less than 1. To name patients give a list, such as [{value!r}]."
        )
    if value == 0:
        return [], 0
    return [], max(1, math.floor(value * len(everyone) + 0.5))
