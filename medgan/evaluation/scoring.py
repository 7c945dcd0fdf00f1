"""Scores methods on a study, a few images at a time."""

import math

import numpy as np

from medgan.errors import DataError
from medgan.evaluation.evaluation import Evaluation
from medgan.evaluation.folders import UnusableImage, depth_note
from medgan.metrics import PHANTOM_SCORES, Cautions, applicable, score_images, score_phantoms
from medgan.metrics.scoring import TASKS

LARGEST_BATCH = 16
# Scores need some hundred bytes for each pixel: one 1024 x 1024 image, or 16 of 256 x 256.
MOST_PIXELS = LARGEST_BATCH * 256 * 256


def evaluate_study(study, methods, problems, on_progress=None, task="fusion", **about):
    """Scores methods on a study.

    Args:
        study: the `Study`.
        methods: `FolderMethod`s and `ComputedMethod`s.
        problems: `Problems` that take every image that is left out.
        on_progress: see `score_study`.
        task: `"fusion"` or `"translation"`.
        **about: `title`, `baseline` and `command` of the `Evaluation`.

    Returns:
        `Evaluation`.

    Raises:
        DataError: if a method has no image that can be used.
    """
    values, cautions, notes = score_study(study, methods, task, problems, on_progress)
    scores = score_table(task, study)
    evaluation = Evaluation(task, study.names, study.patients, scores=scores, **about)
    for method in methods:
        said = cautions.get(method.name, ())
        evaluation.add(method.name, values[method.name], method.cost, said)
    evaluation.notes += notes
    evaluation.problems += problems.lines
    return evaluation


def score_study(study, methods, task, problems, on_progress=None):
    """Scores every method on every image that it has.

    Images are read when they are needed and forgotten after, so that memory does not grow with
    their number. Those of one size are scored together; the last of a size are filled up with
    copies, so that nothing is compiled twice.

    Args:
        study: the `Study`.
        methods: `FolderMethod`s and `ComputedMethod`s.
        task: `"fusion"` or `"translation"`.
        problems: `Problems` that take every image that is left out.
        on_progress: called with the number of images that are done, in fractions of all methods.

    Returns:
        `(values, cautions, notes)`: method to score to one value per image, NaN where there is
        none; method to a list of sentences; sentences about what was read.

    Raises:
        DataError: if a method has no image that can be used.
    """
    for method in methods:
        method.check_names(study, problems)
    table = score_table(task, study)
    values = {
        method.name: {key: np.full(len(study), np.nan) for key in table} for method in methods
    }
    watched = {method.name: Cautions() for method in methods} if task == "fusion" else {}
    scored = dict.fromkeys(values, 0)
    small = dict.fromkeys(table, 0)  # images without room for a score
    usual = {}  # size of image to size of batch
    done = 0
    for indices, references in batches(study, problems):
        for key in table.keys() - set(applicable(table, min(references.shape[1:3]))):
            small[key] += len(indices)
        for method in methods:
            results, there = method.results(study, indices, references, problems)
            if there.any():
                rows = np.array(indices)[there]
                scores = _scores(task, references, results, usual)
                if study.labels is not None:
                    labels = np.stack([study.labels(index) for index in indices])
                    scores.update(score_phantoms(references, results, labels))
                for key, column in scores.items():
                    values[method.name][key][rows] = column[there]
                scored[method.name] += len(rows)
                if watched:
                    _watch(watched[method.name], references[there], results[there])
            done += len(indices) / len(methods)
            if on_progress is not None:
                on_progress(done)
    for name, count in scored.items():
        if not count:
            raise DataError(_nothing(name, problems))
    cautions = {name: list(caution.sentences()) for name, caution in watched.items()}
    notes = [*study.notes, *_file_notes(study, methods), *_size_notes(small, table)]
    return values, cautions, notes


def score_table(task, study):
    """The scores of a study: those of its task, and the contrasts of phantoms."""
    return {**TASKS[task][0], **(PHANTOM_SCORES if study.labels is not None else {})}


def batches(study, problems):
    """Yields `(indices, references)`, references of one size `(batch, height, width, channels)`."""
    waiting = {}
    for index in range(len(study)):
        try:
            image = study.read(index)
        except UnusableImage as error:
            problems.add(error)
            continue
        group = waiting.setdefault(image.shape, [])
        group.append((index, image))
        if len(group) == batch_size(len(study), image.shape):
            yield _stacked(waiting.pop(image.shape))
        elif sum(map(len, waiting.values())) >= 2 * LARGEST_BATCH:  # many sizes, each with few
            yield _stacked(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
    for group in waiting.values():
        yield _stacked(group)


def batch_size(count, shape):
    """Images of one size that are scored at once, so that batches of `count` are equally full."""
    most = max(1, min(LARGEST_BATCH, MOST_PIXELS // (shape[0] * shape[1])))
    return math.ceil(count / math.ceil(count / most))


def _stacked(group):
    indices, images = zip(*group, strict=True)
    return list(indices), np.stack(images)


def _scores(task, references, results, usual):
    """One value per score and image; copies fill the batch up to what its size of image is used to.

    Sizes that come once are not filled up: compiled anew for the first few, for any size after.
    """
    count = len(references)
    missing = usual.setdefault(references.shape[1:], count) - count
    if missing > 0:
        references = np.concatenate([references, np.repeat(references[-1:], missing, axis=0)])
        results = np.concatenate([results, np.repeat(results[-1:], missing, axis=0)])
    scores = score_images(task, references, results)
    return {key: column[:count] for key, column in scores.items()}


def _watch(cautions, references, results):
    """Shows a method's images to its `Cautions`, in the 0..255 of an 8-bit file."""
    for reference, result in zip(references, results, strict=True):
        cautions.add(np.round(255 * reference), np.round(255 * result))


def _nothing(name, problems):
    lines = [line for line in problems.lines if f"({name})" in line] or problems.lines
    said = f" The first of {len(lines)} problems: {lines[0]}" if lines else ""
    return f"{name}: received no image that can be scored, expected at least one.{said}"


def _file_notes(study, methods):
    """What was unusual about the files read, in sentences."""
    folders = [*study.folders, *(method.folder for method in methods if not method.computed)]
    notes = [note for folder in folders for note in folder.notes()]
    depths = depth_note(folders)
    return [*notes, depths] if depths else notes


def _size_notes(small, table):
    """Which scores lack images for want of pixels, a sentence for each smallest side."""
    groups = {}  # scores of one smallest side lack the same images
    for key, count in small.items():
        if count:
            groups.setdefault((table[key].smallest_side, count), []).append(table[key].title)
    for (side, count), titles in sorted(groups.items()):
        need, none = ("needs", "none") if len(titles) == 1 else ("need", "none of them")
        yield (
            f"{', '.join(titles)} {need} a shorter side of at least {side} pixels: {count} "
            f"{'image has' if count == 1 else 'images have'} {none}."
        )
