"""What the finished cells say, method by method: means, spread over seeds, intervals by patient."""

import dataclasses
import json

import numpy as np

from medgan.comparison.cells import DONE, SCORES, read_result, read_scores
from medgan.evaluation.comparison import bounds, number
from medgan.evaluation.statistics import intervals, means


@dataclasses.dataclass
class MethodResult:
    """Everything that is known of one method.

    Attributes:
        name: its name in the recipe.
        title: what tables call it.
        group: `"table"`, `"ablation"`, `"appendix"` or `"rule"`.
        values: `(seeds, images, scores)`, NaN where a cell diverged; the scores are `SCORES`.
        patients: the patient of each image.
        diverged: a sentence for each cell that diverged.
        cautions: sentences about what looks suspicious in its images, each once.
        parameters: number of weights.
        macs: multiply-accumulates for one image, or None.
        seconds: of all its cells together.
        steps: of each training; 0 for a rule.
    """

    name: str
    title: str
    group: str
    values: np.ndarray
    patients: list
    diverged: list
    cautions: list
    parameters: int | None
    macs: int | None
    seconds: float
    steps: int

    @property
    def complete(self):
        """Whether every image has all scores from every seed."""
        return not np.isnan(self.values).any()

    @property
    def by_image(self):
        """`(images, scores)`, the means over the seeds that have a value."""
        there = ~np.isnan(self.values)
        counts = there.sum(axis=0)
        sums = np.nansum(self.values, axis=0)
        return np.where(counts, sums / np.maximum(counts, 1), np.nan)

    def to_dict(self):
        """Means by patient, their spread over seeds and intervals over patients, and the costs."""
        by_seed = np.array([means(values, self.patients) for values in self.values])
        several = len(by_seed) > 1
        spread = by_seed.std(axis=0, ddof=1) if several else np.full(by_seed.shape[1], np.nan)
        columns = zip(
            SCORES,
            means(self.by_image, self.patients),
            spread,
            intervals(self.by_image, self.patients),
            by_seed.T,
            strict=True,
        )
        scores, deviations, ranges, seeds = {}, {}, {}, {}
        for key, mean, deviation, interval, column in columns:
            scores[key], deviations[key] = number(mean), number(deviation)
            ranges[key], seeds[key] = bounds(interval), [number(value) for value in column]
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "scores": scores,
            "deviation_over_seeds": deviations,
            "interval_over_patients": ranges,
            "by_seed": seeds,
            "parameters": self.parameters,
            "macs": self.macs,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "diverged": self.diverged,
            "cautions": self.cautions,
        }


class Results:
    """All methods of a comparison whose cells are finished.

    Args:
        plan: the `Plan`.
        output: folder of the comparison.

    Attributes:
        names: the images that were held out once, in the order of the data.
        patients: their patients.
        methods: name to `MethodResult`, rules first.
    """

    def __init__(self, plan, output):
        self.plan = plan
        self.output = output
        held_out = {name for split in plan.splits for name in split.validation.names}
        pairs = zip(plan.pairs.names, plan.pairs.patients, strict=True)
        kept = [(name, patient) for name, patient in pairs if name in held_out]
        self.names = [name for name, _ in kept]
        self.patients = [patient for _, patient in kept]
        self.methods = {}
        for name in (*plan.protocol.rules, *plan.protocol.methods):
            self.methods[name] = self._method(name)

    def _method(self, name):
        protocol = self.plan.protocol
        cells = [cell for cell in self.plan.cells if cell.method == name]
        seeds = list(dict.fromkeys(cell.seed for cell in cells))
        rows = {image: index for index, image in enumerate(self.names)}
        values = np.full((len(seeds), len(self.names), len(SCORES)), np.nan)
        diverged, cautions, about, seconds = [], {}, {}, 0.0
        for cell in cells:
            result = read_result(cell, self.output)
            about = {**about, **result}
            seconds += result["seconds"]
            where = f"seed {cell.seed}, fold {cell.fold + 1}"
            if result["status"] != DONE:
                diverged.append(f"{where}: {result['reason']}")
                continue
            for sentence in result.get("cautions", ()):
                cautions.setdefault(sentence.split(",")[0][:40], f"{sentence} ({where})")
            for image, scores in read_scores(cell, self.output).items():
                values[seeds.index(cell.seed), rows[image]] = scores
        return MethodResult(
            name=name,
            title=protocol.title(name),
            group=protocol.group(name),
            values=values,
            patients=self.patients,
            diverged=diverged,
            cautions=list(cautions.values()),
            parameters=about.get("parameters"),
            macs=about.get("macs"),
            seconds=seconds,
            steps=protocol.steps(name) if name in protocol.methods else 0,
        )

    def group(self, *groups):
        """The methods of some groups, in order."""
        return [method for method in self.methods.values() if method.group in groups]

    def history(self, name):
        """Losses of a method's first cell, `{"records", "equilibrium"}`, or None."""
        cell = next(cell for cell in self.plan.cells if cell.method == name)
        path = cell.folder(self.output) / "history.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def pictures(self, name, fold):
        """Index in the fold's held-out images to uint8 `(height, width)`, of the first seed."""
        cell = next(c for c in self.plan.cells if c.method == name and c.fold == fold)
        path = cell.folder(self.output) / "pictures.npz"
        if not path.exists():
            return {}
        with np.load(path) as archive:
            return {int(index): archive[index] for index in archive.files}
