"""`medgan-evaluate`: anybody's results side by side, scored, compared, on one page."""

import json
import pathlib
import shlex
import types

import click

from medgan.tools.console import native_messages_hidden, one_line_errors, quiet_tensorflow

BASELINES = ("maximum", "source", "training images")
PAGE_FILES = ("report.html", "scores.csv", "scores.json")


class _Command(click.Command):
    """Keeps its arguments, which the report repeats."""

    def parse_args(self, ctx, args):
        ctx.meta["medgan.command"] = shlex.join(["medgan-evaluate", *args])
        return super().parse_args(ctx, args)


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--first", metavar="DIR", help="Sources of the first modality, such as CT.")
@click.option("--second", metavar="DIR", help="Sources of the second modality, such as MRI.")
@click.option("--fused", metavar="NAME=DIR", multiple=True, help="Fused images; repeatable.")
@click.option("--target", metavar="DIR", help="Images that a translation should reach.")
@click.option("--output", metavar="NAME=DIR", multiple=True, help="Translations; repeatable.")
@click.option("--real", metavar="DIR", help="Images that generated ones should resemble.")
@click.option("--generated", metavar="NAME=DIR", multiple=True, help="A set of them; repeatable.")
@click.option(
    "--encoder", metavar="FILE", help="A .keras encoder of images, or InceptionV3's .h5 weights."
)
@click.option("--run", metavar="DIR", help="A run folder of medgan-train, or latest.")
@click.option(
    "--classical",
    metavar="NAME",
    multiple=True,
    help="Fusion without learning by name, or all; repeatable, or with commas.",
)
@click.option("--no-baselines", is_flag=True, help="No average, maximum, laplacian unasked.")
@click.option("--csv", metavar="FILE", help="Write one row for each method and image.")
@click.option("--json", metavar="FILE", help="Write everything; - is standard output.")
@click.option("--report", metavar="DIR", help="Write report.html, scores.csv, scores.json there.")
@click.option(
    "--pictures",
    metavar="N",
    type=click.IntRange(0, 200),
    default=12,
    show_default=True,
    help="Pairs that the report shows.",
)
@click.option("--baseline", metavar="NAME", help="The method that others are compared with.")
@click.option("--patients", metavar="A,B", help="Score the images of these patients alone.")
@click.option("--patient", metavar="REGEX", help=r"Patient in a name; default '(\d+)\d{3}$'.")
@click.option("--no-patients", is_flag=True, help="Count every image alike.")
@click.option("--strict", is_flag=True, help="The first image that cannot be used is an error.")
@click.option("--quiet", is_flag=True, help="No progress; the table still comes.")
@click.version_option(package_name="medgan")
@click.pass_context
def main(context, **options):
    """Score methods on the same images and compare them.

    Four things can be scored: folders of fused images beside both folders of their sources,
    folders of translations beside the folder of their targets, a run of medgan-train on its
    validation pairs, and sets of generated images beside a set of real ones. Files pair by name;
    extensions may differ. PNG, TIFF and JPEG of 8 or 16 bits are divided by their full scale,
    float TIFF must be in [0, 1], colour becomes luminance.

    An image that cannot be used is left out with a line that says why, and nothing else is lost.
    Means are by patient, over the images that every method has.

    Exit codes: 0 done, 1 failed, 2 usage, 3 data, 130 interrupted.

    \b
    medgan-evaluate --first CT --second MRI --fused mine=results --report page
    medgan-evaluate --first CT --second MRI --classical all --patients 33,37
    medgan-evaluate --target CT --output mine=results --csv scores.csv
    medgan-evaluate --run latest --report page
    medgan-evaluate --real MRI --generated mine=results --json -
    """  # noqa: D301 click reads the \\b
    with one_line_errors():
        asked = types.SimpleNamespace(**options, command=context.meta["medgan.command"])
        asked.task = _task(asked)
        asked.fused = _named_folders("--fused", asked.fused)
        asked.output = _named_folders("--output", asked.output)
        asked.generated = _named_folders("--generated", asked.generated)
        asked.classical = _listed(asked.classical)
        asked.patients = _listed([asked.patients]) if asked.patients is not None else None
        _check_writable(asked)
        quiet_tensorflow()
        with native_messages_hidden():
            import tensorflow  # noqa: F401  its start-up messages are nobody's business
        if asked.task == "synthesis":
            _evaluate_sets(asked)
        else:
            _evaluate(asked)


def _task(asked):
    """`"fusion"`, `"translation"`, `"synthesis"` or `"run"`; checks what goes together."""
    from medgan.errors import RecipeError

    groups = {
        "fusion": {"--first": asked.first, "--second": asked.second, "--fused": asked.fused},
        "translation": {"--target": asked.target, "--output": asked.output},
        "synthesis": {"--real": asked.real, "--generated": asked.generated},
        "run": {"--run": asked.run},
    }
    given = {
        task: [name for name, value in group.items() if value] for task, group in groups.items()
    }
    tasks = [task for task, names in given.items() if names]
    if not tasks:
        raise RecipeError(
            "There is nothing to evaluate. Give --first DIR --second DIR --fused NAME=DIR, "
            "--target DIR --output NAME=DIR, --real DIR --generated NAME=DIR, or --run DIR."
        )
    if len(tasks) > 1:
        raise RecipeError(
            f"Received {given[tasks[0]][0]} beside {given[tasks[1]][0]}, expected one of the two: "
            "each is an evaluation of its own."
        )
    task = tasks[0]
    optional = {"--fused"}  # sources alone are enough for the classical methods
    missing = [name for name in groups[task] if name not in {*given[task], *optional}]
    if missing:
        raise RecipeError(f"Received {given[task][0]} without {missing[0]}, expected both.")
    of_fusion = {"--classical": asked.classical, "--no-baselines": asked.no_baselines}
    of_patients = {
        "--patient": asked.patient,
        "--patients": asked.patients,
        "--no-patients": asked.no_patients,
    }
    foreign = {
        "fusion": {"--encoder": asked.encoder},
        "run": {"--encoder": asked.encoder},
        "translation": {"--encoder": asked.encoder, **of_fusion},
        "synthesis": {**of_fusion, **of_patients},
    }
    for name, value in foreign[task].items():
        if value:
            raise RecipeError(f"Received {name} beside {given[task][0]}, expected it elsewhere.")
    if task == "fusion" and asked.no_baselines and not (asked.fused or asked.classical):
        raise RecipeError("There is no method left. Give --fused, --classical, or the baselines.")
    return task


def _named_folders(option, texts):
    """Name to folder of every `NAME=DIR`."""
    from medgan.errors import RecipeError

    folders = {}
    for text in texts:
        name, equals, folder = (part.strip() for part in text.partition("="))
        if not (name and equals and folder):
            raise RecipeError(f"Received {option} {text!r}, expected NAME=DIR, such as mine=DIR.")
        if name in folders:
            raise RecipeError(f"Received {option} {name}= twice, expected different names.")
        folders[name] = folder
    return folders


def _listed(texts):
    """Words that commas separate, each once."""
    words = [word.strip() for text in texts for word in text.split(",")]
    return list(dict.fromkeys(word for word in words if word))


def _check_writable(asked):
    """Fails before minutes of scoring where a file could not be written after them.

    Raises:
        RecipeError: if a folder is where a file should be, or two files are one.
        MedganError: if a folder cannot be written.
    """
    from medgan.errors import MedganError, RecipeError

    if asked.csv == "-":
        raise RecipeError("Received --csv -, expected a file. Only --json writes to - as well.")
    named = {"--csv": asked.csv, "--json": asked.json if asked.json != "-" else None}
    files = [(option, pathlib.Path(path)) for option, path in named.items() if path]
    if asked.report:
        files += [("--report", pathlib.Path(asked.report, name)) for name in PAGE_FILES]
    taken = {}
    for option, path in files:
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise RecipeError(f"{option} and {other} both write {path}, expected different files.")
    for _, path in files:
        if path.is_dir() or path.resolve() in [parent for p in taken for parent in p.parents]:
            raise RecipeError(f"{path} is a folder, expected the path of a file.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            probe = path.with_name(f".{path.name}.probe")
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise MedganError(
                f"Cannot write {path}: {error.strerror or error}. Choose another place."
            ) from error


def _evaluate(asked):
    """Reads, scores, writes and prints."""
    from medgan.evaluation import Patients, Problems
    from medgan.report.formatting import counted
    from medgan.tools import studies
    from medgan.tools.score_table import ImageProgress

    patients = Patients(asked.patient, not asked.no_patients, asked.patients)
    problems = Problems(asked.strict)
    gather = {"fusion": studies.fusion, "translation": studies.translation, "run": studies.run}
    scoring = gather[asked.task](asked, patients, problems)
    about = {
        "title": f"{counted(len(scoring.names), 'method')} {scoring.title}",
        "baseline": _baseline(asked.baseline, scoring.names),
        "command": asked.command,
    }
    with ImageProgress(scoring.count, len(scoring.names), asked.quiet) as progress:
        evaluation = scoring.evaluate(problems, progress.done, **about)
    _finish(asked, evaluation, lambda: scoring.pictures(evaluation, asked.pictures))


def _evaluate_sets(asked):
    """The same for sets of generated images."""
    from medgan.evaluation import Evaluation, Problems
    from medgan.evaluation.synthesis import load_encoder, score_sets
    from medgan.report.formatting import counted
    from medgan.tools import studies
    from medgan.tools.score_table import ImageProgress

    baseline = _baseline(asked.baseline, list(asked.generated))
    problems = Problems(asked.strict)
    real, generated = studies.synthesis(asked)
    with native_messages_hidden():
        encoder, about = load_encoder(asked.encoder)
    count = sum(len(folder.files) for folder in (real, *generated))
    with ImageProgress(count, len(generated), asked.quiet) as progress:
        scores, sizes, notes = score_sets(real, generated, encoder, problems, progress.advance)
    fewest, most = min(sizes[1:]), max(sizes[1:])
    title = (
        f"{counted(len(generated), 'set')} of {f'{fewest} to ' if fewest < most else ''}{most} "
        f"images against {sizes[0]} of {real.path.resolve().name}"
    )
    evaluation = Evaluation(
        "synthesis",
        [],
        title=title,
        baseline=baseline,
        command=asked.command,
    )
    for name, own in scores.items():
        evaluation.add_set(name, own)
    evaluation.notes += [about, *notes]
    evaluation.problems += problems.lines
    _finish(asked, evaluation, list)


def _finish(asked, evaluation, pictures):
    """Writes and prints; `pictures` is called for those of the report."""
    from medgan.tools.score_table import print_evaluation

    payload = evaluation.to_dict()
    written = _write(asked, evaluation, payload, pictures)
    print_evaluation(evaluation, payload, written, to_standard_error=asked.json == "-")
    if asked.json == "-":
        click.echo(json.dumps(payload, allow_nan=False))


def _baseline(asked, names):
    """The method that others are compared with: the one asked for, else a known baseline."""
    from medgan.errors import RecipeError

    if asked is not None and asked not in names:
        raise RecipeError(f"Received --baseline {asked!r}, expected one of {', '.join(names)}.")
    return asked or next((name for name in BASELINES if name in names), None)


def _write(asked, evaluation, payload, pictures):
    """Writes what was asked for; returns the paths."""
    from medgan.run import write_json

    csvs, jsons, page = [asked.csv], [asked.json], None
    if asked.report:
        folder = pathlib.Path(asked.report)
        csvs, jsons = [*csvs, folder / "scores.csv"], [*jsons, folder / "scores.json"]
        page = folder / "report.html"
    csvs, jsons = ([path for path in some if path and path != "-"] for some in (csvs, jsons))
    for path in csvs:
        evaluation.write_csv(path)
    for path in jsons:
        write_json(path, payload)
    if page is not None:
        from medgan.report import write_report

        training = {}
        if asked.task == "run":
            from medgan.run_report import read_health, read_losses

            training = {"losses": read_losses(asked.run), "health": read_health(asked.run)}
        write_report(page, payload, pictures(), **training)
    return [*csvs, *jsons, *([page] if page else [])]
