"""`medgan-compare`: objectives trained and scored alike, told in the paper's Table 1 and ours."""

import contextlib
import json
import pathlib
import shlex
import time

import click

from medgan.tools.console import (
    INTERRUPTED,
    fail,
    native_messages_hidden,
    one_line_errors,
    quiet_tensorflow,
)


class _Command(click.Command):
    """Keeps its arguments, which the report repeats."""

    def parse_args(self, ctx, args):
        ctx.meta["medgan.command"] = shlex.join(["medgan-compare", *args])
        return super().parse_args(ctx, args)


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe")
@click.option("--output", metavar="DIR", help="Folder; default runs/<recipe>, or <recipe>-quick.")
@click.option(
    "--set",
    "assignments",
    metavar="TABLE.KEY=VALUE",
    multiple=True,
    help="Change a key of the recipe; repeatable. A method: methods.NAME.KEY=VALUE.",
)
@click.option("--quick", is_flag=True, help="A small version, to see that everything works.")
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Trainings of every method.")
@click.option("--folds", type=click.IntRange(1), metavar="N", help="Groups of patients held out.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes; default the cores.")
@click.option("--dry-run", is_flag=True, help="Take two steps of each kind, tell the time, stop.")
@click.option(
    "--json", "as_json", is_flag=True, help="End with one JSON object on standard output."
)
@click.option("--quiet", is_flag=True, help="No progress; the table still comes.")
@click.version_option(package_name="medgan")
@click.pass_context
def main(context, recipe, assignments, quick, seeds, folds, **options):
    """Train methods alike but for their objective and score them on patients held out.

    RECIPE is the path of a TOML file or the bare name of an installed recipe, such as table1. Every
    method is trained from every seed on every fold of the patients and scored on the patients that
    the fold holds out. Ends in report.html, table1.md, scores.json, scores.csv, figure4.png and
    figure5.png.

    What is finished is not run again: the same command with the same --output goes on, also with
    more --seeds or further methods. Ctrl-C keeps every finished training.

    Exit codes: 0 done, 1 failed, 2 usage or recipe, 3 data, 130 interrupted.

    \b
    medgan-compare table1 --quick
    medgan-compare table1 --dry-run
    medgan-compare table1 --set data.type=paired_folders --set data.root=DIR --seeds 3
    """  # noqa: D301 click reads the \\b
    with one_line_errors():
        quiet_tensorflow()
        with native_messages_hidden():
            import tensorflow  # noqa: F401  its start-up messages are nobody's business
        from medgan.comparison.protocol import read_protocol

        protocol = read_protocol(recipe, assignments, quick, seeds, folds)
        options["command"] = context.meta["medgan.command"]
        if options.pop("dry_run"):
            _dry_run(protocol, options)
        else:
            _compare(protocol, options)


def _plan(protocol):
    from medgan.comparison.cells import Plan
    from medgan.comparison.folder import check_methods

    check_methods(protocol)
    return Plan(protocol)


def _jobs(asked, cells):
    from medgan.comparison.dispatch import default_jobs, default_threads

    jobs = min(asked or default_jobs(len(cells)), max(1, len(cells)))
    return jobs, default_threads(jobs)


def _workers(plan, output, jobs, threads, logs):
    """Functions that start the processes."""
    from medgan.comparison.dispatch import Worker

    def starting(number):
        log = pathlib.Path(logs) / f"worker-{number + 1}.log"
        return lambda: Worker(plan.protocol.tables, output, threads, log)

    return [starting(number) for number in range(jobs)]


def _compare(protocol, options):
    from medgan.comparison.dispatch import run_cells
    from medgan.comparison.folder import open_folder
    from medgan.comparison.summing_up import Summary
    from medgan.tools.comparison_progress import CellProgress, print_summary
    from medgan.tools.progress import console as make_console

    start = time.monotonic()
    plan = _plan(protocol)
    default = pathlib.Path("runs", protocol.name + ("-quick" if protocol.quick else ""))
    output = pathlib.Path(options["output"] or default)
    run = open_folder(plan, output)
    console = make_console(options["quiet"])
    with run.locked():
        missing = plan.missing(output)
        jobs, threads = _jobs(options["jobs"], missing)
        there = len(plan.cells) - len(missing)
        with CellProgress(plan, there, missing, jobs, output, console) as progress:
            try:
                if missing:
                    workers = _workers(plan, output, jobs, threads, output / "logs")
                    run_cells(missing, workers, plan.teacher, on_done=progress.done)
            except KeyboardInterrupt:
                fail(
                    f"Interrupted; {progress.count} of {len(plan.cells)} trainings are kept. The "
                    "same command goes on.",
                    INTERRUPTED,
                )
        summary = Summary(plan, output, options["command"])
        payload = summary.write()
    seconds = round(time.monotonic() - start, 1)
    # The table is the result, not progress: --quiet keeps it, --json says it otherwise.
    if not (options["quiet"] and options["as_json"]):
        print_summary(summary, output)
    console.print(f"{seconds / 60:.1f} minutes", highlight=False)
    if options["as_json"]:
        methods = {entry["name"]: entry["scores"] for entry in payload["methods"]}
        result = {
            "output": str(output),
            "quick": protocol.quick,
            "cells": len(plan.cells),
            "seconds": seconds,
            "scores": methods,
            "verdict": payload["verdict"],
        }
        click.echo(json.dumps(result))


def _dry_run(protocol, options):
    """Measures every kind of training by two steps, in as many processes as the run would have."""
    import tempfile

    from medgan.comparison.dispatch import run_cells
    from medgan.comparison.estimate import estimate, kinds
    from medgan.tools.progress import console as make_console

    console = make_console(options["quiet"])
    plan = _plan(protocol)
    jobs, threads = _jobs(options["jobs"], plan.cells)
    cells = list(kinds(plan).values())
    console.print(
        f"{len(plan.cells)} cells, {len(cells)} kinds to measure, {jobs} processes of "
        f"{threads} threads",
        highlight=False,
    )
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context(tempfile.TemporaryDirectory(prefix="medgan-compare-"))
        workers = _workers(plan, logs, min(jobs, len(cells)), threads, logs)
        measured = run_cells(cells, workers, action="measure")
    found = estimate(plan, measured, jobs)
    for name, entry in found["methods"].items():
        console.print(
            f"{name}: {entry['steps']} steps of {entry['seconds_per_step']:.3f} s, "
            f"{entry['cells']} times",
            highlight=False,
        )
    console.print(
        f"about {found['seconds'] / 60:.0f} minutes with {jobs} processes", highlight=False
    )
    if options["as_json"]:
        click.echo(json.dumps({"dry_run": True, "jobs": jobs, **found}))
