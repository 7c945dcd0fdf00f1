"""Everything that is known about methods after scoring, in every form in which it is wanted."""

import csv
import datetime
import importlib.metadata
import io
import platform

import numpy as np

from medgan.evaluation.comparison import bounds, caveats, flat, number, pairwise
from medgan.evaluation.costs import cost_texts
from medgan.evaluation.statistics import intervals, means, patient_means
from medgan.metrics import SYNTHESIS_SCORES
from medgan.metrics.scoring import TASKS
from medgan.run import write_atomically

PACKAGES = {
    "medgan": "medgan",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "scipy": "scipy",
    "opencv": "opencv-python-headless",
}


class Evaluation:
    """Methods side by side: values per image, means by patient, intervals, tests, costs.

    Means, intervals and tests are over the images that every method has, so that no method is
    better for lack of a hard image; what a method has beyond that stays in the values per image.

    Args:
        task: `"fusion"`, `"translation"` or `"synthesis"`.
        names: one unique name per image.
        patients: the patient of each image; None where they are not known, and every image counts
            alike.
        title: heading of the report.
        scores: table of `Score`s by key; by default that of the task.
        baseline: the method that others are compared with, or None.
        command: the command line that made this, or None.

    Attributes:
        methods: names of the methods, in the order of the table.
        notes: sentences to print with the table; append to it.
        problems: lines about images that were left out; append to it.

    Example:
        >>> from medgan.evaluation import Evaluation
        >>> evaluation = Evaluation("translation", ["1.png", "2.png"], ["a", "b"])
        >>> evaluation.add("network", {"mae": [3.0, 5.0], "psnr": [30.0, 28.0]})
        >>> evaluation.to_dict()["scores"]
        {'network': {'mae': 4.0, 'psnr': 29.0}}
    """

    def __init__(
        self, task, names, patients=None, title="", scores=None, baseline=None, command=None
    ):
        self.task = task
        self.names = list(names)
        self.patients = None if patients is None else [str(patient) for patient in patients]
        if self.patients is not None and len(self.patients) != len(self.names):
            raise ValueError(
                f"Received {len(self.patients)} patients for {len(self.names)} images, expected "
                "one per image."
            )
        self.title = title
        self.table = _tables()[task] if scores is None else scores
        self.baseline = baseline
        self.command = command
        self.notes = []
        self.problems = []
        self._values = {}
        self._sets = {}
        self._costs = {}
        self._cautions = {}

    def add(self, method, values, cost=None, cautions=()):
        """Adds a method at the end of the table.

        Args:
            method: its name.
            values: score name to one value per image, in the order of `names`; NaN or None where
                there is none.
            cost: `{"parameters", "macs", "milliseconds"}`, or None.
            cautions: sentences about what looks suspicious in its results.

        Raises:
            ValueError: if the method is there already, a score is not in the table, or the values
                are not one per image.
        """
        if method in self._values:
            raise ValueError(f"Received the method {method!r} twice, expected different names.")
        columns = {}
        for key, column in values.items():
            if key not in self.table:
                raise ValueError(
                    f"Received the score {key!r}, expected some of {', '.join(self.table)}."
                )
            columns[key] = np.array([np.nan if v is None else v for v in column], "float64")
            if columns[key].shape != (len(self.names),):
                raise ValueError(
                    f"Received {columns[key].size} values of {key} for {len(self.names)} images, "
                    "expected one per image."
                )
            columns[key][~np.isfinite(columns[key])] = np.nan
        self._values[method] = columns
        self._cautions[method] = list(cautions)
        if cost is not None:
            self._costs[method] = dict(cost)

    def add_set(self, method, scores, cost=None, cautions=()):
        """Adds a method that is scored as a set, without values per image.

        Args:
            method: its name.
            scores: score name to a float.
            cost: see `add`.
            cautions: see `add`.
        """
        self.add(method, {key: np.full(len(self.names), np.nan) for key in scores}, cost, cautions)
        self._sets[method] = {key: number(value) for key, value in scores.items()}

    @property
    def methods(self):
        """Names of the methods, in the order of the table."""
        return list(self._values)

    @property
    def keys(self):
        """Scores that some method has, in the order of the table."""
        return [key for key in self.table if any(key in v for v in self._values.values())]

    def scores(self):
        """Method to score to mean by patient, None where there is none."""
        scores = self._by_method(means(flat(self._fair()), self.patients), number)
        for method, own in self._sets.items():
            scores[method].update(own)
        return scores

    def _array(self):
        """`(images, methods, scores)`, NaN where there is no value."""
        nothing = np.full(len(self.names), np.nan)
        columns = [
            [columns.get(key, nothing) for key in self.keys] for columns in self._values.values()
        ]
        shape = (len(columns), len(self.keys), len(self.names))
        return np.array(columns, "float64").reshape(shape).transpose(2, 0, 1)

    def _fair(self):
        """The array without the values of images that some other method lacks, score by score."""
        values = self._array()
        there = ~np.isnan(values)
        silent = ~there.any(axis=0)  # a method without any value of a score is no measure
        common = (there | silent).all(axis=1)
        common |= ~(common & there.any(axis=1)).any(axis=0)  # nothing in common: each on its own
        return np.where(common[:, None, :], values, np.nan)

    def values(self, method):
        """Score to one value per image of a method, NaN where there is none."""
        return dict(self._values[method])

    def complete(self, of=all):
        """For each image whether every method has a value of it; `any`: whether one has."""
        there = (~np.isnan(self._array())).any(axis=2)
        return there.all(axis=1) if of is all else there.any(axis=1)

    def _by_method(self, columns, convert):
        """Method to score to an entry of `columns`, which has one for each of both."""
        entries = iter(columns)
        return {
            method: {key: convert(next(entries)) for key in self.keys} for method in self.methods
        }

    def to_dict(self):
        """Everything, ready for JSON: no NaN, None instead."""
        fair = self._fair()
        columns = flat(fair)
        patients = self.patients
        known = list(dict.fromkeys(patients or ()))
        by_patient = {}
        if patients is not None:
            by_patient = self._by_method(
                patient_means(columns, patients).T,
                lambda column: dict(zip(known, map(number, column), strict=True)),
            )
        versions = {name: _version(package) for name, package in PACKAGES.items()}
        versions.update(python=platform.python_version())
        return {
            "title": self.title,
            "task": self.task,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": self.command,
            "versions": versions,
            "baseline": self.baseline,
            "conventions": {key: _convention(self.table[key]) for key in self.keys},
            "images": [
                {"name": name, "patient": patient}
                for name, patient in zip(
                    self.names, patients or [None] * len(self.names), strict=True
                )
            ],
            "patients": known if patients is not None else None,
            "methods": self.methods,
            "scores": self.scores(),
            "intervals": self._by_method(intervals(columns, patients), bounds),
            "values": self._by_method(
                flat(self._array()).T, lambda column: [number(value) for value in column]
            ),
            "by_patient": by_patient,
            "tests": pairwise(fair, self.methods, self.keys, patients),
            "costs": dict(self._costs),
            "cautions": {name: list(said) for name, said in self._cautions.items() if said},
            "notes": [*caveats(self.complete(), patients, len(self.methods)), *self.notes],
            "problems": list(self.problems),
        }

    def cells(self):
        """The main scores as texts: headings, then one list per method."""
        keys, costs = self._main(), self._costs
        heads = [self.table[key].title for key in keys]
        lines = [["method", *heads, *(["parameters", "MACs", "CPU ms"] if costs else [])]]
        for method, scores in self.scores().items():
            texts = [_text(scores[key], self.table[key]) for key in keys]
            if costs:
                texts += cost_texts(costs.get(method))
            lines.append([method, *texts])
        return lines

    def marks(self):
        """For each of `cells()`: 1 for the best of its column, 2 for the second, else 0.

        What prints alike is marked alike.
        """
        lines = self.cells()
        marks = [[0] * len(line) for line in lines]
        for column, key in enumerate(self._main(), start=1):
            better = self.table[key].better
            texts = [line[column] for line in lines[1:]]
            ranked = sorted({float(text) for text in texts if text != "-"})
            if better is None or len(ranked) < 2:
                continue
            places = ranked[::-1][:2] if better == "higher" else ranked[:2]
            for row, text in enumerate(texts, start=1):
                if text != "-" and float(text) in places:
                    marks[row][column] = 1 + places.index(float(text))
        return marks

    def lower_is_better(self):
        """Headings of the main scores of which less is better."""
        return [self.table[k].title for k in self._main() if self.table[k].better == "lower"]

    def _main(self):
        return [key for key in self.keys if self.table[key].main]

    def write_csv(self, path):
        """Writes a row for each method and image, or set; an empty cell where there is no value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        keys = list(self.table)
        writer.writerow(["method", "name", "patient", *keys])
        patients = self.patients or [""] * len(self.names)
        for method, columns in self._values.items():
            for index, (name, patient) in enumerate(zip(self.names, patients, strict=True)):
                values = [columns[key][index] if key in columns else np.nan for key in keys]
                texts = ["" if np.isnan(value) else f"{value:.9g}" for value in values]
                writer.writerow([method, name, patient, *texts])
        for method, scores in self._sets.items():
            values = [scores.get(key) for key in keys]
            texts = ["" if value is None else f"{value:.9g}" for value in values]
            writer.writerow([method, "", "", *texts])
        write_atomically(path, text.getvalue())


def _tables():
    tables = {task: table for task, (table, _) in TASKS.items()}
    return {**tables, "synthesis": SYNTHESIS_SCORES}


def _text(value, score):
    return "-" if value is None else f"{value:.{score.decimals}f}"


def _convention(score):
    return {
        "title": score.title,
        "convention": score.convention,
        "source": score.source,
        "better": score.better,
        "decimals": score.decimals,
        "main": score.main,
    }


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
