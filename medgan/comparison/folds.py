"""Folds by patient: every patient is held out once, and never trained on where it is scored."""

from medgan.data import Split, split_by_patient
from medgan.data.paired_folders import natural_order
from medgan.errors import DataError


def patient_folds(patients, count):
    """Divides patients into groups of about equally many images.

    The patient with most images goes first, each to the group that has fewest images so far; ties
    are decided by the natural order of the names. So the same images always make the same folds.

    Args:
        patients: the patient of each image.
        count: number of groups, 2 or more.

    Returns:
        A list of sorted lists of patients, disjoint, all patients together.

    Raises:
        DataError: if there are fewer patients than groups.

    Example:
        >>> from medgan.comparison.folds import patient_folds
        >>> patient_folds(["a", "a", "a", "b", "b", "c"], 2)
        [['a'], ['b', 'c']]
    """
    sizes = {}
    for patient in patients:
        sizes[patient] = sizes.get(patient, 0) + 1
    if len(sizes) < count:
        raise DataError(
            f"Received {len(sizes)} patients for {count} folds, expected a patient for each. "
            "Lower protocol.folds (--folds)."
        )
    folds, totals = [[] for _ in range(count)], [0] * count
    for patient in sorted(sizes, key=lambda name: (-sizes[name], natural_order(name))):
        fewest = min(range(count), key=lambda index: (totals[index], len(folds[index])))
        folds[fewest].append(patient)
        totals[fewest] += sizes[patient]
    return [sorted(fold, key=natural_order) for fold in folds]


def fold_splits(pairs, count, validation_patients=0.33, seed=0):
    """Splits of all folds: the patients of one fold are held out, the others train.

    Args:
        pairs: `medgan.data.Pairs`.
        count: number of folds; 1 holds out `validation_patients` alone.
        validation_patients: for one fold, a share of the patients or a list of them.
        seed: for one fold, draws the patients of a share.

    Returns:
        A list of `medgan.data.Split`, what is held out as `validation`.

    Raises:
        DataError: if there are too few patients.
    """
    if count == 1:
        return [split_by_patient(pairs, validation_patients, seed=seed)]
    everyone = set(pairs.patients)
    return [
        Split(
            train=pairs.of_patients(everyone - set(fold)),
            validation=pairs.of_patients(fold),
            test=pairs.select([]),
        )
        for fold in patient_folds(pairs.patients, count)
    ]
