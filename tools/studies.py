"""What `medgan-evaluate` scores, from its options.

Every function but `synthesis` takes the options, `Patients` and `Problems`, and returns a
`StudyScoring` or, for a run of synthesis, a `SetScoring`: methods that are about to be scored.
"""

import pathlib

from medgan.errors import DataError, RecipeError
from medgan.evaluation import FolderMethod, ImageFolder, folder_study
from medgan.evaluation.methods import classical_methods
from medgan.evaluation.runs import StudyScoring
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
    return StudyScoring(study, [*classical, *own], "fusion", own[0].name if own else None)


def translation(asked, patients, problems):
    """A folder of targets, folders of translations."""
    if "target" in asked.output:
        raise RecipeError("The name target is taken, expected another for --output target=")
    study = folder_study([ImageFolder("target", asked.target)], patients, problems)
    own = [FolderMethod(name, ImageFolder(name, path)) for name, path in asked.output.items()]
    return StudyScoring(study, own, "translation", own[0].name)


def synthesis(asked):
    """The folder of real images, and those of generated ones.

    Sets pair nothing, so these are `ImageFolder`s: `(real, generated)`.
    """
    if "real" in asked.generated:
        raise RecipeError("The name real is taken, expected another for --generated real=")
    generated = [ImageFolder(name, path) for name, path in asked.generated.items()]
    return ImageFolder("real", asked.real), generated


def run(asked, patients, problems):
    """The networks of a run on its validation pairs, beside the baselines of its task.

    Raises:
        RecipeError: if the recipe of the run cannot be read, or a pattern was given.
        DataError: if its data are gone, or a patient that is wanted has no validation pair.
    """
    from medgan.evaluation.runs import run_networks
    from medgan.recipe.reading import reread_recipe
    from medgan.recipe_data import RecipeData
    from medgan.run import RunFolder
    from medgan.tasks import choose

    if patients.asked:
        raise RecipeError("Received --patient for a run, which knows its patients. Leave it out.")
    run = RunFolder.open(None if asked.run == "latest" else asked.run)
    asked.run = run
    recipe = reread_recipe(run.path)
    task = choose(recipe, RecipeData(recipe))
    pairs = task.split.validation
    if not len(pairs):
        raise DataError(f"{run.path}: received a run without validation pairs, expected some.")
    if patients.wanted:
        pairs = pairs.of_patients(patients.wanted)
    with native_messages_hidden():
        networks = run_networks(run, ["teacher", *recipe.stages])
        return task.scoring(
            networks, pairs, asked.classical, not asked.no_baselines, patients.known
        )
