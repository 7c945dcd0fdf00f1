"""The tables of the page: scores, one pair's scores, differences to a baseline, conventions."""

from medgan.report.formatting import (
    DIRECTIONS,
    UNDEFINED,
    counted,
    escape,
    interval,
    is_number,
    milliseconds,
    number,
    places,
    probability,
    quantity,
)

# Heading, explanation and way of writing of what a method costs.
COSTS = {
    "parameters": ("parameters", "Number of weights", lambda value: f"{value:,}"),
    "macs": ("MACs", "Multiply-accumulates for one image", quantity),
    "milliseconds": ("ms", "Milliseconds for one image", milliseconds),
}
# Differences whose corrected p-value is smaller are called better or worse.
SIGNIFICANT = 0.05


def main_scores(payload):
    """Keys of the scores that are always shown; all of them where none is marked so."""
    conventions = payload["conventions"]
    return [key for key, entry in conventions.items() if entry.get("main")] or list(conventions)


def scores_by_method(payload, key):
    """Method to its mean of one score."""
    return {method: payload["scores"][method].get(key) for method in payload["methods"]}


def boxed(table, label):
    """Puts a table into a box that scrolls by itself, also with the keyboard."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'
    )


def score_table(payload):
    """Builds the table of all methods: mean, interval, marks, costs and cautions.

    Every method has a `tbody` of its own, so that its cautions stay with it when JavaScript sorts.

    Args:
        payload: what the evaluation found.

    Returns:
        HTML of the table in its box.
    """
    costs = [
        name
        for name in COSTS
        if any(is_number(cost.get(name)) for cost in (payload.get("costs") or {}).values())
    ]
    marks = {
        key: places(scores_by_method(payload, key), entry["better"], entry["decimals"])
        for key, entry in payload["conventions"].items()
    }
    bodies = "".join(_method_body(payload, method, marks, costs) for method in payload["methods"])
    heads = _score_heads(payload) + "".join(
        f'<th scope="col" data-first="ascending" title="{COSTS[name][1]}">{COSTS[name][0]}</th>'
        for name in costs
    )
    return boxed(
        f'<table class="scores"><caption class="unseen">Scores of every method</caption><thead><tr>'
        f'<th scope="col" data-first="ascending">Method</th>{heads}</tr></thead>{bodies}</table>',
        "Table of scores",
    )


def _score_heads(payload):
    """Head cells of all scores, with direction and convention."""
    mains = main_scores(payload)
    heads = []
    for key, entry in payload["conventions"].items():
        better = entry["better"]
        title = f"{better} is better" if better else "neither direction is better"
        arrow = (
            f'&nbsp;<span role="img" aria-label="{title}">{DIRECTIONS[better]}</span>'
            if better
            else ""
        )
        kind = "main" if key in mains else "extra"
        first = "ascending" if better == "lower" else "descending"
        hint = escape(f"{entry['convention']} ({title})")
        heads.append(
            f'<th scope="col" class="{kind}" data-first="{first}" title="{hint}">'
            f"{escape(entry['title'])}{arrow}</th>"
        )
    return "".join(heads)


def _method_body(payload, method, marks, costs):
    """One method: its row, and one with its cautions where there are any."""
    mains = main_scores(payload)
    cautions = (payload.get("cautions") or {}).get(method, [])
    sign = '<span role="img" aria-label="caution" class="sign">⚠</span>'
    mark = f" {sign}" if cautions else ""
    cells = "".join(
        _score_cell(
            payload["scores"][method].get(key),
            entry["decimals"],
            marks[key].get(method),
            "main" if key in mains else "extra",
            (payload.get("intervals") or {}).get(method, {}).get(key),
        )
        for key, entry in payload["conventions"].items()
    ) + "".join(_cost_cell((payload.get("costs") or {}).get(method, {}), name) for name in costs)
    row = (
        f'<tr><th scope="row" data-value="{escape(method)}">{escape(method)}{mark}</th>{cells}</tr>'
    )
    if cautions:
        span = 1 + len(payload["conventions"]) + len(costs)
        items = "".join(f"<p>{sign} {escape(text)}</p>" for text in cautions)
        row += f'<tr class="cautions"><td colspan="{span}"><div>{items}</div></td></tr>'
    return f"<tbody>{row}</tbody>"


def _score_cell(value, decimals, place, kind, bounds=None):
    """A score with its mark and interval; the value for sorting is kept in full."""
    if not is_number(value):
        return f'<td class="{kind}" data-value="">{UNDEFINED}</td>'
    text = number(value, decimals)
    if place == 1:
        text = f'<small class="mark">best</small> <strong>{text}</strong>'
    elif place == 2:
        text = f'<u>{text}</u><span class="unseen"> second</span>'
    small = f'<small class="interval">{interval(bounds, decimals)}</small>' if bounds else ""
    return f'<td class="{kind}" data-value="{float(value)!r}">{text}{small}</td>'


def _cost_cell(cost, name):
    value = cost.get(name)
    if not is_number(value):
        return f'<td data-value="">{UNDEFINED}</td>'
    return f'<td data-value="{float(value)!r}">{COSTS[name][2](value)}</td>'


def pair_table(payload, image):
    """Builds the scores of one image by every method.

    Args:
        payload: what the evaluation found.
        image: index in `payload["images"]`.

    Returns:
        HTML of the table in its box; empty without values by image.
    """
    values = payload.get("values") or {}
    if not values:
        return ""
    mains = main_scores(payload)
    marks, found = {}, {}
    for key, entry in payload["conventions"].items():
        lists = {method: values[method].get(key) for method in payload["methods"]}
        found[key] = {m: known[image] if known else None for m, known in lists.items()}
        marks[key] = places(found[key], entry["better"], entry["decimals"])
    rows = "".join(
        f'<tr><th scope="row" data-title="{escape(method)}">{escape(method)}</th>'
        + "".join(
            _score_cell(
                found[key][method],
                entry["decimals"],
                marks[key].get(method),
                "main" if key in mains else "extra",
            )
            for key, entry in payload["conventions"].items()
        )
        + "</tr>"
        for method in payload["methods"]
    )
    name = payload["images"][image]["name"]
    return boxed(
        f'<table class="pair-scores"><caption class="unseen">Scores of {escape(name)}</caption>'
        f'<thead><tr><th scope="col">Method</th>{_score_heads(payload)}</tr></thead>'
        f"<tbody>{rows}</tbody></table>",
        f"Scores of {name}",
    )


def difference(payload, method, baseline):
    """Finds, for every score, how a method differs from a baseline.

    A test is kept once for two methods; asked the other way round, its signs flip.

    Args:
        payload: what the evaluation found.
        method: name of a method.
        baseline: name of another.

    Returns:
        Score key to the test's dict, in which `difference` is method minus baseline.
    """
    found = {}
    for test in payload.get("tests") or []:
        names = (test["first"], test["second"])
        if names == (method, baseline):
            found[test["score"]] = test
        elif names == (baseline, method):
            bounds = test["interval"]
            found[test["score"]] = {
                **test,
                "first": method,
                "second": baseline,
                "difference": -test["difference"] if is_number(test["difference"]) else None,
                "interval": [-bounds[1], -bounds[0]] if bounds else None,
            }
    return found


def baselines(payload):
    """Methods that others can be compared with, and the one to begin with."""
    tested = {test[side] for test in payload.get("tests") or [] for side in ("first", "second")}
    names = [method for method in payload["methods"] if method in tested]
    wanted = payload.get("baseline")
    return names, wanted if wanted in names else next(iter(names), None)


def comparison_table(payload):
    """Builds the differences to every possible baseline; the page shows one `tbody` at a time.

    Args:
        payload: what the evaluation found.

    Returns:
        HTML of the table in its box.
    """
    names, chosen = baselines(payload)
    bodies = "".join(
        f'<tbody data-baseline="{index}"{"" if baseline == chosen else " hidden"}>'
        + "".join(_difference_row(payload, m, baseline) for m in names if m != baseline)
        + "</tbody>"
        for index, baseline in enumerate(names)
    )
    return boxed(
        '<table class="comparison"><caption class="unseen">Method minus baseline</caption><thead>'
        f'<tr><th scope="col">Method</th>{_score_heads(payload)}</tr></thead>{bodies}</table>',
        "Differences to the baseline",
    )


def _difference_row(payload, method, baseline):
    mains = main_scores(payload)
    tests = difference(payload, method, baseline)
    cells = "".join(
        _difference_cell(tests.get(key), entry, "main" if key in mains else "extra")
        for key, entry in payload["conventions"].items()
    )
    return f'<tr><th scope="row">{escape(method)}</th>{cells}</tr>'


def _difference_cell(test, entry, kind):
    """Difference, verdict in words, interval and corrected p; the count as the cell's title."""
    if test is None or not is_number(test["difference"]):
        return f'<td class="{kind}">{UNDEFINED}</td>'
    value, decimals = test["difference"], entry["decimals"]
    text = number(value, decimals, signed=True)
    if is_number(test["p_holm"]) and test["p_holm"] < SIGNIFICANT and entry["better"] and value:
        gain = (value > 0) == (entry["better"] == "higher")
        verdict = "better" if gain else "worse"
        text = f'<small class="{verdict}">{verdict}</small> <strong>{text}</strong>'
    bounds = test["interval"]
    small = f"<small>{interval(bounds, decimals, signed=True)}</small>" if bounds else ""
    if is_number(test["p_holm"]):
        small += f"<small>{probability(test['p_holm'])}</small>"
    count = counted(test["count"], test["unit"].removesuffix("s"), test["unit"])
    return f'<td class="{kind}" title="over {escape(count)}">{text}{small}</td>'


def conventions_table(payload):
    """Builds the list of conventions: what exactly every score computes, and whose it is."""
    rows = "".join(
        f'<tr><th scope="row">{escape(entry["title"])} <small>{escape(key)}</small></th>'
        f"<td>{escape(entry['better'] or 'neither')}</td><td>{escape(entry['convention'])}</td>"
        f"<td>{escape(entry['source'])}</td></tr>"
        for key, entry in payload["conventions"].items()
    )
    return boxed(
        '<table class="conventions"><caption class="unseen">Conventions</caption><thead><tr>'
        '<th scope="col">Score</th><th scope="col">Better</th><th scope="col">Convention</th>'
        f'<th scope="col">Source</th></tr></thead><tbody>{rows}</tbody></table>',
        "Conventions",
    )
