"""Trained networks as methods on the pairs of a run: while it ends, or years later."""

from medgan.errors import RecipeError
from medgan.evaluation.costs import cost_of, countable_macs
from medgan.evaluation.loading import load_network
from medgan.evaluation.methods import ComputedMethod, classical_methods
from medgan.evaluation.pictures import chosen, make_pictures
from medgan.evaluation.scoring import evaluate_study
from medgan.evaluation.study import Study
from medgan.networks import compiled

# A teacher's feature maps take some hundred times the memory of an image.
NETWORK_BATCH = 4


class StudyScoring:
    """Methods that are about to be scored image by image.

    Args:
        study: the `Study`.
        methods: `FolderMethod`s and `ComputedMethod`s.
        task: `"fusion"` or `"translation"`.
        own: the method whose worst images a page shows, or None.
    """

    def __init__(self, study, methods, task="fusion", own=None):
        self.study = study
        self.methods = methods
        self.task = task
        self.own = own
        self.count = len(study)
        self.names = [method.name for method in methods]
        self.title = f"on {' and '.join(study.titles)}"

    def evaluate(self, problems, on_progress=None, **about):
        """Scores everything; see `evaluate_study`.

        Returns:
            `Evaluation`.
        """
        return evaluate_study(self.study, self.methods, problems, on_progress, self.task, **about)

    def pictures(self, evaluation, count):
        """Pictures for a page; see `make_pictures`."""
        return make_pictures(self.study, self.methods, chosen(evaluation, count, self.own))


def pairs_study(pairs, labels=None, patients_known=True):
    """Pairs in memory as sources to fuse.

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


def translation_study(pairs, source, patients_known=True):
    """Pairs in memory as sources to translate and targets to reach.

    Args:
        pairs: `medgan.data.Pairs`.
        source: channel of the sources, 0 or 1; the other holds the targets.
        patients_known: False counts every image alike.

    Returns:
        `Study`.
    """
    target = 1 - source
    return Study(
        pairs.names,
        pairs.patients if patients_known else None,
        lambda index: pairs.image(index)[..., target : target + 1],
        [pairs.modalities[target]],
        inputs=lambda index: pairs.image(index)[..., source : source + 1],
    )


def run_networks(run, names=None):
    """The trained networks of a run by name.

    Args:
        run: a `RunFolder`.
        names: those that are wanted, where they are there; None takes all.

    Raises:
        RecipeError: if there is no network, or one cannot be loaded.
    """
    there = run.networks()
    paths = {name: there[name] for name in names or there if name in there}
    if not paths:
        raise RecipeError(
            f"{run.path} holds no network yet, expected {(names or ['student'])[0]}.keras or "
            "others. Train to the end of a stage first."
        )
    expected = "a network that medgan saved"
    return {name: load_network(path, path, expected) for name, path in paths.items()}


def costed_methods(networks, study, classical=(), baselines=True):
    """Classical methods of fusion and networks with what they cost on the first image of a study.

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
    return [*methods, *network_methods(networks, image)]


def network_methods(networks, image):
    """Networks as methods, with what they cost.

    Args:
        networks: name to Keras network.
        image: what they take, `(height, width, channels)` or `(latents,)`.

    Returns:
        List of `ComputedMethod`.
    """
    methods = []
    for name, network in networks.items():
        function = compiled(network)
        macs = countable_macs(network, image.shape[:-1])
        cost = cost_of(function, image, network.count_params(), macs)
        methods.append(ComputedMethod(name, function, NETWORK_BATCH, cost))
    return methods
