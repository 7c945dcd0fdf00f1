"""Methods against each other: every pair in every score, and what that is worth."""

import itertools
import math

import numpy as np

from medgan.evaluation.statistics import FEWEST_PATIENTS, holm, intervals, means, paired_tests

SIGNIFICANT = 0.05


def pairwise(values, methods, keys, patients):
    """Compares all pairs of methods in all scores.

    Args:
        values: `(images, methods, scores)`, NaN where there is no value.
        methods: their names.
        keys: names of the scores.
        patients: the patient of each image, or None.

    Returns:
        List of dicts, first method against second: `difference` of the means by patient (first
        minus second) with its `interval`, `p` of the paired test and `p_holm`, adjusted for the
        pairs of methods within the score, `unit` and `count` of what was tested.
    """
    pairs = list(itertools.combinations(range(len(methods)), 2))
    if not pairs:
        return []
    first, second = np.array(pairs).T
    columns = flat(values[:, first] - values[:, second])
    p_values, units, counts = paired_tests(columns, patients)
    by_score = p_values.reshape(len(pairs), len(keys)).T
    adjusted = np.stack([holm(column) for column in by_score], axis=1).ravel()
    differences, limits = means(columns, patients), intervals(columns, patients)
    return [
        {
            "first": methods[pair[0]],
            "second": methods[pair[1]],
            "score": key,
            "difference": number(differences[index]),
            "interval": bounds(limits[index]),
            "p": number(p_values[index]),
            "p_holm": number(adjusted[index]),
            "unit": units[index],
            "count": int(counts[index]),
        }
        for index, (pair, key) in enumerate(itertools.product(pairs, keys))
        if counts[index]
    ]


def caveats(complete, patients, methods):
    """What means, intervals and tests are over, and what they are worth, in sentences.

    Args:
        complete: for each image whether every method has a value of it.
        patients: the patient of each image, or None.
        methods: number of methods.

    Returns:
        List of sentences; empty where there is nothing to be careful about.
    """
    count, total = int(complete.sum()), len(complete)
    notes = []
    if not total:
        return notes
    if not count:
        notes.append(
            "No image has a value of every method: each mean is over the method's own images, so "
            "the means cannot be compared."
        )
    elif count < total:
        notes.append(
            f"Means, intervals and tests are over the {count} of {total} images that every method "
            "has; all values are in the CSV."
        )
    if count == 1:
        return [*notes, "One image only: no intervals and no tests."]
    if patients is None:
        return [
            *notes,
            "Every image counts alike. If several are of one patient they resemble each other: "
            "intervals are then too narrow and p-values too small.",
        ]
    whose = len({patient for patient, there in zip(patients, complete, strict=True) if there})
    if whose == 1:
        notes.append("One patient only: intervals and tests say nothing about other patients.")
    elif 1 < whose < FEWEST_PATIENTS:
        tests = (
            f"; tests are over images, for {FEWEST_PATIENTS} patients are the fewest that can show "
            "p < 0.05: the images of one patient resemble each other, so these p-values are too "
            "small"
        )
        notes.append(f"{whose} patients only: intervals are rough{tests if methods > 1 else ''}.")
    pairs = math.comb(methods, 2)
    # A signed-rank test of n differences that all have one sign has p = 2 / 2^n.
    smallest = min(1, pairs * 2 * 0.5**whose)
    if whose >= FEWEST_PATIENTS and smallest > SIGNIFICANT:
        notes.append(
            f"{whose} patients and {pairs} pairs of methods: the smallest p that Holm's correction "
            f"leaves is {smallest:.3f}, so no difference can be significant; read the intervals."
        )
    return notes


def flat(values):
    """`(images, methods, scores)` as `(images, columns)`."""
    images, methods, scores = values.shape
    return values.reshape(images, methods * scores)


def number(value):
    """A plain float with the nine digits that float32 has; None for NaN."""
    return None if np.isnan(value) else float(f"{value:.9g}")


def bounds(pair):
    """Two plain floats, or None where one is NaN."""
    return None if np.isnan(pair).any() else [number(bound) for bound in pair]
