"""Does distillation help? What the paired differences between two methods allow to say."""

import numpy as np

from medgan.comparison.cells import SCORES
from medgan.evaluation.comparison import SIGNIFICANT, bounds, number
from medgan.evaluation.statistics import (
    FEWEST_PATIENTS,
    holm,
    intervals,
    means,
    paired_tests,
    patient_means,
)
from medgan.report.formatting import counted, listed
from medgan.report.formatting import number as spoken

# Two seeds of one method differ by as much (medgan's kgan.toml, three seeds): less is noise.
NOISE = {
    "sf": 0.5,
    "ssim": 0.002,
    "ssim_head": 0.002,
    "scd": 0.02,
    "qabf": 0.01,
    "vif": 0.01,
    "mi": 0.03,
    "nabf": 0.002,
}
HELPS, HARMS, NO_HELP, OPEN = "helps", "harms", "does not help", "cannot be told"


def paired(first, second, patients, scores=None):
    """Compares two methods score by score, over patients.

    Slices are averaged within each patient first; the patients' differences are tested with the
    exact signed-rank test of Wilcoxon, whatever their number, and Holm's correction is over the
    scores. The interval is that of a bootstrap of patients, then of their images.

    A method *helps* in a score if the whole interval of its gain is above zero, p is below 0.05,
    every seed agrees in the sign, and the gain is more than what is noise between seeds (`NOISE`),
    which no interval over patients knows; it *harms* if the same holds for a loss. It *does not
    help* if the upper end of the interval is below that noise: whatever it gains is less. All else
    *cannot be told*, as everything with fewer than six patients, which cannot reach that p.

    Args:
        first: `(seeds, images, scores)` of the method that may be better.
        second: the same of the other; its seeds are those of the first.
        patients: the patient of each image.
        scores: table of `Score`s by key, in the order of the columns; the main ones by default.

    Returns:
        Score key to a dict: `difference` (first minus second) with its `interval`, `p`, `p_holm`,
        number of `patients`, difference `by_seed`, and the `verdict`.
    """
    scores = SCORES if scores is None else scores
    differences = np.asarray(first, "float64") - np.asarray(second, "float64")
    by_image = differences.mean(axis=0)
    by_patient = patient_means(by_image, patients)
    p_values, _, counts = paired_tests(by_patient, None)
    columns = zip(
        scores.items(),
        means(by_image, patients),
        intervals(by_image, patients),
        p_values,
        holm(p_values),
        counts,
        np.array([means(values, patients) for values in differences]).T,
        strict=True,
    )
    found = {}
    for (key, score), mean, interval, p, p_holm, count, by_seed in columns:
        sign = -1 if score.better == "lower" else 1
        gain = sorted(sign * interval)
        found[key] = {
            "difference": number(mean),
            "interval": bounds(interval),
            "p": number(p),
            "p_holm": number(p_holm),
            "patients": int(count),
            "by_seed": [number(value) for value in by_seed],
            "verdict": _verdict(gain, p, sign * by_seed, NOISE.get(key, 0.0))
            if count >= FEWEST_PATIENTS
            else OPEN,
        }
    return found


def _verdict(gain, p, by_seed, noise):
    """One of the four words, from the interval of the gain, p, and the gains of all seeds."""
    low, high = gain
    gained = by_seed.mean()
    beyond = p < SIGNIFICANT and abs(gained) > noise
    if low > 0 and beyond and (by_seed > 0).all():
        return HELPS
    if high < 0 and beyond and (by_seed < 0).all():
        return HARMS
    return NO_HELP if high < noise else OPEN


def sentence(found, what="Distillation", scores=None):
    """Says in plain words what the comparison allows to say, and what it rests on.

    Args:
        found: what `paired` returns.
        what: what the first method has and the second has not.
        scores: the table of `Score`s.

    Returns:
        Sentences.

    Example:
        >>> from medgan.comparison.verdict import sentence
        >>> entry = {"difference": 0.001, "interval": [-0.001, 0.0015], "p": 0.3, "p_holm": 0.6,
        ...          "patients": 7, "by_seed": [0.001, 0.001], "verdict": "does not help"}
        >>> sentence({"ssim": entry}).split(". ")[0]
        'Distillation does not help'
    """
    scores = SCORES if scores is None else scores
    by_verdict = {}
    for key, entry in found.items():
        by_verdict.setdefault(entry["verdict"], []).append(key)
    helps, harms = by_verdict.get(HELPS, []), by_verdict.get(HARMS, [])
    plain, unclear = by_verdict.get(NO_HELP, []), by_verdict.get(OPEN, [])
    if helps and harms:
        head = f"{what} helps in {len(helps)} of {len(found)} scores and harms in {len(harms)}."
    elif helps:
        head = f"{what} helps in {len(helps)} of {len(found)} scores."
    elif harms or len(plain) > len(unclear):
        head = f"{what} does not help."
    else:
        head = f"Whether {what[0].lower()}{what[1:]} helps cannot be told."
    parts = [head]
    for keys, words in ((helps, "Better in"), (harms, "Worse in")):
        if keys:
            parts.append(f"{words} {listed(_shown(found, scores, keys, 'difference'))}.")
    if plain:
        shown = listed(_shown(found, scores, plain, "best"))
        parts.append(f"No gain beyond noise between seeds in {shown}.")
    if unclear:
        parts.append(f"Not to be told in {listed(_shown(found, scores, unclear, 'interval'))}.")
    entry = next(iter(found.values()))
    patients, seeds = entry["patients"], len(entry["by_seed"])
    parts.append(f"Over {counted(patients, 'patient')} and {counted(seeds, 'seed')}.")
    if patients < FEWEST_PATIENTS:
        parts.append(
            f"With fewer than {FEWEST_PATIENTS} patients no test can reach p < {SIGNIFICANT}: more "
            "patients or folds are needed."
        )
    elif helps:
        firm = [scores[key].title for key in helps if found[key]["p_holm"] < SIGNIFICANT]
        parts.append(
            f"After Holm's correction for {len(found)} scores p < {SIGNIFICANT} is left of the "
            f"gains in {listed(firm) if firm else 'none of them'}."
        )
    if seeds == 1:
        parts.append("One seed: chance between trainings is in no interval.")
    return " ".join(parts)


def _shown(found, scores, keys, form):
    """Titles of scores with the number that matters."""
    for key in keys:
        entry, score = found[key], scores[key]
        decimals = score.decimals
        difference, interval = entry["difference"], entry["interval"]
        if form == "difference" or interval is None:
            text = spoken(difference, decimals, signed=True)
        elif form == "best":
            best = interval[0] if score.better == "lower" else interval[1]
            text = f"at most {spoken(best, decimals, signed=True)}"
        else:
            low, high = (spoken(bound, decimals, signed=True) for bound in interval)
            text = f"{low} to {high}"
        yield f"{score.title} ({text})"
