"""What a finished run leaves for people: figures, a model card, one HTML page."""

import csv
import io
import json

import numpy as np

from medgan.classical import average, maximum
from medgan.evaluation.pictures import chosen, make_pictures
from medgan.experiment import spread
from medgan.figures import comparison_figure, loss_figure
from medgan.report import write_report
from medgan.run import NETWORK_FILES, write_atomically

STAGE_TITLES = {
    "teacher": "teacher",
    "student": "student",
    "student_without_teacher": "student without teacher",
}
PICTURES = 12

CONVENTIONS = (
    "Scores are means by patient on patients whom no training saw, on 8-bit images 0..255, clipped "
    "and rounded, never stretched; `report.html` says the convention of each. CPU ms: median of 20 "
    "single images as a TensorFlow graph on this machine. The default content loss optimises SF, "
    "SSIM, SCD, Qabf and VIF themselves; judge the result by the others and by eye as well."
)


def read_records(run):
    """Stage to its records of `metrics.jsonl`."""
    stages = {}
    path = run.path / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        record = json.loads(line)
        stages.setdefault(record["stage"], []).append(record)
    return stages


def read_losses(run):
    """Losses of the stages and of their equilibria, as `medgan.report.write_report` takes them."""
    records = read_records(run)
    equilibria = {stage: lines[-1].get("equilibrium") for stage, lines in records.items()}
    return {
        "records": records,
        "equilibria": {stage: value for stage, value in equilibria.items() if value is not None},
    }


def read_health(run):
    """What `TrainingHealth` said of the stages, as `medgan.report.write_report` takes it."""
    found = []
    for stage in NETWORK_FILES:
        path = run.path / f"health_{stage}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in map(json.loads, lines):
            found.append({"stage": stage, **{k: line[k] for k in ("step", "severity", "text")}})
    return found


def write_metrics_csv(run):
    """Writes `metrics.csv`: the records of `metrics.jsonl`, one column per name."""
    records = [record for stage in read_records(run).values() for record in stage]
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_atomically(run.path / "metrics.csv", text.getvalue())


def write_figures(run, experiment):
    """Draws `samples/comparison.png` (Figure 4) and `samples/losses.png` (Figure 5)."""
    shown = spread(experiment.split.validation, 4)
    first, second = experiment.pairs.modalities
    sources = [shown.image(index)[None] for index in range(len(shown))]
    methods = {
        first: lambda x: x[..., :1],
        second: lambda x: x[..., 1:],
        "average": average,
        "maximum": maximum,
        **{STAGE_TITLES[name]: network for name, network in experiment.networks.items()},
    }
    columns = {
        title: [np.asarray(method(source))[0] for source in sources]
        for title, method in methods.items()
    }
    comparison_figure(columns, run.path / "samples" / "comparison.png", shown.names)
    equilibria = {STAGE_TITLES[name]: value for name, value in experiment.equilibria.items()}
    records = {STAGE_TITLES[name]: lines for name, lines in read_records(run).items()}
    loss_figure(records, run.path / "samples" / "losses.png", equilibria)


def write_model_card(run, recipe, experiment, evaluations):
    """Writes `model_card.md`: what the student is, what it saw, what it scores, what it is not.

    Args:
        run: the `RunFolder`.
        recipe: the `Recipe`.
        experiment: the `Experiment`.
        evaluations: side of the split (`"validation"`, `"test"`) to its `Evaluation`.
    """
    sides = {
        side: f"{len(value['names'])} pairs of {len(value['patients'])} patients "
        f"({', '.join(value['patients'])})"
        for side, value in experiment.split.to_dict().items()
        if value["names"]
    }
    listed = "\n".join(f"    - {side}: {text}" for side, text in sides.items())
    seed = recipe["run"]["seed"]
    tables = "\n\n".join(
        f"{side.capitalize()} patients:\n\n{_markdown(evaluation)}"
        for side, evaluation in evaluations.items()
    )
    text = f"""# {recipe.name}: student

A network that fuses two registered grey images into one, distilled from a teacher GAN.

- Input: `(batch, height, width, 2)`, float32 in [0, 1], first and second modality as channels.
- Output: `(batch, height, width, 1)`, float32 in [0, 1].
- Data: `{recipe["data"]["type"]}`, divided by patient:
{listed}
- Training: seed {seed}, {recipe["teacher"]["steps"]} steps of the teacher, \
{recipe["distillation"]["steps"]} of each student, {experiment.seconds / 60:.1f} minutes.

{tables}

{CONVENTIONS}

One seed and few patients: differences below 0.5 SF, 0.002 SSIM, 0.02 SCD or 0.01 Qabf are noise.
This card and the run folder hold names of images and patients, and pictures of them: treat them as
you treat the images.

This is not a medical device. It has not been read by radiologists; a fused image can hide or invent
detail, and both sources must stay at hand.
"""
    write_atomically(run.path / "model_card.md", text)


def _markdown(evaluation):
    head, *lines = evaluation.cells()
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def write_page(run, name, evaluation, payload, study, methods):
    """Writes a self-contained page: scores, pictures, losses, and the health of the training.

    Args:
        run: the `RunFolder`.
        name: name of the HTML file.
        evaluation: the `Evaluation`.
        payload: its `to_dict()`.
        study: the `Study` that was scored on.
        methods: the methods scored.
    """
    pictures = make_pictures(study, methods, chosen(evaluation, PICTURES, "student"))
    write_report(run.path / name, payload, pictures, read_losses(run), read_health(run))
