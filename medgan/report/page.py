"""Puts the page together and writes it: one file, no network, readable without JavaScript."""

import json
import math

from medgan.report.formatting import escape
from medgan.report.sections import packaged, sections
from medgan.report.summary import summary
from medgan.run import write_atomically

# Nothing is fetched, sent or framed in; what the page needs is in it.
POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
# Runs before everything else, so that even a script that cannot be read leaves a trace.
FIRST_SCRIPT = """
document.documentElement.classList.add("js");
const remember = (text) => { document.documentElement.dataset.error = text; };
addEventListener("error", (event) => remember(event.message));
addEventListener("unhandledrejection", (event) => remember(String(event.reason)));
"""
SCRIPTS = ("difference.js", "gestures.js", "view.js", "viewer.js", "report.js")


def write_report(path, payload, pictures=(), losses=None, health=None, title=None, further=()):
    """Writes the page of an evaluation, whole or not at all.

    Args:
        path: HTML file to write.
        payload: what the evaluation found, `Evaluation.to_dict()`.
        pictures: pairs to look at, dicts of `name`, `patient` (or None) and `images`: title to
            uint8 `(height, width)`, the sources (or the target) first.
        losses: `{"records": {stage: records}, "equilibria": {stage: loss}}`, or None; records hold
            `step`, `loss` and `discriminator`, and `equilibria` may be missing.
        health: what was seen in training, dicts of `stage`, `step`, `severity` and `text`, or None.
        title: heading of the page; by default the payload's.
        further: sections that come before all others, `(name, heading, HTML)` each; their texts
            are escaped already.

    Raises:
        ValueError: if a picture is not a grey picture of 8 bits.
        MedganError: if the file cannot be written.
    """
    title = title or payload["title"]
    parts = [*further, *sections(payload, pictures, losses, health)]
    links = "".join(f'<a href="#{name}">{heading}</a>' for name, heading, _ in parts)
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-heading">'
        f'<h2 id="{name}-heading">{heading}</h2>{content}</section>'
        for name, heading, content in parts
    )
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{packaged("report.css")}</style>
<script>{FIRST_SCRIPT}</script>
</head>
<body>
<header>
<p class="task">medgan · {escape(payload["task"])}</p>
<h1>{escape(title)}</h1>
<p class="summary">{summary(payload)}</p>
<nav aria-label="Sections">{links}</nav>
</header>
<main>{body}</main>
<script type="application/json" id="payload">{safe_json(payload)}</script>
<script type="module">
{"".join(packaged(name) for name in SCRIPTS)}</script>
</body>
</html>
"""
    write_atomically(path, text)


def safe_json(value):
    r"""JSON that can stand in a `script` element: no `<`, no `&`, and null for NaN.

    Example:
        >>> from medgan.report.page import safe_json
        >>> print(safe_json({"a": "</script>", "b": float("nan")}))
        {"a":"\u003c/script\u003e","b":null}
    """
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _finite(value):
    """The same value with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
