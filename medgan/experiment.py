"""Everything between a recipe and trained networks: data, task, networks, trainers."""

import contextlib
import time

import keras

from medgan import precision
from medgan.devices import Devices
from medgan.errors import RecipeError
from medgan.metrics import applicable
from medgan.recipe import build
from medgan.recipe_data import RecipeData
from medgan.resume import digest, fingerprint
from medgan.stages import make_stages
from medgan.tasks import choose


class Experiment:
    """Everything between a recipe and trained networks.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        devices: the `medgan.devices.Devices` to train on; by default what `training.strategy` says.

    Attributes:
        devices: where it trains.
        precision: the dtype policy that its networks and trainers compute in.
        fingerprint: what its weights depend on, see `medgan.resume.fingerprint`.
        data: the `medgan.recipe_data.RecipeData`.
        pairs: all pairs.
        split: training, validation and test pairs.
        task: the `medgan.tasks.Task`.
        stages: names of the trainings, in their order.
        networks: name to network: what is scored at the end. `generator` of a recipe with
            `[trainer]`; `teacher`, `student` and `student_without_teacher` of a distillation.
        scores: keys of the scores of the validations during training; None for all.
        best_score: key of the score that tells the best validation; empty keeps none.
        rivals: scores on the validation pairs of a training, by method: the task's baselines and,
            once it is trained, the teacher.
        seconds: wall time of the trainings so far.
        equilibria: name of the stage to its discriminator's loss at equilibrium.

    Raises:
        RecipeError: if a table cannot be built, or another worker has another recipe or other data.
        DataError: if the data cannot be read.
    """

    def __init__(self, recipe, devices=None):
        self.recipe = recipe
        self.seed = recipe["run"]["seed"]
        self.training = recipe["training"]
        self.devices = devices or Devices.choose(self.training.get("strategy", "auto"))
        self.devices.check_batch(self.training["batch_size"])
        self.precision = precision.choose(self.training.get("precision", "auto"))
        self.seconds = 0.0
        self.rivals = {}
        self.equilibria = {}
        self.best_score = self.training.get("best_score", "")
        keras.utils.set_random_seed(self.seed)
        self.data = RecipeData(recipe)
        self.pairs, self.split = self.data.pairs, self.data.split
        self.task = choose(recipe, self.data)
        self.scores = self._scores()
        self.fingerprint = fingerprint(recipe, self.pairs, self.precision)
        # Before anything is built: several workers build variables together.
        self.devices.agree(**{part: digest(value) for part, value in self.fingerprint.items()})
        defaults = {"task": self.task.name, "image_size": self.task.image_size}
        self._stages = make_stages(recipe, defaults, self._building)
        self.stages, self.networks = self._stages.names, self._stages.networks
        self.own_callbacks()  # what does not fit is said before training
        self.batches(0, self.seed)

    def _scores(self):
        """The scores of the validations during training, that of the best among them."""
        for key, wanted in (
            ("validation_scores", self.training.get("validation_scores")),
            ("best_score", [self.best_score] if self.best_score else None),
        ):
            try:
                applicable(self.task.scores, 0, wanted)
            except ValueError as error:
                raise RecipeError(f"[training] {key}: {error}") from error
        listed = self.training.get("validation_scores") or None
        return listed and [*listed, *({self.best_score} - {*listed, ""})]

    @contextlib.contextmanager
    def _building(self):
        """What is built inside computes in the recipe's precision, on its devices."""
        with precision.policy(self.precision), self.devices.scope():
            yield

    @property
    def given(self):
        """Name to network: those scored that no stage trains."""
        if self._online:
            return {}
        return {name: net for name, net in self.networks.items() if name not in self.stages}

    @property
    def _online(self):
        """Whether a teacher learns beside its student."""
        return bool(self.recipe.tables.get("distillation", {}).get("online", False))

    def batches(self, first_step, seed):
        """Endless training batches, from a step on."""
        return self.task.batches(self.training["batch_size"], seed, first_step)

    def stage(self, name):
        """Builds and compiles the trainer of a stage.

        Returns:
            `medgan.stages.Stage`.

        Raises:
            RecipeError: if a table cannot be built.
        """
        stage = self._stages.stage(name)
        self.equilibria[name] = stage.equilibrium
        return stage

    def rival_networks(self, name):
        """Name to network that a stage is compared with while it trains: a teacher that is done."""
        teacher = self.networks.get("teacher")
        if name == "teacher" or teacher is None or self._online:
            return {}
        return {"teacher": teacher}

    def check(self):
        """Computes every stage's losses on one batch, so that what cannot be trained is said first.

        Nothing is learned and no later draw changes.

        Raises:
            RecipeError: if networks and losses do not fit together or to the crops.
            DataError: if an image is too small to be scored.
        """
        self.task.check(self.networks)
        batch = next(iter(self.batches(0, self.seed)))
        height, width = self.task.image_size
        size = height if height == width else f"{height} x {width}"
        for name in self.stages:
            trainer = self.stage(name).trainer
            try:
                named = trainer.as_batch(batch)
                trainer.generator_terms(named, trainer.synthesize(named, training=False))
            except (ValueError, TypeError) as error:
                reason = " ".join(str(error).split())[:300]
                where = f"[{self._stages.table(name)}]"
                raise RecipeError(f"{where} on crops of {size}: {reason}") from error
        self._stages.thaw()

    def try_batch(self, stage):
        """Takes two steps of a stage and returns the seconds of the second."""
        batches = iter(self.batches(0, stage.data_seed))
        stage.trainer.train_on_batch(*_parts(next(batches)))
        batch = next(batches)
        start = time.perf_counter()
        stage.trainer.train_on_batch(*_parts(batch))
        return time.perf_counter() - start

    def own_callbacks(self, defaults=None):
        """The callbacks of `[[callbacks]]`, new ones for every stage."""
        tables = self.recipe.tables.get("callbacks", [])
        return [build(table, f"[[callbacks]] {i}", defaults) for i, table in enumerate(tables, 1)]


def _parts(batch):
    """A batch as arguments: (x,) or (x, y)."""
    return batch if isinstance(batch, tuple) else (batch,)
