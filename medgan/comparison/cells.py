"""Cells: one method trained from one seed and scored on one fold, and the folder of each."""

import csv
import dataclasses
import io
import json
import pathlib
import types

import numpy as np

from medgan.comparison.folds import fold_splits
from medgan.data import Pairs, training_batches
from medgan.errors import DataError, MedganError, RecipeError
from medgan.metrics import FUSION_SCORES
from medgan.recipe_data import PIPELINE_KEYS, load_data
from medgan.resume import differences, digest, fingerprint
from medgan.run import write_atomically, write_json

SCORES = {key: score for key, score in FUSION_SCORES.items() if score.main}
"""What every cell is scored by: always together, for each of them can be gamed."""
DONE, DIVERGED = "done", "diverged"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training and its scores.

    Attributes:
        method: name of the method, or of a rule.
        seed: of its weights and batches; a rule has that of the first.
        fold: number of the fold that is held out, from 0.
    """

    method: str
    seed: int
    fold: int

    def folder(self, output):
        """Where the cell is kept below the folder of the comparison."""
        name = f"seed-{self.seed}"
        return pathlib.Path(output) / "cells" / self.method / name / f"fold-{self.fold + 1}"


class Plan:
    """All cells of a comparison, what each depends on, and which of them are there already.

    Args:
        protocol: a `Protocol`.

    Attributes:
        pairs: all pairs.
        splits: one `medgan.data.Split` per fold; what is held out is its `validation`.
        cells: all cells, every teacher before its students, cells of one method side by side.

    Raises:
        RecipeError: if `[data]` or a method has a key that nobody knows.
        DataError: if the images cannot be read, or do not fit the protocol.
    """

    def __init__(self, protocol):
        self.protocol = protocol
        self.pairs, _ = load_data(protocol)
        table = protocol["data"]
        shares = {key: table[key] for key in ("validation_patients", "seed") if key in table}
        self.splits = fold_splits(self.pairs, protocol.folds, **shares)
        folds, seeds = range(len(self.splits)), protocol.seeds
        self.cells = [Cell(rule, seeds[0], fold) for rule in protocol.rules for fold in folds]
        self.cells += [
            Cell(method, seed, fold)
            for method in protocol.methods
            for seed in seeds
            for fold in folds
        ]
        self._check_sizes()

    def _check_sizes(self):
        smallest = max(score.smallest_side for score in SCORES.values())
        for name, size in zip(self.pairs.names, self.pairs.sizes(), strict=True):
            if min(size) < smallest:
                raise DataError(
                    f"{name}: received {size[0]} x {size[1]} pixels, expected at least "
                    f"{smallest} a side to be scored. Leave the image out."
                )
        keys = self.pipeline()
        for split in self.splits:
            training_batches(split.train, self.protocol["protocol"]["batch_size"], **keys)

    def pipeline(self):
        """Arguments of `medgan.data.training_batches` that `[data]` gives."""
        table = self.protocol["data"]
        return {key: table[key] for key in PIPELINE_KEYS if key in table}

    def teacher(self, cell):
        """The cell whose network is the teacher of a cell, or None."""
        name = self.protocol.methods.get(cell.method, {}).get("teacher")
        return None if name is None else dataclasses.replace(cell, method=name)

    def shared(self):
        """What all cells depend on, as `medgan.resume.fingerprint` gives it."""
        protocol = self.protocol["protocol"]
        for key in ("seeds", "methods", "rules", "reference", "control"):
            protocol.pop(key, None)
        tables = {"data": self.protocol["data"], "protocol": protocol}
        return fingerprint(dataclasses.replace(self.protocol, tables=tables), self.pairs, "float32")

    def settings(self, method):
        """What a method's cells depend on beyond that, its teacher's settings among it."""
        if method not in self.protocol.methods:
            return {"rule": method}
        table = dict(self.protocol.methods[method])
        for key in ("title", "group"):
            table.pop(key, None)
        networks = self.protocol["networks"]
        parts = [table["network"], *table.get("networks", {}).values(), "discriminator"]
        table["networks_used"] = {name: networks[name] for name in parts if name in networks}
        teacher = table.get("teacher")
        return {**table, **({"taught_by": self.settings(teacher)} if teacher else {})}

    def missing(self, output):
        """The cells that are not there yet.

        Raises:
            RecipeError: if one that is there was made by other settings; the message says by which.
        """
        settings = {name: self.settings(name) for name in {cell.method for cell in self.cells}}
        missing = []
        for cell in self.cells:
            result = read_result(cell, output)
            if result is None:
                missing.append(cell)
            elif digest(result["settings"]) != digest(settings[cell.method]):
                said = changes(result["settings"], settings[cell.method])
                raise RecipeError(
                    f"{cell.folder(output)} was made by another protocol: {'; '.join(said)}. "
                    "Undo that, choose another --output, or remove this method's folder."
                )
        return missing


def changes(old, new):
    """In words, what differs between the settings of a method."""
    nothing = Pairs((), (), ())
    sides = [fingerprint(types.SimpleNamespace(tables=side), nothing, "") for side in (old, new)]
    return differences(*sides)


def read_result(cell, output):
    """What a finished cell says of itself, or None.

    Raises:
        MedganError: if the file is damaged.
    """
    path = cell.folder(output) / "result.json"
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MedganError(
            f"Cannot read {path}: {error}. Remove it to run the cell again."
        ) from error


def write_result(cell, output, result):
    """Writes `result.json`, the last file of a cell: with it the cell is finished."""
    write_json(cell.folder(output) / "result.json", result)


def write_scores(cell, output, pairs, values):
    """Writes `scores.csv` of a cell: a row per held-out image."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "patient", *values])
    for index, (name, patient) in enumerate(zip(pairs.names, pairs.patients, strict=True)):
        writer.writerow([name, patient, *(f"{column[index]:.9g}" for column in values.values())])
    write_atomically(cell.folder(output) / "scores.csv", text.getvalue())


def read_scores(cell, output):
    """Name of an image to its scores, of a finished cell.

    Raises:
        MedganError: if the file cannot be read.
    """
    path = cell.folder(output) / "scores.csv"
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {row["name"]: np.array([float(row[key]) for key in SCORES]) for row in rows}
    except (OSError, ValueError, KeyError) as error:
        raise MedganError(
            f"Cannot read {path}: {error}. Remove the cell's folder to run it again."
        ) from error
