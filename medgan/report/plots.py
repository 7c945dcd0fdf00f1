"""Scores of every patient as inline SVG, one strip per method."""

import textwrap

from medgan.report.axis import Axis
from medgan.report.formatting import DIRECTIONS, escape, interval, is_number, number

WIDTH, LEFT, RIGHT = 380, 12, 368
# A name that is longer than this goes on with another line.
NAME_LENGTH = 46
LINE, DOTS, GAP = 15, 20, 5
# With more dots than this in a row, they are smaller and spread over its height.
CROWD = 14


def dots(payload, method, key):
    """Lists what a strip shows: `(index, label, value)`, by patient, or by image without patients.

    Example:
        >>> from medgan.report.plots import dots
        >>> dots({"patients": ["a", "b"], "by_patient": {"m": {"sf": {"a": 1.0, "b": None}}}},
        ...      "m", "sf")
        [(0, 'patient a', 1.0)]
    """
    if payload.get("patients"):
        means = payload["by_patient"].get(method, {}).get(key, {})
        found = [(f"patient {name}", means.get(name)) for name in payload["patients"]]
    else:
        values = payload["values"][method].get(key) or []
        found = [(i["name"], v) for i, v in zip(payload["images"], values, strict=False)]
    return [(n, label, value) for n, (label, value) in enumerate(found) if is_number(value)]


def strip_plot(payload, key):
    """Draws one score: a row per method, a dot per patient (or image), mean and interval.

    Args:
        payload: what the evaluation found.
        key: the score.

    Returns:
        HTML of a figure; empty where no method has a value.
    """
    entry = payload["conventions"][key]
    decimals = entry["decimals"]
    rows = {method: dots(payload, method, key) for method in payload["methods"]}
    means = {m: payload["scores"][m].get(key) for m in rows}
    bounds = {m: (payload.get("intervals") or {}).get(m, {}).get(key) for m in rows}
    values = [value for row in rows.values() for _, _, value in row]
    values += [value for value in means.values() if is_number(value)]
    values += [value for pair in bounds.values() if pair for value in pair]
    if not values:
        return ""
    axis = Axis.linear(values, LEFT, RIGHT)
    parts, top = [], 0
    for method, row in rows.items():
        lines = textwrap.wrap(method, NAME_LENGTH, break_on_hyphens=False) or [""]
        top += len(lines) * LINE
        mean = number(means[method], decimals) if is_number(means[method]) else "\N{EN DASH}"
        parts += [
            f'<text x="{LEFT - 6}" y="{top - LINE * n - 4}">{escape(line)}</text>'
            for n, line in enumerate(reversed(lines))
        ]
        parts.append(f'<text class="mean" x="{RIGHT + 6}" y="{top - 4}">{mean}</text>')
        parts.append(_strip(axis, row, means[method], bounds[method], top + DOTS / 2, decimals))
        top += DOTS + GAP
    baseline = means.get(payload.get("baseline"))
    frame = "".join(_upright(axis, tick, top) for tick in axis.ticks)
    if is_number(baseline):
        x = axis.place(baseline)
        frame += f'<line class="baseline" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{top}"/>'
    spoken = "; ".join(
        f"{m} {number(v, decimals)}" + (f" ({interval(bounds[m], decimals)})" if bounds[m] else "")
        for m, v in means.items()
        if is_number(v)
    )
    better = f"{DIRECTIONS[entry['better']]} {entry['better']} is better" if entry["better"] else ""
    return (
        f'<figure class="plot"><figcaption><strong>{escape(entry["title"])}</strong> '
        f'<small>{better}</small></figcaption><svg viewBox="0 0 {WIDTH} {top + 20}" role="img" '
        f'aria-label="{escape(entry["title"])}: {escape(spoken)}">{frame}{"".join(parts)}</svg>'
        "</figure>"
    )


def _upright(axis, tick, bottom):
    """A thin line over all rows with the tick's label below."""
    x = axis.place(tick)
    return (
        f'<line class="grid" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}"/>'
        f'<text class="tick" x="{x:.1f}" y="{bottom + 14}">{axis.label(tick)}</text>'
    )


def _strip(axis, row, mean, bounds, y, decimals):
    """Interval of one method as a band, its dots upon that, its mean as a diamond on top."""
    parts = []
    if bounds:
        low, high = (axis.place(bound) for bound in bounds)
        parts.append(
            f'<line class="interval" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>'
        )
    radius = 2.6 if len(row) > CROWD else 4
    for index, label, value in row:
        shift = ((index * 7) % 5 - 2) * 2.5 if len(row) > CROWD else 0
        x = axis.place(value)
        parts.append(
            f'<circle data-unit="{index}" cx="{x:.1f}" cy="{y + shift:.1f}" r="{radius}">'
            f"<title>{escape(label)}: {number(value, decimals)}</title></circle>"
        )
    if is_number(mean):
        x = axis.place(mean)
        title = f"mean {number(mean, decimals)}"
        if bounds:
            title += f", 95 % interval {interval(bounds, decimals)}"
        parts.append(
            f'<path class="diamond" d="M{x - 5:.1f} {y:.1f}l5 -6 5 6 -5 6z">'
            f"<title>{title}</title></path>"
        )
    return "".join(parts)
