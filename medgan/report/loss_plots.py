"""Losses over the steps as inline SVG: generator above, discriminator and equilibrium below."""

from medgan.report.axis import Axis
from medgan.report.formatting import escape, is_number

WIDTH, LEFT, RIGHT = 380, 46, 366
PANEL, GAP, TOP, BELOW = 92, 32, 20, 36
# More points than a drawing is wide cannot be seen, and make the page heavy.
POINTS = 350
CURVES = {"loss": "generator (weighted sum)", "discriminator": "discriminator"}


def loss_plot(stage, records, equilibrium=None, logarithmic=False):
    """Draws the losses of one stage, each in a panel with its own axis.

    The two are of different size: on one axis a discriminator that leaves its equilibrium would be
    a flat line.

    Args:
        stage: its title.
        records: dicts with `step`, `loss` and `discriminator`; either loss may be missing, and
            values that are not finite leave a gap.
        equilibrium: loss of a discriminator that cannot tell real from generated, or None.
        logarithmic: whether the losses' axes are logarithmic; then values of 0 and below leave a
            gap as well.

    Returns:
        An SVG element; empty where there is nothing to draw.
    """
    names = [name for name in CURVES if unbroken(records, name, logarithmic)]
    if not names:
        return ""
    steps = [record["step"] for record in records]
    across = Axis.linear([min(steps), max(steps)], LEFT, RIGHT)
    parts, spoken = [], []
    for index, name in enumerate(names):
        level = equilibrium if name == "discriminator" else None
        top = TOP + index * (PANEL + GAP)
        runs = unbroken(records, name, logarithmic)
        parts.append(_panel(name, runs, level, across, top, logarithmic))
        spoken.append(f"{CURVES[name]} {runs[0][0][1]:.3g} first, {runs[-1][-1][1]:.3g} last")
    bottom = TOP + len(names) * (PANEL + GAP) - GAP
    parts += [
        f'<text class="tick" x="{across.place(tick):.1f}" y="{bottom + 15}">'
        f"{across.label(tick)}</text>"
        for tick in across.ticks
    ]
    middle = (LEFT + RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle}" y="{bottom + 31}">step</text>')
    scale = "logarithmic" if logarithmic else "linear"
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + BELOW}" role="img" data-scale="{scale}" '
        f'aria-label="{escape(stage)}, {scale}: {"; ".join(spoken)}">{"".join(parts)}</svg>'
    )


def _panel(name, runs, equilibrium, across, top, logarithmic):
    """One curve with its axis, its name above, and the equilibrium where it has one."""
    values = [value for run in runs for _, value in run]
    marked = _drawable(equilibrium, logarithmic)
    make = Axis.logarithm if logarithmic else Axis.linear
    upward = make(values + [equilibrium] * marked, top + PANEL, top)
    parts = [f'<text x="{LEFT}" y="{top - 7}">{CURVES[name]}</text>']
    for tick in upward.ticks:
        y = upward.place(tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>'
            f'<text class="level" x="{LEFT - 6}" y="{y + 4:.1f}">{upward.label(tick)}</text>'
        )
    if marked:
        y = upward.place(equilibrium)
        parts.append(
            f'<line class="equilibrium" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>'
            f'<text class="mean" x="{RIGHT}" y="{top - 7}">dotted: equilibrium '
            f"{equilibrium:.3f}</text>"
        )
    path = "".join(
        "M" + "L".join(f"{across.place(s):.1f} {upward.place(v):.1f}" for s, v in thinned(run))
        for run in runs
    )
    parts.append(f'<path class="curve {name}" d="{path}"/>')
    return "".join(parts)


def _drawable(value, logarithmic):
    return is_number(value) and (value > 0 or not logarithmic)


def unbroken(records, name, logarithmic=False):
    """Divides a curve where a value cannot be drawn; records without the name are passed over.

    Args:
        records: dicts with `step`, in their order.
        name: the loss.
        logarithmic: whether values must be positive.

    Returns:
        A list of lists of `(step, value)`.

    Example:
        >>> from medgan.report.loss_plots import unbroken
        >>> losses = [3.0, float("nan"), 2.0, 1.0]
        >>> unbroken([{"step": n, "loss": v} for n, v in enumerate(losses)], "loss")
        [[(0, 3.0)], [(2, 2.0), (3, 1.0)]]
    """
    runs = [[]]
    for record in records:
        value = record.get(name)
        if _drawable(value, logarithmic):
            runs[-1].append((record["step"], value))
        elif value is not None and runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def thinned(points):
    """Keeps the extremes of every bucket of a long curve, so that no spike is lost.

    Example:
        >>> from medgan.report.loss_plots import thinned
        >>> kept = thinned([(n, 50.0 if n == 7777 else 0.0) for n in range(100_000)])
        >>> (7777, 50.0) in kept, len(kept) <= 700
        (True, True)
    """
    if len(points) <= 2 * POINTS:
        return points
    size = -(-len(points) // POINTS)
    kept = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        ends = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept
