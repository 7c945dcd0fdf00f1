"""What `medgan-evaluate` scores: a study and methods, from its options.

Every function but `synthesis` takes the options, `Patients` and `Problems`, and returns
`(study, methods, own)`: a `Study`, a list of methods in the order of the table, and the name of the
first method of one's own, or None.
"""

import pathlib

from medgan.errors import RecipeError
from medgan.evaluation import FolderMethod, ImageFolder, folder_study
from medgan.evaluation.methods import classical_methods
from medgan.tools.console import native_messages_hidden


def fusion(asked, patients, problems):
    """Two folders of sources, folders of fused images, classical methods."""
    paths = [pathlib.Path(asked.first).expanduser(), pathlib.Path(asked.second).expanduser()]
    if paths[0].resolve() == paths[1].resolve():
        raise RecipeError(f"Received {asked.first} as --first and --second, expected two folders.")
    titles = [path.resolve().name for path in paths]
    if titles[0] == titles[1] or not all(titles):
        titles = ["first", "second"]
    taken = [name for name in asked.fused if name in (*titles, *asked.classical)]
    if taken:
        raise RecipeError(f"The name {taken[0]} is taken, expected another for --fused {taken[0]}=")
    classical = classical_methods(asked.classical, not asked.no_baselines)
    study = folder_study(
        [ImageFolder(*named) for named in zip(titles, paths, strict=True)], patients, problems
    )
    own = [FolderMethod(name, ImageFolder(name, path)) for name, path in asked.fused.items()]
    for method in own:
        if method.name in [rule.name for rule in classical]:
            study.notes.append(
                f"{method.name}: the images in {method.folder.path} stand in for the built-in "
                "method of this name."
            )
    classical = [method for method in classical if method.name not in asked.fused]
    return study, [*classical, *own], own[0].name if own else None


def translation(asked, patients, problems):
    """A folder of targets, folders of translations."""
    if "target" in asked.output:
        raise RecipeError("The name target is taken, expected another for --output target=")
    study = folder_study([ImageFolder("target", asked.target)], patients, problems)
    own = [FolderMethod(name, ImageFolder(name, path)) for name, path in asked.output.items()]
    return study, own, own[0].name


def synthesis(asked):
    """The folder of real images, and those of generated ones.

    Sets pair nothing, so these are `ImageFolder`s: `(real, generated)`.
    """
    if "real" in asked.generated:
        raise RecipeError("The name real is taken, expected another for --generated real=")
    generated = [ImageFolder(name, path) for name, path in asked.generated.items()]
    return ImageFolder("real", asked.real), generated


def run(asked, patients, problems):
    """The validation pairs of a run, its networks, classical methods, all with their costs."""
    from medgan.evaluation.runs import costed_methods, run_networks, run_study
    from medgan.run import RunFolder

    run = RunFolder.open(None if asked.run == "latest" else asked.run)
    asked.run = run
    study = run_study(run, patients)
    with native_messages_hidden():
        networks = run_networks(run)
        methods = costed_methods(networks, study, asked.classical, not asked.no_baselines)
    return study, methods, "student" if "student" in networks else next(iter(networks))
