"""How long a comparison will take, from two steps of every kind of training."""

import json

from medgan.comparison.cells import Cell

# Of a cell beyond its steps: building, loading, saving, and scoring an image of 256x256.
SECONDS_PER_CELL = 2.0
SECONDS_PER_IMAGE = 0.06
# Terms of these weights are computed even where they are zero, and cost the same.
WEIGHTS = ("alpha", "beta", "gamma", "adversarial_weight")
# Of a process: loading TensorFlow and the data; and of the page at the end.
SECONDS_PER_PROCESS = 12.0
SECONDS_OF_REPORT = 15.0


def kinds(plan):
    """One cell for every kind of training that may take another time.

    Args:
        plan: a `Plan`.

    Returns:
        Kind to the first `Cell` of it.
    """
    protocol, found = plan.protocol, {}
    for method in protocol.methods:
        found.setdefault(_kind(protocol, method), Cell(method, protocol.seeds[0], 0))
    return found


def _kind(protocol, method):
    """What the time of a step depends on."""
    table = protocol.methods[method]
    free = {"title", "group", "budget", "teacher", "discriminator_from_teacher", *WEIGHTS}
    kept = {key: value for key, value in table.items() if key not in free}
    kept = {key: value for key, value in kept.items() if not key.endswith("_loss")}
    if table.get("teacher"):
        kept["taught_by"] = protocol.methods[table["teacher"]]["network"]
    return json.dumps(kept, sort_keys=True)


def estimate(plan, measured, jobs):
    """Adds up what was measured.

    Args:
        plan: a `Plan`.
        measured: `Cell` to `{"first", "step"}`, as `CellTraining.measure` gives it, of `kinds`.
        jobs: number of processes.

    Returns:
        `{"methods", "seconds"}`: for every method its steps, the seconds of one and the number of
        its cells; and the seconds of everything.
    """
    protocol, chosen = plan.protocol, kinds(plan)
    images = sum(len(split.validation) for split in plan.splits)
    methods, total = {}, 0.0
    for method in protocol.methods:
        times = measured[chosen[_kind(protocol, method)]]
        steps, cells = protocol.steps(method), len(protocol.seeds) * len(plan.splits)
        methods[method] = {
            "steps": steps,
            "seconds_per_step": round(times["step"], 4),
            "cells": cells,
        }
        total += times["first"] + cells * (steps * times["step"] + SECONDS_PER_CELL)
        total += len(protocol.seeds) * images * SECONDS_PER_IMAGE
    total += len(protocol.rules) * images * SECONDS_PER_IMAGE
    seconds = total / jobs + SECONDS_PER_PROCESS + SECONDS_OF_REPORT
    return {"methods": methods, "seconds": round(seconds, 1)}
