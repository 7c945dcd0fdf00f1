"""Trained networks as methods on the pairs of a run: while it ends, or years later."""

from medgan.errors import DataError, RecipeError
from medgan.evaluation.costs import cost_of, countable_macs
from medgan.evaluation.loading import load_network
from medgan.evaluation.methods import ComputedMethod, classical_methods
from medgan.evaluation.study import Study
from medgan.experiment import load_data, load_labels
from medgan.networks import compiled
from medgan.recipe.reading import reread_recipe
from medgan.run import NETWORK_FILES

# A teacher's feature maps take some hundred times the memory of an image.
NETWORK_BATCH = 4


def pairs_study(pairs, labels=None, patients_known=True):
    """Pairs in memory as a study.

    Args:
        pairs: `medgan.data.Pairs`.
        labels: name of a pair to its label map, for phantoms; or None.
        patients_known: False counts every image alike.

    Returns:
        `Study`.
    """
    return Study(
        pairs.names,
        pairs.patients if patients_known else None,
        pairs.image,
        pairs.modalities,
        labels=None if labels is None else lambda index: labels[pairs.names[index]],
    )


def run_study(run, patients):
    """The validation pairs of a run.

    Args:
        run: a `RunFolder`.
        patients: `Patients`; a run knows its patients itself.

    Returns:
        `Study`.

    Raises:
        RecipeError: if the recipe of the run cannot be read, or a pattern was given.
        DataError: if its data are gone, or a patient that is wanted has no validation pair.
    """
    if patients.asked:
        raise RecipeError("Received --patient for a run, which knows its patients. Leave it out.")
    recipe = reread_recipe(run.path)
    every, split = load_data(recipe)
    pairs = split.validation
    if not len(pairs):
        raise DataError(f"{run.path}: received a run without validation pairs, expected some.")
    if patients.wanted:
        pairs = pairs.of_patients(patients.wanted)
    return pairs_study(pairs, load_labels(recipe, every), patients.known)


def run_networks(run):
    """The trained networks of a run by name.

    Raises:
        RecipeError: if there is no network, or one cannot be loaded.
    """
    paths = [run.path / f"{name}.keras" for name in NETWORK_FILES]
    paths = [path for path in paths if path.exists()]
    if not paths:
        raise RecipeError(
            f"{run.path} holds no network yet, expected {NETWORK_FILES[0]}.keras or others. Train "
            "to the end of a stage first."
        )
    expected = "a network that medgan saved"
    return {path.stem: load_network(path, path, expected) for path in paths}


def costed_methods(networks, study, classical=(), baselines=True):
    """Classical methods and networks with what they cost on the first image of a study.

    Args:
        networks: name to Keras network.
        study: the `Study`.
        classical: names of classical methods, see `classical_methods`.
        baselines: whether average, maximum and Laplacian pyramid are there unasked.

    Returns:
        List of `ComputedMethod`, the networks last.

    Raises:
        RecipeError: if there is no such classical method.
    """
    image = study.read(0)
    methods = classical_methods(classical, baselines)
    for method in methods:
        macs = 0 if method.name in ("average", "maximum") else None
        method.cost = cost_of(method.function, image, 0, macs)
    for name, network in networks.items():
        function = compiled(network)
        macs = countable_macs(network, image.shape[:2])
        cost = cost_of(function, image, network.count_params(), macs)
        methods.append(ComputedMethod(name, function, NETWORK_BATCH, cost))
    return methods
