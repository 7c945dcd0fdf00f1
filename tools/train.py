"""`medgan-train`: from a recipe to trained networks and a table of their worth."""

import contextlib
import json
import pathlib
import shutil
import tempfile

import click

from medgan.tools.console import (
    INTERRUPTED,
    fail,
    native_messages_hidden,
    one_line_errors,
    quiet_tensorflow,
)

LATEST = "latest unfinished run"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe", required=False)
@click.option("--output", metavar="DIR", help="Run folder; default runs/<recipe>/<date-time>.")
@click.option(
    "--set",
    "assignments",
    metavar="TABLE.KEY=VALUE",
    multiple=True,
    help="Change a key of the recipe; repeatable.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=LATEST,
    metavar="[RUN]",
    help="Go on with a run folder; without RUN with the latest unfinished run.",
)
@click.option(
    "--workers",
    metavar="HOST:PORT,...",
    help="Train on several machines: the same list on each, the first one writes.",
)
@click.option("--worker-index", type=int, metavar="N", help="Which of --workers this is, from 0.")
@click.option("--dry-run", is_flag=True, help="Check everything, take one batch per stage, stop.")
@click.option(
    "--json", "as_json", is_flag=True, help="End with one JSON object on standard output."
)
@click.option("--quiet", is_flag=True, help="No progress; the table still comes.")
@click.version_option(package_name="medgan")
def main(recipe, output, assignments, resume, workers, worker_index, dry_run, as_json, quiet):
    """Train a GAN, or a teacher GAN that is distilled into a student.

    RECIPE is the path of a TOML file or the bare name of an installed recipe, such as kgan or
    pix2pix. A recipe with [trainer] is one training; one with [teacher] and [distillation] has
    three: the teacher, the student with distillation, and the same student without it for as many
    steps. The end is a table on patients that no training saw.

    A run that was cut off goes on with --resume as if it had not been. RECIPE and --set may be left
    out then; given, they must be those of the run.

    Exit codes: 0 done, 1 failed, 2 usage or recipe, 3 data, 4 diverged, 130 interrupted.

    \b
    medgan-train recipes/kgan.toml
    medgan-train kgan --set data.type=paired_folders --set data.root=DIR
    medgan-train pix2pix
    medgan-train --resume
    """  # noqa: D301 click reads the \\b
    with one_line_errors():
        if workers is not None or worker_index is not None:
            from medgan.devices import announce_workers

            announce_workers(workers, worker_index)
        settled, run = _what_to_train(recipe, resume, output, assignments)
        quiet_tensorflow()
        with native_messages_hidden():
            import tensorflow  # noqa: F401  its start-up messages are nobody's business
        from medgan.devices import deterministic, keep_order

        if settled["training"].get("deterministic", False):
            deterministic()
        else:
            keep_order()
        if dry_run:
            _dry_run(settled, as_json, quiet)
        else:
            _train(settled, run, output, as_json, quiet)


def _what_to_train(recipe, resume, output, assignments):
    """Returns the recipe and the run folder to go on with, None for a new one."""
    from medgan.errors import RecipeError
    from medgan.recipe.reading import find_recipe, read_recipe, reread_recipe
    from medgan.run import RunFolder

    if resume is None:
        if recipe is None:
            raise RecipeError(
                "Received neither a recipe nor --resume, expected one: medgan-train kgan."
            )
        return read_recipe(recipe, assignments), None
    if output is not None:
        raise RecipeError(
            f"Received --output {output} with --resume, which writes into the run's own folder. "
            "Leave it out, or name the run: --resume DIR."
        )
    if recipe is None and resume != LATEST and not pathlib.Path(resume).is_dir():
        try:
            find_recipe(resume)  # medgan-train --resume RECIPE
        except RecipeError as error:
            raise RecipeError(f"There is no run folder {resume}, expected one.") from error
        recipe, resume = resume, LATEST
    settled = None if recipe is None else read_recipe(recipe, assignments)
    if resume != LATEST:
        run = RunFolder.open(resume)
    elif settled is None:
        run = RunFolder.unfinished()
    else:
        run = RunFolder.unfinished(settled.name)
    return settled or reread_recipe(run.path, assignments), run


def _describe(experiment, console):
    split = experiment.split.to_dict()
    for side, value in split.items():
        if value["names"]:
            count = len(value["patients"])
            patients = f"{count} patient{'s' if count > 1 else ''}"
            console.print(f"{side}: {len(value['names'])} pairs of {patients}", highlight=False)


def _dry_run(recipe, as_json, quiet):
    from medgan.evaluation.costs import countable_macs, short
    from medgan.experiment import Experiment
    from medgan.tools.progress import console as make_console

    console = make_console(quiet)
    experiment = Experiment(recipe)
    experiment.check()
    _describe(experiment, console)
    size = experiment.pairs.sizes()[0]
    stages, total = {}, 0.0
    for name in experiment.stages:
        stage = experiment.stage(name)
        seconds = experiment.try_batch(stage)
        total += seconds * stage.steps
        stages[name] = {
            "parameters": stage.network.count_params(),
            "macs": countable_macs(stage.network, size if _takes_images(stage.network) else ()),
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


def _takes_images(network):
    """Whether a network takes images, and no noise."""
    return len(network.input_shape) == 4


def _train(recipe, run, output, as_json, quiet):
    from medgan.experiment import Experiment
    from medgan.resume import check_fingerprint, digest
    from medgan.tools.progress import console as make_console

    if run is not None and run.finished:
        make_console(quiet).print(f"{run.path} is finished: nothing to resume", highlight=False)
        if as_json:
            click.echo(json.dumps({**run.result(), "run": str(run.path)}))
        return
    experiment = Experiment(recipe)
    if run is not None:
        check_fingerprint(run, experiment.fingerprint)
        experiment.devices.agree(checkpoints=digest(_steps(run, experiment.stages)))
    experiment.check()
    with _folder(recipe, experiment, run, output) as folder:
        chief = experiment.devices.is_chief
        console = make_console(quiet or not chief)
        console.print(f"run folder: {folder.path}", highlight=False)
        _describe(experiment, console)
        with experiment.devices.held():
            _train_stages(experiment, folder, console)
            if not chief:
                return
            # The table is the result, not progress: --quiet keeps it, --json says it otherwise.
            evaluations = _finish(recipe, experiment, folder, quiet, not (quiet and as_json))
        result = {"run": str(folder.path), "scores": evaluations["validation"].scores()}
        if "test" in evaluations:
            result["test_scores"] = evaluations["test"].scores()
        folder.finish(result)
        if as_json:
            click.echo(json.dumps(result))


def _train_stages(experiment, run, console):
    from medgan.errors import DivergedError
    from medgan.tools.progress import StageProgress
    from medgan.training import StageTraining, save_networks

    save_networks(experiment.given, run)
    for name in experiment.stages:
        stage = experiment.stage(name)
        progress = StageProgress(name, stage.steps, console, experiment.rivals)
        training = StageTraining(experiment, stage, run, [progress])
        named = run.path if experiment.devices.is_chief else "DIR, the chief's run folder"
        again = f"medgan-train --resume {named}"
        try:
            training.train()
        except KeyboardInterrupt:
            step = training.checkpoint.saved_step
            fail(
                f"Interrupted; stage {name} is saved at step {step}. Go on with: {again}",
                INTERRUPTED,
            )
        except DivergedError as error:
            lower = (
                f" Or go on from there with lower rates: {again} --set divergence.policy=rollback"
            )
            tried = experiment.recipe.tables.get("divergence", {}).get("policy") == "rollback"
            raise DivergedError(f"{error}{'' if tried else lower}") from error
        finally:
            progress.close()


@contextlib.contextmanager
def _folder(recipe, experiment, run, output):
    """The run folder, ready to train into; workers other than the chief get a passing one."""
    from medgan.errors import MedganError
    from medgan.run import RunFolder

    if experiment.devices.is_chief:
        folder = RunFolder.create(recipe.name, output) if run is None else run
        with folder.locked():
            if run is None:
                _write_beginnings(recipe, experiment, folder)
            else:
                _write_recipe(recipe, folder)
                _add_environment(experiment, folder)
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="medgan-worker-") as scratch:
        if run is not None:  # the chief changes none of these before all workers train
            shutil.copytree(run.path / "checkpoints", pathlib.Path(scratch, "checkpoints"))
            for log in run.path.glob("*.jsonl"):
                shutil.copy(log, scratch)
        try:
            yield RunFolder(scratch)
        except MedganError as error:
            raise type(error)(str(error).replace(scratch, "the chief's run folder")) from error


def _steps(run, stages):
    """What every stage's newest checkpoint holds, for the workers to compare."""
    from medgan.callbacks import Checkpoint

    notes = {name: Checkpoint(run.path / "checkpoints" / name).newest() for name in stages}
    return {name: found and found["step"] for name, found in notes.items()}


def _write_beginnings(recipe, experiment, run):
    from medgan.resume import write_fingerprint
    from medgan.run import write_json

    _write_recipe(recipe, run)
    write_json(run.path / "environment.json", _environment(experiment))
    split = {**experiment.split.to_dict(), **experiment.task.division()}
    write_json(run.path / "split.json", split)
    write_fingerprint(run, experiment.fingerprint)  # last: from here on the run can be resumed


def _write_recipe(recipe, run):
    from medgan.run import write_atomically, write_json

    overrides = dict(recipe.overrides)
    if recipe["data"].get("root"):
        # The run must find its data again from wherever it is exported.
        overrides["data.root"] = _absolute(recipe["data"]["root"])
    for name, table in recipe["networks"].items():
        if "path" in table:
            overrides[f"networks.{name}.path"] = _absolute(table["path"])
    write_atomically(run.path / "recipe.toml", recipe.text)
    write_json(run.path / "overrides.json", overrides)


def _absolute(path):
    return str(pathlib.Path(path).expanduser().resolve())


def _add_environment(experiment, run):
    """Adds to `environment.json` where the run goes on."""
    from medgan.run import write_json

    path = run.path / "environment.json"
    first = json.loads(path.read_text(encoding="utf-8"))
    first.setdefault("resumed", []).append(_environment(experiment))
    write_json(path, first)


def _environment(experiment):
    from medgan.run import environment

    return {
        **environment(),
        "precision": experiment.precision,
        "deterministic": experiment.training.get("deterministic", False),
        **experiment.devices.to_dict(),
    }


def _finish(recipe, experiment, run, quiet, show):
    """Scores everything, draws everything, writes it all; returns the evaluations by side."""
    from medgan import run_report
    from medgan.evaluation import Problems
    from medgan.networks import full_precision
    from medgan.run import write_json
    from medgan.tools.score_table import ImageProgress, print_evaluation

    run_report.write_metrics_csv(run)
    run_report.write_figures(run, experiment)
    networks = {name: full_precision(net) for name, net in experiment.networks.items()}
    evaluations = {}
    for side, ending in (("validation", ""), ("test", "_test")):
        pairs = getattr(experiment.split, side)
        if not len(pairs):
            continue
        scoring = experiment.task.scoring(networks, pairs)
        with ImageProgress(scoring.count, len(scoring.names), quiet) as progress:
            title = f"{recipe.name}, {side} patients, whom no training saw"
            baseline = experiment.task.baseline
            evaluation = scoring.evaluate(Problems(), progress.done, title=title, baseline=baseline)
        payload = evaluation.to_dict()
        write_json(run.path / f"scores{ending}.json", payload)
        evaluation.write_csv(run.path / f"scores{ending}.csv")
        page = f"report{ending}.html"
        run_report.write_page(run, page, evaluation, payload, scoring)
        if show:
            print_evaluation(evaluation, payload, [run.path / page], to_standard_error=True)
        evaluations[side] = evaluation
    run_report.write_model_card(run, recipe, experiment, evaluations)
    return evaluations
