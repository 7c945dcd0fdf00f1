"""What the table says, in one paragraph made from its numbers."""

from medgan.report.formatting import counted, escape, listed, number, places
from medgan.report.tables import main_scores, scores_by_method


def leaders(payload):
    """Method to the main scores that it is best in, those with most first."""
    found = {}
    for key in main_scores(payload):
        entry = payload["conventions"][key]
        marks = places(scores_by_method(payload, key), entry["better"], entry["decimals"])
        for method, place in marks.items():
            if place == 1:
                found.setdefault(method, []).append(key)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def summary(payload):
    """One paragraph of HTML: what was scored, who leads in what, what to beware of."""
    extent = counted(len(payload["methods"]), "method")
    if payload["task"] == "synthesis":
        extent = f"{counted(len(payload['methods']), 'set')} of generated images"
    if payload.get("images"):
        noun = "pair" if payload["task"] == "fusion" else "image"
        extent += f" on {counted(len(payload['images']), noun)}"
    if payload.get("patients"):
        extent += f" of {counted(len(payload['patients']), 'patient')}"
    best = leaders(payload)
    parts = [f"{extent}."]
    if best:
        claims = []
        for method, keys in best.items():
            scores = []
            for key in keys:
                entry = payload["conventions"][key]
                value = number(payload["scores"][method][key], entry["decimals"])
                scores.append(f"{escape(entry['title'])} ({value})")
            claims.append(f"<strong>{escape(method)}</strong> in {listed(scores)}")
        parts.append(f"Best: {'; '.join(claims)}.")
        ranked = {key for keys in best.values() for key in keys}
        if all(len(keys) < len(ranked) for keys in best.values()):
            parts.append("No method is best in every score.")
    cautions = [method for method, texts in (payload.get("cautions") or {}).items() if texts]
    if cautions:
        names = listed(f"<strong>{escape(method)}</strong>" for method in cautions)
        parts.append(f"Beware of {names}: see the caution in the table.")
    if payload.get("problems"):
        parts.append(
            f"{counted(len(payload['problems']), 'result')} left out: see below the table."
        )
    if len(payload.get("images") or []) == 1:
        parts.append("One image only: there are no intervals and no tests.")
    return " ".join(parts)
