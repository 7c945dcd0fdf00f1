"""What a finished run leaves for people: figures, a model card, one HTML page."""

import csv
import io
import json

from medgan.figures import loss_figure
from medgan.report import write_report
from medgan.run import write_atomically
from medgan.tasks.task import titled

PICTURES = 12


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
    order = list(read_records(run))
    files = {path.stem.removeprefix("health_"): path for path in run.path.glob("health_*.jsonl")}
    for stage in sorted(files, key=lambda name: order.index(name) if name in order else len(order)):
        for line in map(json.loads, files[stage].read_text(encoding="utf-8").splitlines()):
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
    experiment.task.figure(experiment.networks, run.path / "samples" / "comparison.png")
    equilibria = {_title(name): value for name, value in experiment.equilibria.items()}
    records = {_title(name): lines for name, lines in read_records(run).items()}
    loss_figure(records, run.path / "samples" / "losses.png", equilibria)


def write_model_card(run, recipe, experiment, evaluations):
    """Writes `model_card.md`: what the network is, what it saw, what it scores, what it is not.

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
    task, name = experiment.task, titled(experiment.networks)
    words = task.card(experiment.networks[name])
    text = f"""# {recipe.name}: {name.replace("_", " ")}

{task.subject}, {_origin(recipe)}.

- Input: {words["input"]}
- Output: {words["output"]}
- Data: `{recipe["data"]["type"]}`, divided by patient:
{listed}
- Training: seed {seed}, {_steps(recipe)}, {experiment.seconds / 60:.1f} minutes.

{tables}

{words["conventions"]} {words["reading"]}

One seed and few patients: {words["noise"]}
This card and the run folder hold names of images and patients, and pictures of them: treat them as
you treat the images.

This is not a medical device. It has not been read by radiologists; {words["danger"]}
"""
    write_atomically(run.path / "model_card.md", text)


def _title(name):
    return name.replace("_", " ")


def _origin(recipe):
    """Who trained a recipe's network, in words."""
    if "trainer" in recipe.tables:
        return f"trained by {recipe['trainer']['type']}"
    return "distilled from a teacher GAN"


def _steps(recipe):
    """How long a recipe trains, in words."""
    if "trainer" in recipe.tables:
        return f"{recipe['trainer']['steps']} steps"
    return (
        f"{recipe['teacher']['steps']} steps of the teacher, {recipe['distillation']['steps']} of "
        "each student"
    )


def _markdown(evaluation):
    head, *lines = evaluation.cells()
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def write_page(run, name, evaluation, payload, scoring):
    """Writes a self-contained page: scores, pictures, losses, and the health of the training.

    Args:
        run: the `RunFolder`.
        name: name of the HTML file.
        evaluation: the `Evaluation`.
        payload: its `to_dict()`.
        scoring: what scored, a `StudyScoring` or `SetScoring`.
    """
    pictures = scoring.pictures(evaluation, PICTURES)
    write_report(run.path / name, payload, pictures, read_losses(run), read_health(run))
