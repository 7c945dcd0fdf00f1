"""What a finished run leaves for people: figures, a model card, one HTML page."""

import base64
import csv
import html
import io
import json

import numpy as np

from medgan.classical import average, maximum
from medgan.experiment import spread
from medgan.figures import comparison_figure, loss_figure
from medgan.run import write_atomically

STAGE_TITLES = {
    "teacher": "teacher",
    "student": "student",
    "student_without_teacher": "student without teacher",
}

CONVENTIONS = (
    "Scores are means by patient on patients whom no training saw, on 8-bit images "
    "0..255, clipped and rounded, never stretched. SSIM: mean over both sources, Gaussian 11x11, "
    "L = 255; head: the same inside the filled outline of the head. VIF: sum over both sources. "
    "CPU ms: median of 20 single images as a TensorFlow graph on this machine. The default content "
    "loss optimises these very scores; judge the result by others and by eye as well."
)


def read_records(run):
    """Stage to its records of `metrics.jsonl`."""
    stages = {}
    with open(run.path / "metrics.jsonl", encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            stages.setdefault(record["stage"], []).append(record)
    return stages


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
    chosen = spread(experiment.split.validation, 4)
    first, second = experiment.pairs.modalities
    sources = [chosen.image(index)[None] for index in range(len(chosen))]
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
    comparison_figure(columns, run.path / "samples" / "comparison.png", chosen.names)
    equilibria = {STAGE_TITLES[name]: value for name, value in experiment.equilibria.items()}
    records = {STAGE_TITLES[name]: lines for name, lines in read_records(run).items()}
    loss_figure(records, run.path / "samples" / "losses.png", equilibria)


def write_model_card(run, recipe, experiment, boards):
    """Writes `model_card.md`: what the student is, what it saw, what it scores, what it is not."""
    sides = {
        side: f"{len(value['names'])} pairs of {len(value['patients'])} patients "
        f"({', '.join(value['patients'])})"
        for side, value in experiment.split.to_dict().items()
        if value["names"]
    }
    listed = "\n".join(f"    - {side}: {text}" for side, text in sides.items())
    seed = recipe["run"]["seed"]
    tables = "\n\n".join(
        f"{side.capitalize()} patients:\n\n{board.markdown()}" for side, board in _named(boards)
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


def write_html(run, recipe, boards):
    """Writes `report.html`: table, pictures and losses in one file without network access."""
    tables = "".join(
        f"<h2>Scores, {side} patients</h2>{_html_table(board)}" for side, board in _named(boards)
    )
    pictures = "".join(
        f"<h2>{title}</h2><img alt='{title}' src='data:image/png;base64,{_encoded(run, name)}'>"
        for title, name in (("Fused images", "comparison"), ("Losses", "losses"))
    )
    name = html.escape(recipe.name)
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>medgan: {name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem }}
body {{ padding: 0 1rem }}
div {{ overflow-x: auto }} img {{ max-width: 100% }}
table {{ border-collapse: collapse }} th, td {{ padding: .3rem .8rem; text-align: right }}
th, td {{ white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }} tr:nth-child(even) {{ background: #f3f3f3 }}
</style></head><body>
<h1>{name}</h1>
{tables}
<p>{CONVENTIONS}</p>
{pictures}
</body></html>
"""
    write_atomically(run.path / "report.html", text)


def _named(boards):
    """`(side, board)` of the boards that there are: validation, and test where it was kept."""
    return [(side, b) for side, b in zip(("validation", "test"), boards, strict=True) if b]


def _html_table(board):
    head, *lines = board.cells()
    heads = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
        for line in lines
    )
    return f"<div><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _encoded(run, name):
    picture = (run.path / "samples" / f"{name}.png").read_bytes()
    return base64.b64encode(picture).decode("ascii")
