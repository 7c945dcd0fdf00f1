"""What every method is worth: scores on patients never seen, size, work and latency."""

import csv
import dataclasses
import io

import numpy as np
import tensorflow as tf

from medgan.classical import average, maximum
from medgan.data import evaluation_batches
from medgan.experiment import graph
from medgan.latency import median_milliseconds
from medgan.metrics import FUSION_SCORES, mean_by_patient, score_fusion
from medgan.networks import multiply_accumulates
from medgan.run import write_atomically

HEADINGS = {
    "sf": "SF",
    "ssim": "SSIM",
    "ssim_head": "SSIM head",
    "scd": "SCD",
    "qabf": "Qabf",
    "vif": "VIF",
}
DECIMALS = {"sf": 2}


@dataclasses.dataclass
class Row:
    """One method's line of the table.

    Attributes:
        method: its name.
        scores: score name to mean by patient.
        values: score name to one value per image.
        parameters: number of weights.
        macs: multiply-accumulates for one image of the size scored; None if they cannot be counted.
        milliseconds: median CPU latency of one image, TensorFlow graph, batch 1.
    """

    method: str
    scores: dict
    values: dict
    parameters: int
    macs: int | None
    milliseconds: float


class Scoreboard:
    """Scores methods on pairs and writes the table in every form.

    Args:
        pairs: `medgan.data.Pairs` to score on.
    """

    def __init__(self, pairs):
        self.pairs = pairs
        self.batches = evaluation_batches(pairs, 4)
        self.rows = []
        for name, method in (("average", average), ("maximum", maximum)):
            self._add(name, graph(lambda x, training, rule=method: rule(x)), 0, 0)

    def add_network(self, name, network):
        """Scores a Keras network."""
        size = self.pairs.sizes()[0]
        macs = countable_macs(network, size)
        self._add(name, graph(network), network.count_params(), macs)

    def _add(self, name, method, parameters, macs):
        values = score_fusion(method, self.batches)
        means = {key: mean_by_patient(v, self.pairs.patients) for key, v in values.items()}
        image = self.pairs.image(0)[None]
        with tf.device("/CPU:0"):
            milliseconds = median_milliseconds(lambda: np.asarray(method(image)))
        self.rows.append(Row(name, means, values, parameters, macs, milliseconds))

    @property
    def scores(self):
        """Method to score name to mean, as in `medgan-train --json`."""
        return {row.method: row.scores for row in self.rows}

    def to_dict(self):
        """Everything but the single images, ready for JSON."""
        return {
            row.method: {
                **row.scores,
                "parameters": row.parameters,
                "macs": row.macs,
                "milliseconds": round(row.milliseconds, 2),
            }
            for row in self.rows
        }

    def cells(self):
        """The table as texts: headings, then one list per method."""
        head = ["method", *HEADINGS.values(), "parameters", "MACs", "CPU ms"]
        lines = [head]
        for row in self.rows:
            scores = [f"{row.scores[key]:.{DECIMALS.get(key, 3)}f}" for key in HEADINGS]
            cost = [f"{row.parameters:,}", short(row.macs), f"{row.milliseconds:.1f}"]
            lines.append([row.method.replace("_", " "), *scores, *cost])
        return lines

    def markdown(self):
        """The table in Markdown."""
        head, *lines = self.cells()
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))

    def write_csv(self, path):
        """Writes one row for each image and method."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["method", "name", "patient", *FUSION_SCORES])
        for row in self.rows:
            for index, (name, patient) in enumerate(
                zip(self.pairs.names, self.pairs.patients, strict=True)
            ):
                values = [f"{row.values[key][index]:.6g}" for key in FUSION_SCORES]
                writer.writerow([row.method, name, patient, *values])
        write_atomically(path, text.getvalue())


def countable_macs(network, size):
    """Multiply-accumulates of a network, or None where they cannot be counted."""
    try:
        return multiply_accumulates(network, size)
    except ValueError:
        return None


def short(count):
    """A count in words of three digits, such as "1.04 G"."""
    if count is None:
        return "unknown"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)
