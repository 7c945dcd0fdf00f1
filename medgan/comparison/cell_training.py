"""One cell: a method's networks trained on one fold, and scored on the patients held out."""

import time

import keras
import numpy as np
from keras import ops

from medgan.callbacks import StopOnDivergence
from medgan.callbacks.save_atomically import save_atomically
from medgan.classical import FUSION_METHODS
from medgan.comparison.cells import DIVERGED, DONE, SCORES, write_result, write_scores
from medgan.comparison.no_content import NoContentLoss
from medgan.comparison.protocol import METHOD_KEYS
from medgan.data import training_batches
from medgan.errors import DivergedError, RecipeError
from medgan.evaluation import ComputedMethod, Problems
from medgan.evaluation.costs import countable_macs
from medgan.evaluation.loading import load_network
from medgan.evaluation.runs import NETWORK_BATCH, pairs_study
from medgan.evaluation.scoring import batches as image_batches
from medgan.metrics import Cautions, score_images
from medgan.models import AdversarialModel
from medgan.networks import compiled
from medgan.recipe import build
from medgan.recipe.building import find, signature
from medgan.run import write_json
from medgan.training_state import variables_of

LONGEST_EPOCH = 10
POINTS = 20  # of a loss curve, at least
PICTURES = 3


class CellTraining:
    """Trains cells one after the other in this process.

    What is compiled for a method serves its next cells as well: a cell builds its networks and its
    trainer anew, then their state goes into those that are compiled already.

    Args:
        plan: a `Plan`.
        output: folder of the comparison.
    """

    def __init__(self, plan, output):
        self.plan = plan
        self.output = output
        self._method = None
        self._trainer = None
        self._network = None
        self._fuse = None

    def run(self, cell):
        """Trains, scores and writes a cell.

        Returns:
            Its result: `status`, `reason` where it diverged, `settings`, sizes and seconds.

        Raises:
            RecipeError: if the method cannot be built or does not fit the images.
        """
        start = time.monotonic()
        protocol = self.plan.protocol
        result = {"status": DONE, "settings": self.plan.settings(cell.method)}
        cell.folder(self.output).mkdir(parents=True, exist_ok=True)
        if cell.method in protocol.methods:
            result.update(self._train(cell))
            fuse = self._fuse
        else:
            result.update({"parameters": 0, "macs": None})
            fuse = FUSION_METHODS[cell.method]
        if result["status"] == DONE:
            result.update(self._score(cell, fuse))
        result["seconds"] = round(time.monotonic() - start, 2)
        write_result(cell, self.output, result)
        return result

    def _train(self, cell):
        """Trains a cell's networks and keeps them; says how it went."""
        protocol = self.plan.protocol
        teacher = self.plan.teacher(cell)
        if teacher is not None and not self._has_network(teacher):
            return {"status": DIVERGED, "reason": "its teacher diverged"}
        self._prepare(cell)
        trainer, steps = self._trainer, protocol.steps(cell.method)
        size = self.plan.splits[cell.fold].validation.sizes()[0]
        about = {
            "steps": steps,
            "parameters": self._network.count_params(),
            "macs": countable_macs(self._network, size),
        }
        longest = min(LONGEST_EPOCH, max(1, steps // POINTS))
        epoch = next(n for n in range(longest, 0, -1) if steps % n == 0)
        start = time.monotonic()
        try:
            history = trainer.fit(
                self.batches(cell).take(steps),
                epochs=steps // epoch,
                steps_per_epoch=epoch,
                callbacks=[StopOnDivergence()],
                shuffle=False,
                verbose=0,
            ).history
        except DivergedError as error:
            reason = f"{error.reason} at step {error.step}"
            return {**about, "status": DIVERGED, "reason": reason}
        about["training_seconds"] = round(time.monotonic() - start, 2)
        records = [
            {"step": epoch * number, **{n: float(v) for n, v in zip(history, row, strict=True)}}
            for number, row in enumerate(zip(*history.values(), strict=True), 1)
        ]
        equilibrium = getattr(getattr(trainer, "adversarial_loss", None), "equilibrium", None)
        folder = cell.folder(self.output)
        write_json(folder / "history.json", {"records": records, "equilibrium": equilibrium})
        save_atomically(self._network, folder / "network.keras")
        if hasattr(trainer, "discriminator"):  # a method that comes later may learn from it
            save_atomically(trainer.discriminator, folder / "discriminator.keras")
        return about

    def _has_network(self, cell):
        return (cell.folder(self.output) / "network.keras").exists()

    def _prepare(self, cell):
        """Puts a trainer as it begins this cell into place, compiled already if may be."""
        same = self._method == cell.method
        if not same:
            self._trainer = self._network = self._fuse = None
            keras.backend.clear_session()  # collects garbage as well
        keras.utils.set_random_seed(cell.seed)
        trainer, network = build_trainer(self.plan, cell, self.output)
        if same:
            fresh, kept = variables_of(trainer), variables_of(self._trainer)
            for (_, value), (_, variable) in zip(fresh, kept, strict=True):
                variable.assign(ops.convert_to_numpy(value))
            self._trainer.stop_training = False
            return
        self._method, self._trainer, self._network = cell.method, trainer, network
        self._fuse = fuse_with(network, self.plan.protocol.methods[cell.method])

    def batches(self, cell):
        """A cell's endless training batches, the same for every method of a seed and a fold."""
        table = self.plan.protocol.methods[cell.method]
        batches = training_batches(
            self.plan.splits[cell.fold].train,
            self.plan.protocol["protocol"]["batch_size"],
            seed=cell.seed,
            **self.plan.pipeline(),
        )
        if table.get("task") == "translation":  # from the second modality to the first
            batches = batches.map(lambda images: (images[..., 1:], images[..., :1]))
        return batches

    def _score(self, cell, fuse):
        """Scores the held-out images and writes their scores and some pictures."""
        pairs = self.plan.splits[cell.fold].validation
        study, problems, cautions = pairs_study(pairs), Problems(), Cautions()
        method = ComputedMethod(cell.method, fuse, NETWORK_BATCH)
        values = {key: np.full(len(pairs), np.nan) for key in SCORES}
        shown = set(pictured(len(pairs)))
        pictures = {}
        for indices, references in image_batches(study, problems):
            results, there = method.results(study, indices, references, problems)
            if not there.all():
                return {"status": DIVERGED, "reason": problems.lines[0]}
            for key, column in score_images("fusion", references, results, tuple(SCORES)).items():
                values[key][indices] = column
            for index, reference, image in zip(indices, references, results, strict=True):
                cautions.add(np.round(255 * reference), np.round(255 * image))
                if index in shown:
                    pictures[f"{index:05d}"] = np.round(255 * image[..., 0]).astype("uint8")
        write_scores(cell, self.output, pairs, values)
        if cell.seed == self.plan.protocol.seeds[0]:
            with open(cell.folder(self.output) / "pictures.npz", "wb") as stream:
                np.savez_compressed(stream, **pictures)
        return {"cautions": list(cautions.sentences())}

    def measure(self, cell):
        """Times a method without keeping anything.

        Returns:
            Seconds until the first step is done, and of the second step.
        """
        self._trainer = self._method = None
        keras.backend.clear_session()
        start = time.monotonic()
        trainer, _ = build_trainer(self.plan, cell, None)
        batches = iter(self.batches(cell))
        trainer.train_on_batch(*_split(next(batches)))
        first = time.monotonic() - start
        batch = _split(next(batches))
        start = time.monotonic()
        trainer.train_on_batch(*batch)
        return {"first": first, "step": time.monotonic() - start}


def _split(batch):
    return batch if isinstance(batch, tuple) else (batch,)


def pictured(count):
    """Indices of the held-out images of a fold whose fused images are kept to be looked at."""
    places = np.linspace(0, count - 1, PICTURES + 2)[1:-1]
    return sorted({round(place) for place in places})


def fuse_with(network, table):
    """The function from sources to a fused image that a method's network stands for.

    A translator is shown the second source alone, and what it makes of it is called the fused
    image: the literal reading of the paper's table.
    """
    function = compiled(network)
    if table.get("task") == "translation":
        return lambda sources: np.clip(function(sources[..., 1:]), 0, 1)
    return lambda sources: np.clip(function(sources), 0, 1)


def build_trainer(plan, cell, output):
    """Builds and compiles the trainer of a cell as it stands before its first step.

    Networks of one table and one part start from the same weights in every method, for their
    weights come from the cell's seed and the part alone.

    Args:
        plan: the `Plan`.
        cell: a `Cell` of a method that is trained.
        output: folder of the comparison, where the teacher's cell is; None takes a teacher that
            was not trained, to measure time.

    Returns:
        `(trainer, network)`, the network that is kept and scored.

    Raises:
        RecipeError: if a table cannot be built.
    """
    protocol, where = plan.protocol, f"[[methods]] {cell.method}"
    table, common = protocol["methods"][cell.method], protocol["protocol"]
    known = signature(find(table["type"], where))
    main = "student" if "student" in known else "generator"
    parts = {"discriminator": "discriminator"} if "discriminator" in known else {}
    parts.update(table.get("networks", {}), **{main: table["network"]})
    given = {
        part: build(
            protocol["networks"][name],
            f"[networks.{name}]",
            {"seed": cell.seed + _offset(part), "name": part},
        )
        for part, name in parts.items()
    }
    given.update(_teacher(plan, cell, known, output))
    if table.get("discriminator_from_teacher"):
        given["discriminator"].set_weights(given["teacher_discriminator"].get_weights())
    if "content_loss" in known and "content_loss" not in table:
        wanted = table.get("content", True)
        given["content_loss"] = (
            build(common["content_loss"], "[protocol] content_loss") if wanted else NoContentLoss()
        )
    steps = protocol.steps(cell.method)
    defaults = {"seed": cell.seed, "decay_steps": steps}
    if "augmentation" in known and "augmentation" in common and "augmentation" not in table:
        where_from = "[protocol] augmentation"
        given["augmentation"] = build(common["augmentation"], where_from, defaults)
    if table.get("task") == "translation" and "image_size" in known:
        defaults["image_size"] = plan.pipeline().get("crop")
    arguments = {key: value for key, value in table.items() if key not in METHOD_KEYS}
    trainer = build({"type": table["type"], **arguments}, where, defaults, **given)
    if not isinstance(trainer, AdversarialModel):
        raise RecipeError(f"{where} type: {table['type']} is no trainer of medgan.models.")
    optimizers = {}
    for key in ("optimizer", "discriminator_optimizer"):
        whose = where if key in table else "[protocol]"
        settings = table.get(key, common[key])
        optimizers[key] = build(settings, f"{whose} {key}", {"decay_steps": steps})
    trainer.compile(**optimizers)
    return trainer, given[main]


def _offset(part):
    """What is added to a cell's seed for a part, so that two parts do not start alike."""
    if part in ("generator", "student", "teacher"):
        return 0
    return 1 + sum(part.removeprefix("teacher_").encode())


def _teacher(plan, cell, known, output):
    """The trained networks of the cell's teacher, by the trainer's arguments."""
    teacher = plan.teacher(cell)
    if teacher is None:
        return {}
    if output is None:
        trainer, network = build_trainer(plan, teacher, None)
        found = {"teacher": network, "teacher_discriminator": trainer.discriminator}
    else:
        files = {"teacher": "network", "teacher_discriminator": "discriminator"}
        paths = {part: teacher.folder(output) / f"{name}.keras" for part, name in files.items()}
        expected = "a network that medgan saved"
        found = {
            part: load_network(path, path, expected)
            for part, path in paths.items()
            if path.exists()
        }
    return {part: network for part, network in found.items() if part in known}
