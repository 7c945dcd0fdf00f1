"""Means by patient, their bootstrap intervals, and paired tests between methods.

Everything takes a matrix with one row per image and one column per quantity. NaN stands for a value
that is missing; columns that miss the same images are worked on together, so that hundreds of
columns cost little more than one.
"""

import warnings

import numpy as np

RESAMPLES = 2000
FEWEST_PATIENTS = 6
LEVEL = 0.95


def _alike(values):
    """Yields `(columns, rows)`: columns that miss the same images, and the images they have."""
    if not values.size:
        return
    patterns, which = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, there in enumerate(patterns.T):
        rows = np.flatnonzero(there)
        if len(rows):
            yield np.flatnonzero(which.ravel() == number), rows


def _members(patients, rows):
    """For each patient, in order of appearance, the positions within `rows` of the images."""
    if patients is None:
        return [np.array([position]) for position in range(len(rows))]
    members = {}
    for position, row in enumerate(rows):
        members.setdefault(patients[row], []).append(position)
    return [np.array(positions) for positions in members.values()]


def patient_means(values, patients):
    """Averages the images of each patient.

    Args:
        values: `(images, columns)`; NaN counts as missing.
        patients: the patient of each image; None makes every image a patient of its own.

    Returns:
        `(patients, columns)`, patients in order of appearance; NaN where one has no value.

    Example:
        >>> import numpy as np
        >>> from medgan.evaluation.statistics import patient_means
        >>> patient_means(np.array([[1.0], [3.0], [4.0]]), ["a", "a", "b"]).tolist()
        [[2.0], [4.0]]
    """
    values = np.asarray(values, "float64")
    members = _members(patients, range(len(values)))
    means = np.full((len(members), values.shape[1]), np.nan)
    for number, rows in enumerate(members):
        counts = (~np.isnan(values[rows])).sum(axis=0)
        sums = np.nansum(values[rows], axis=0)
        means[number] = np.where(counts, sums / np.maximum(counts, 1), np.nan)
    return means


def means(values, patients):
    """Averages within each patient first, then over the patients.

    Args:
        values: `(images, columns)`; NaN counts as missing.
        patients: the patient of each image, or None.

    Returns:
        `(columns,)`; NaN where a column has no value.
    """
    by_patient = patient_means(values, patients)
    counts = (~np.isnan(by_patient)).sum(axis=0)
    return np.where(counts, np.nansum(by_patient, axis=0) / np.maximum(counts, 1), np.nan)


def resampling_weights(members, generator, resamples=RESAMPLES):
    """Weights that turn images into means of two-stage bootstrap resamples.

    Patients are drawn with replacement, then as many images as a patient has within each of the
    drawn. A patient of n images that is drawn k times gives k n draws in all, each image with the
    same chance, so one multinomial draw stands for all of them.

    Args:
        members: for each patient the positions of the images; together 0 to images - 1.
        generator: NumPy random generator.
        resamples: number of resamples.

    Returns:
        `(resamples, images)`; every row sums to one.
    """
    count = len(members)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = np.empty((resamples, sum(len(rows) for rows in members)))
    for times, rows in zip(drawn.T, members, strict=True):
        size = len(rows)
        if size == 1:
            weights[:, rows[0]] = times
        else:
            draws = generator.multinomial(times * size, np.full(size, 1 / size))
            weights[:, rows] = draws / size
    return weights / count


def intervals(values, patients, resamples=RESAMPLES, seed=0):
    """Percentile intervals (95 %) of the means by patient, from a two-stage bootstrap.

    Args:
        values: `(images, columns)`; NaN counts as missing. The columns of equally complete
            quantities share their resamples.
        patients: the patient of each image; None resamples images alone.
        resamples: number of resamples.
        seed: of the draws.

    Returns:
        `(columns, 2)`, low and high; NaN where a column has fewer than two values.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.
    """
    values = np.asarray(values, "float64")
    result = np.full((values.shape[1], 2), np.nan)
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    for columns, rows in _alike(values):
        if len(rows) > 1:
            generator = np.random.default_rng(seed)
            weights = resampling_weights(_members(patients, rows), generator, resamples)
            resampled = weights @ values[np.ix_(rows, columns)]
            result[columns] = np.percentile(resampled, tails, axis=0).T
    return result


def paired_tests(differences, patients):
    """Wilcoxon signed-rank tests of paired differences, two-sided.

    The units are patients (means of their differences) where at least six have values, else
    images: fewer patients cannot reach p = 0.05 at all.

    Args:
        differences: `(images, columns)`, first method minus second; NaN counts as missing.
        patients: the patient of each image, or None.

    Returns:
        `(p, units, counts)`, one entry per column: p-value, 1 where all differences are zero and
        NaN where there are fewer than two units; `"patients"` or `"images"`; number of units.

    Reference:
        Wilcoxon, Individual comparisons by ranking methods, 1945.
    """
    differences = np.asarray(differences, "float64")
    total = differences.shape[1]
    p_values, units, counts = np.full(total, np.nan), ["images"] * total, np.zeros(total, int)
    for columns, rows in _alike(differences):
        block = differences[np.ix_(rows, columns)]
        if patients is not None:
            by_patient = patient_means(block, [patients[row] for row in rows])
            if len(by_patient) >= FEWEST_PATIENTS:
                block = by_patient
                for column in columns:
                    units[column] = "patients"
        counts[columns] = len(block)
        if len(block) > 1:
            p_values[columns] = _wilcoxon(block)
    return p_values, units, counts


def _wilcoxon(block):
    """One p-value per column of `(units, columns)`."""
    from scipy.stats import wilcoxon

    p_values = np.ones(block.shape[1])
    magnitudes = np.sort(np.abs(block), axis=0)
    # Where SciPy meets a tie it enumerates permutations for every column of the call.
    tied = (magnitudes[0] == 0) | (np.diff(magnitudes, axis=0) == 0).any(axis=0)
    zero = magnitudes[-1] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a normal approximation not used
        if (~tied).any():
            p_values[~tied] = wilcoxon(block[:, ~tied], axis=0).pvalue
        for column in np.flatnonzero(tied & ~zero):
            p_values[column] = wilcoxon(block[:, column]).pvalue
    return p_values


def holm(p_values):
    """Adjusts p-values for their number, step-down.

    Args:
        p_values: sequence of p-values; NaN is not counted and stays.

    Returns:
        `(len(p_values),)`, at most 1.

    Example:
        >>> from medgan.evaluation.statistics import holm
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    p_values = np.asarray(p_values, "float64")
    order = np.argsort(p_values)  # NaN comes last
    order = order[: len(p_values) - np.isnan(p_values).sum()]
    steps = np.arange(len(order), 0, -1) * p_values[order]
    adjusted = p_values.copy()
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
