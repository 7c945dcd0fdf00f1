"""`medgan-train`: from a recipe to a teacher, a distilled student and a table of their worth."""

import json
import pathlib

import click

from medgan.tools.console import (
    INTERRUPTED,
    fail,
    native_messages_hidden,
    one_line_errors,
    quiet_tensorflow,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe")
@click.option("--output", metavar="DIR", help="Run folder; default runs/<recipe>/<date-time>.")
@click.option(
    "--set",
    "assignments",
    metavar="TABLE.KEY=VALUE",
    multiple=True,
    help="Change a key of the recipe; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, take one batch per stage, stop.")
@click.option(
    "--json", "as_json", is_flag=True, help="End with one JSON object on standard output."
)
@click.option("--quiet", is_flag=True, help="No progress; the table still comes.")
@click.version_option(package_name="medgan")
def main(recipe, output, assignments, dry_run, as_json, quiet):
    r"""Train a teacher GAN and distil it into a student.

    RECIPE is the path of a TOML file or the bare name of an installed recipe, such as kgan. Three
    stages: the teacher, the student with distillation, and the same student without it for as many
    steps. The end is a table on patients that no training saw.

    Exit codes: 0 done, 1 failed, 2 usage or recipe, 3 data, 4 diverged, 130 interrupted.

    \b
    medgan-train recipes/kgan.toml
    medgan-train kgan --set data.type=paired_folders --set data.root=DIR
    """
    with one_line_errors():
        from medgan.recipe.reading import read_recipe

        settled = read_recipe(recipe, assignments)
        quiet_tensorflow()
        with native_messages_hidden():
            import tensorflow  # noqa: F401  its start-up messages are nobody's business
        if dry_run:
            _dry_run(settled, as_json, quiet)
        else:
            _train(settled, output, as_json, quiet)


def _describe(experiment, console):
    split = experiment.split.to_dict()
    for side, value in split.items():
        if value["names"]:
            patients = f"{len(value['patients'])} patients"
            console.print(f"{side}: {len(value['names'])} pairs of {patients}", highlight=False)


def _dry_run(recipe, as_json, quiet):
    from medgan.evaluation.costs import countable_macs, short
    from medgan.experiment import STAGES, Experiment
    from medgan.tools.progress import console as make_console

    console = make_console(quiet)
    experiment = Experiment(recipe)
    experiment.check()
    _describe(experiment, console)
    size = experiment.pairs.sizes()[0]
    stages, total = {}, 0.0
    for name in STAGES:
        stage = experiment.stage(name)
        seconds = experiment.try_batch(stage)
        total += seconds * stage.steps
        stages[name] = {
            "parameters": stage.network.count_params(),
            "macs": countable_macs(stage.network, size),
            "steps": stage.steps,
            "seconds_per_step": round(seconds, 4),
        }
        console.print(
            f"{name}: {stages[name]['parameters']:,} parameters, "
            f"{short(stages[name]['macs'])} MACs at {size[0]}x{size[1]}, "
            f"{stage.steps} steps of {seconds:.2f} s",
            highlight=False,
        )
    console.print(f"about {total / 60:.0f} minutes of training, validation not counted")
    if as_json:
        click.echo(json.dumps({"dry_run": True, "stages": stages, "seconds": round(total, 1)}))


def _train(recipe, output, as_json, quiet):
    from medgan.experiment import STAGES, Experiment
    from medgan.run import RunFolder
    from medgan.tools.progress import StageProgress
    from medgan.tools.progress import console as make_console

    console = make_console(quiet)
    experiment = Experiment(recipe)
    experiment.check()
    run = RunFolder.create(recipe.name, output)
    _write_beginnings(recipe, experiment, run)
    console.print(f"run folder: {run.path}", highlight=False)
    _describe(experiment, console)
    for name in STAGES:
        stage = experiment.stage(name)
        progress = StageProgress(name, stage.steps, console, experiment.rivals)
        try:
            experiment.train(stage, run, [progress])
        except KeyboardInterrupt:
            kept = run.path / "checkpoints" / f"{name}.keras"
            saved = f"checkpoint of stage {name} saved: {kept}" if kept.exists() else "none saved"
            fail(f"Interrupted; {saved}.", INTERRUPTED)
        finally:
            progress.close()
    # The table is the result, not progress: --quiet keeps it, --json says it otherwise.
    evaluations = _finish(recipe, experiment, run, quiet, show=not (quiet and as_json))
    if as_json:
        printed = {"run": str(run.path), "scores": evaluations["validation"].scores()}
        if "test" in evaluations:
            printed["test_scores"] = evaluations["test"].scores()
        click.echo(json.dumps(printed))


def _write_beginnings(recipe, experiment, run):
    from medgan.run import environment, write_atomically, write_json

    overrides = dict(recipe.overrides)
    if recipe["data"].get("root"):
        # The run must find its data again from wherever it is exported.
        overrides["data.root"] = str(pathlib.Path(recipe["data"]["root"]).expanduser().resolve())
    write_atomically(run.path / "recipe.toml", recipe.text)
    write_json(run.path / "overrides.json", overrides)
    write_json(run.path / "environment.json", environment())
    write_json(run.path / "split.json", experiment.split.to_dict())


def _finish(recipe, experiment, run, quiet, show):
    """Scores everything, draws everything, writes it all; returns the evaluations by side."""
    from medgan import run_report
    from medgan.evaluation import Problems, evaluate_study
    from medgan.evaluation.runs import costed_methods, pairs_study
    from medgan.run import write_json
    from medgan.tools.score_table import ImageProgress, print_evaluation

    run_report.write_metrics_csv(run)
    run_report.write_figures(run, experiment)
    evaluations = {}
    for side, ending in (("validation", ""), ("test", "_test")):
        pairs = getattr(experiment.split, side)
        if not len(pairs):
            continue
        study = pairs_study(pairs, experiment.labels)
        methods = costed_methods(experiment.networks, study)
        with ImageProgress(len(study), len(methods), quiet) as progress:
            title = f"{recipe.name}, {side} patients, whom no training saw"
            evaluation = evaluate_study(
                study, methods, Problems(), progress.done, title=title, baseline="maximum"
            )
        payload = evaluation.to_dict()
        write_json(run.path / f"scores{ending}.json", payload)
        evaluation.write_csv(run.path / f"scores{ending}.csv")
        page = f"report{ending}.html"
        run_report.write_page(run, page, evaluation, payload, study, methods)
        if show:
            print_evaluation(evaluation, payload, [run.path / page], to_standard_error=True)
        evaluations[side] = evaluation
    run_report.write_model_card(run, recipe, experiment, evaluations)
    return evaluations
