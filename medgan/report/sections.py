"""The sections of the page, in their order; each is empty where there is nothing to show."""

import datetime
import string
from importlib import resources

from medgan.report.formatting import counted, escape, listed
from medgan.report.loss_plots import loss_plot
from medgan.report.pictures import pair_blocks, reduced_sentence
from medgan.report.plots import strip_plot
from medgan.report.summary import leaders
from medgan.report.tables import (
    SIGNIFICANT,
    baselines,
    comparison_table,
    conventions_table,
    main_scores,
    score_table,
)

# Longer lists are folded.
MANY = 8


def packaged(name):
    """Text of a file that is installed beside this module."""
    return resources.files("medgan.report").joinpath(name).read_text("utf-8")


def sections(payload, pictures, losses, health):
    """Lists the sections that there is something to show in.

    Args:
        payload: what the evaluation found.
        pictures: pairs to look at, as in `write_report`.
        losses: records of a training, as in `write_report`.
        health: what was seen in training, as in `write_report`.

    Returns:
        A list of `(name, heading, HTML)`.
    """
    found = [
        ("scores", "Scores", score_section(payload)),
        ("pictures", "Pictures", picture_section(payload, pictures)),
        ("strips", strip_title(payload), strip_section(payload)),
        ("comparison", "Comparison", comparison_section(payload)),
        ("losses", "Losses", loss_section(losses)),
        ("health", "Health of the training", health_section(health)),
        ("conventions", "Conventions", conventions_table(payload)),
        ("origin", "Origin", origin_section(payload)),
    ]
    return [section for section in found if section[2]]


def score_section(payload):
    """The table with its controls, the key to its signs, notes and what was left out."""
    extra = len(payload["conventions"]) - len(main_scores(payload))
    toggle = (
        '<button type="button" id="all-scores" aria-pressed="false">'
        f"All {len(payload['conventions'])} scores</button>"
        if extra
        else ""
    )
    mean = "Means by patient" if payload.get("patients") else "Means"
    small = ", with the 95 % interval in small print" if has_intervals(payload) else ""
    key = (
        f"{mean}{small}. ↑ higher is better, ↓ lower is better. <strong>Bold</strong> and “best”: "
        "the best by the digits shown; <u>underlined</u>: the second. How each score is computed: "
        '<a href="#conventions">conventions</a>.'
    )
    problems = _items(payload.get("problems"), "problems", "left out")
    return (
        f'<div class="controls js-only">{toggle}'
        '<button type="button" id="save">Save the numbers (JSON)</button>'
        '<span class="hint">Click a heading to sort.</span></div>'
        f'{score_table(payload)}<p class="key">{key}</p>'
        f"{_items(payload.get('notes'), 'notes', 'notes')}"
        + (f"<h3>Left out</h3>{problems}" if problems else "")
    )


def has_intervals(payload):
    """Whether any mean has an interval; a single image gives none."""
    rows = (payload.get("intervals") or {}).values()
    return any(bounds for row in rows for bounds in row.values())


def _items(texts, kind, noun):
    """A list of sentences; what exceeds `MANY` is folded."""
    items = [f"<li>{escape(text)}</li>" for text in texts or ()]
    if not items:
        return ""
    shown = f'<ul class="{kind}">{"".join(items[:MANY])}</ul>'
    if len(items) > MANY:
        shown += (
            f"<details><summary>{len(items) - MANY} more {noun}</summary>"
            f'<ul class="{kind}">{"".join(items[MANY:])}</ul></details>'
        )
    return shown


def picture_section(payload, pictures):
    """The viewer and the blocks of pictures that it takes its pictures from."""
    if not pictures:
        return ""
    blocks, reduced = pair_blocks(payload, pictures)
    titles = list(pictures[0]["images"])
    cautioned = payload.get("cautions") or {}
    wanted = [m for m in leaders(payload) if m in titles]
    sober = [method for method in wanted if not cautioned.get(method)]
    right = next(iter(sober or wanted), titles[-1])
    noun = "pair" if payload["task"] == "fusion" else "image"
    images = payload.get("images") or ()
    part = (
        f"{len(pictures)} of {counted(len(images), noun)}." if len(images) > len(pictures) else ""
    )
    notes = " ".join(filter(None, (part, reduced_sentence(reduced, noun))))
    note = f'<p class="key">{notes}</p>' if notes else ""
    viewer = string.Template(packaged("viewer.html"))
    return note + viewer.substitute(left=escape(titles[0]), right=escape(right), pairs=blocks)


def strip_title(payload):
    """Heading of the drawings: what a dot stands for."""
    return "Patient by patient" if payload.get("patients") else "Image by image"


def strip_section(payload):
    """A drawing for each main score, and a choice of what to highlight in all of them."""
    if not (payload.get("by_patient") or payload.get("values")):
        return ""
    plots = "".join(strip_plot(payload, key) for key in main_scores(payload))
    if not plots:
        return ""
    if payload.get("patients"):
        noun, labels = "patient", [f"patient {name}" for name in payload["patients"]]
        dot = "A dot is the mean of one patient"
    else:
        noun, labels = "image", [image["name"] for image in payload["images"]]
        dot = "A dot is one image"
    options = "".join(
        f'<option value="{index}">{escape(label)}</option>' for index, label in enumerate(labels)
    )
    bar = " with its 95 % interval" if has_intervals(payload) else ""
    baseline = payload.get("baseline")
    line = f" Dotted line: mean of {escape(baseline)}." if baseline in payload["methods"] else ""
    return (
        f'<p class="key">{dot}, the diamond the mean{bar}.{line} Point at a dot for its name and '
        'value.</p><div class="controls js-only"><label for="highlight">Highlight one '
        f'{noun}</label><select id="highlight"><option value="">none</option>{options}</select>'
        f'</div><div class="plots">{plots}</div>'
    )


def comparison_section(payload):
    """Differences to a baseline that can be chosen, with the unit of the tests said."""
    names, chosen = baselines(payload)
    if len(names) < 2:
        return ""
    options = "".join(
        f'<option value="{index}"{" selected" if name == chosen else ""}>{escape(name)}</option>'
        for index, name in enumerate(names)
    )
    unit = listed(sorted({test["unit"] for test in payload["tests"]}))
    counts = {test["count"] for test in payload["tests"]}
    pairs = len({(test["first"], test["second"]) for test in payload["tests"]})
    extent = (
        f"{max(counts)} {unit}" if len(counts) == 1 else f"{min(counts)} to {max(counts)} {unit}"
    )
    return (
        '<p class="key">Method minus baseline, difference of the means, with its 95 % interval and '
        f"the p of a paired test over {escape(extent)}, after Holm's correction within one score "
        f"over all pairs of methods ({pairs}). “better” and "
        f"“worse” stand where p &lt; {SIGNIFICANT:g}; without them the difference may be "
        "chance.</p>"
        '<div class="controls"><span class="js-only"><label for="baseline">Baseline</label> '
        f'<select id="baseline">{options}</select></span><noscript>Baseline: {escape(chosen)}'
        f"</noscript></div>{comparison_table(payload)}"
    )


def loss_section(losses):
    """Loss curves of all stages, each on a linear and on a logarithmic axis."""
    figures = []
    for stage, records in ((losses or {}).get("records") or {}).items():
        equilibrium = (losses.get("equilibria") or {}).get(stage)
        name = stage.replace("_", " ")
        drawings = [loss_plot(name, records, equilibrium, scale) for scale in (False, True)]
        if not drawings[0]:
            continue
        figures.append(
            f'<figure class="plot"><figcaption><strong>{escape(name)}</strong></figcaption>'
            f"{''.join(drawings)}</figure>"
        )
    if not figures:
        return ""
    return (
        '<p class="key">A discriminator at the equilibrium cannot tell real from generated images; '
        "far below it, it has learned the training images by heart.</p>"
        '<div class="controls js-only"><fieldset class="choice"><legend class="unseen">Axis of the '
        'losses</legend><label><input type="radio" name="scale" value="linear" checked>'
        '<span>Linear</span></label><label><input type="radio" name="scale" value="logarithmic">'
        f'<span>Logarithmic</span></label></fieldset></div><div class="plots" data-scale="linear">'
        f"{''.join(figures)}</div>"
    )


def health_section(health):
    """What was seen in training, in words."""
    items = "".join(
        f'<li class="{"warned" if entry["severity"] == "warning" else "told"}">'
        f"<strong>{escape(entry['severity'])}</strong> {escape(entry['stage'].replace('_', ' '))}, "
        f"step {escape(entry['step'])}: {escape(entry['text'])}</li>"
        for entry in health or ()
    )
    return f'<ul class="health">{items}</ul>' if items else ""


def origin_section(payload):
    """When, by which command and with which versions the page was made."""
    created = payload["created"]
    try:
        moment = datetime.datetime.fromisoformat(created)
        spoken = f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()
    except ValueError:
        spoken = created
    rows = [("Written", f'<time datetime="{escape(created)}">{escape(spoken)}</time>')]
    if payload.get("command"):
        rows.append(("Command", f"<code>{escape(payload['command'])}</code>"))
    versions = (payload.get("versions") or {}).items()
    told = ", ".join(f"{escape(name)} {escape(version)}" for name, version in versions if version)
    if told:
        rows.append(("Versions", told))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return (
        f'<dl class="origin">{rows}</dl><p class="key">Not a medical device: a generated or fused '
        "image can hide or invent detail.</p>"
    )
