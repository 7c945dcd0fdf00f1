"""The paper's Table 1 beside ours, and the ablations, as Markdown and as HTML."""

import dataclasses

from medgan.comparison.cells import SCORES
from medgan.comparison.verdict import paired
from medgan.evaluation.costs import short
from medgan.report.formatting import DIRECTIONS, escape, interval, is_number, number
from medgan.report.tables import boxed

# Table 1 of "Enhancing Medical Imaging with GANs" (KGAN): SF, SSIM and SCD, all that it has.
PAPER = {
    "CycleGAN": {"sf": 15.31, "ssim": 0.542, "scd": 1.256},
    "CSGAN": {"sf": 15.52, "ssim": 0.558, "scd": 1.197},
    "KGAN": {"sf": 16.37, "ssim": 0.593, "scd": 1.339},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        title: its first cell.
        costs: steps, parameters and multiply-accumulates, as texts.
        cells: score key to `(text, small print)`.
        published: whether it was printed by others.
    """

    title: str
    costs: tuple
    cells: dict
    published: bool = False


def table_rows(methods):
    """Rows of means by patient, ± standard deviation over seeds, intervals in small print."""
    rows = []
    for method in methods:
        found = method.to_dict()
        cells = {}
        for key, score in SCORES.items():
            mean, deviation = found["scores"][key], found["deviation_over_seeds"][key]
            limits = found["interval_over_patients"][key]
            cells[key] = _mean(mean, deviation, score), limits and interval(limits, score.decimals)
        rows.append(Row(_title(method), _costs(method), cells))
    return rows


def paper_rows():
    """Rows of the paper's own table."""
    nothing = ("",) * 3
    return [
        Row(
            f"{name}, as printed",
            nothing,
            {key: (number(scores[key], SCORES[key].decimals), None) for key in scores},
            published=True,
        )
        for name, scores in PAPER.items()
    ]


def ablation_rows(reference, methods):
    """Rows of means with the paired difference to a reference in small print.

    Args:
        reference: the `MethodResult` that others are compared with, the first row.
        methods: the others.
    """
    rows = table_rows([reference])
    for method in methods:
        row = table_rows([method])[0]
        if method.complete and reference.complete and method is not reference:
            found = paired(method.values, reference.values, method.patients)
            cells = {key: (row.cells[key][0], _change(found[key], SCORES[key])) for key in SCORES}
            row = dataclasses.replace(row, cells=cells)
        rows.append(row)
    return rows


def _title(method):
    return f"{method.title} ({len(method.diverged)} diverged)" if method.diverged else method.title


def _costs(method):
    macs = "" if method.macs is None else short(method.macs)
    parameters = "" if method.parameters is None else f"{method.parameters:,}"
    return (f"{method.steps:,}" if method.steps else "", parameters, macs if method.steps else "")


def _mean(mean, deviation, score):
    if not is_number(mean):
        return "-"
    text = number(mean, score.decimals)
    return f"{text} ± {number(deviation, score.decimals)}" if is_number(deviation) else text


def _change(entry, score):
    if entry["difference"] is None:
        return None
    text = number(entry["difference"], score.decimals, signed=True)
    if entry["interval"]:
        text += f" ({interval(entry['interval'], score.decimals, signed=True)})"
    return text


def heads():
    """Headings of the columns, with the direction that is better."""
    scores = [f"{score.title} {DIRECTIONS[score.better]}" for score in SCORES.values()]
    return ["method", "steps", "parameters", "MACs", *scores]


def markdown(rows):
    """A Markdown table; small print stands in brackets behind the number."""
    lines = [heads(), ["---", *["---:"] * (len(heads()) - 1)]]
    for row in rows:
        texts = []
        for key in SCORES:
            text, small = row.cells.get(key, ("", None))
            texts.append(f"{text} [{small}]" if small else text)
        title = f"*{row.title}*" if row.published else row.title
        lines.append([title, *row.costs, *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def html(rows, label):
    """An HTML table in its box; small print below the number."""
    top = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads())
    body = ""
    for row in rows:
        title = f"<em>{escape(row.title)}</em>" if row.published else escape(row.title)
        cells = "".join(f"<td>{escape(text)}</td>" for text in row.costs)
        for key in SCORES:
            text, small = row.cells.get(key, ("", None))
            small = f"<small>{escape(small)}</small>" if small else ""
            cells += f"<td>{escape(text)}{small}</td>"
        body += f'<tr><th scope="row">{title}</th>{cells}</tr>'
    return boxed(
        f'<table><caption class="unseen">{escape(label)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table>",
        label,
    )
