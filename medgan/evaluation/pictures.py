"""Which pairs a page shows, and their pictures."""

import numpy as np

from medgan.errors import DataError
from medgan.evaluation.folders import Problems

WORST_SHARE = 1 / 3


def chosen(evaluation, count, method=None):
    """Indices of the images that are worth looking at, in order.

    A third are those where a method does worst by the mean rank of its main scores; the others are
    spread over the patients, and over the images of each.

    Args:
        evaluation: an `Evaluation` with values.
        count: most images.
        method: the method whose worst images are wanted; None spreads all.

    Returns:
        Sorted list of indices.
    """
    usable = np.flatnonzero(evaluation.complete())
    if not len(usable):
        usable = np.flatnonzero(evaluation.complete(any))
    worst = []
    if method is not None and len(usable) > count:
        ranks = _ranks(evaluation, method)
        order = sorted(usable, key=lambda index: ranks[index])
        worst = order[: int(count * WORST_SHARE)]
    others = [index for index in usable if index not in worst]
    groups = {}
    for index in others:
        patient = evaluation.patients[index] if evaluation.patients else None
        groups.setdefault(patient, []).append(index)
    return sorted(int(index) for index in [*worst, *_spread(groups, count - len(worst))])


def _ranks(evaluation, method):
    """Mean rank of every image in the main scores of a method, the worst first."""
    from scipy.stats import rankdata

    values, ranks = evaluation.values(method), []
    for key, score in evaluation.table.items():
        if score.main and score.better and key in values:
            signed = values[key] if score.better == "higher" else -values[key]
            ranks.append(rankdata(np.nan_to_num(signed, nan=np.inf)))
    return np.mean(ranks, axis=0) if ranks else np.zeros(len(evaluation.names))


def _spread(groups, count):
    """At most `count` members, as many of every group as can be, evenly spaced in each."""
    shares = dict.fromkeys(groups, 0)
    for _ in range(min(count, sum(map(len, groups.values())))):
        open_groups = [key for key in groups if shares[key] < len(groups[key])]
        shares[min(open_groups, key=shares.get)] += 1
    for key, share in shares.items():
        members = groups[key]
        for place in range(share):
            yield members[int((place + 0.5) * len(members) / share)]


def make_pictures(study, methods, indices):
    """Reads or computes the pictures of some images.

    Args:
        study: the `Study`.
        methods: `FolderMethod`s and `ComputedMethod`s.
        indices: the images.

    Returns:
        List of `{"name", "patient", "images"}`, the images uint8 `(height, width)` by title:
        references first, then every method that has a result.
    """
    pictures = []
    for index in indices:
        try:
            reference = study.read(index)
        except DataError:  # said when it was scored
            continue
        images = {
            title: _grey(reference[..., channel]) for channel, title in enumerate(study.titles)
        }
        for method in methods:
            results, there = method.results(study, [index], reference[None], Problems())
            if there[0]:
                images[method.name] = _grey(results[0, ..., 0])
        patient = study.patients[index] if study.patients else None
        pictures.append({"name": study.names[index], "patient": patient, "images": images})
    return pictures


def _grey(image):
    return np.round(255 * image).astype("uint8")
