"""KGAN as a recipe says it: teacher, student with distillation, the same student without."""

import contextlib
import copy
import dataclasses
import functools
import time

import keras
import numpy as np

from medgan import data, models, precision
from medgan.data import evaluation_batches, split_by_patient, training_batches
from medgan.devices import Devices
from medgan.errors import DataError, RecipeError
from medgan.metrics import FUSION_SCORES, applicable
from medgan.recipe import build
from medgan.recipe.building import check_keys, find, signature
from medgan.resume import digest, fingerprint

STAGES = ("teacher", "student", "student_without_teacher")
SPLIT_KEYS = ("validation_patients", "test_patients")
PIPELINE_KEYS = ("crop", "flips", "rotations", "minimum_foreground")
FIXED_BY_MEDGAN = ("type", "steps", "optimizer", "discriminator_optimizer")


def load_data(recipe):
    """Reads the pairs that `[data]` names and divides them by patient.

    Keys of the other built-in source may stand in the table, so that `data.type` alone turns a
    recipe from one to the other.

    Returns:
        `(pairs, split)`.

    Raises:
        RecipeError: for an unknown key.
        DataError: for anything wrong with the images or the split.
    """
    table = recipe["data"]
    source = find(table.get("type"), "[data]")
    known = signature(source)
    others = {**signature(data.phantoms), **signature(data.paired_folders)}
    pipeline = signature(training_batches)
    others.update({key: pipeline[key] for key in PIPELINE_KEYS})
    check_keys(table, {**others, "seed": 0, **known}, "[data]", extra=SPLIT_KEYS)
    if "root" in known and not table.get("root"):
        raise DataError(
            f"data.root is empty, expected the folder of the {table['type']}. "
            "Set it: --set data.root=DIR."
        )
    arguments = {key: value for key, value in table.items() if key in known}
    pairs = source(**arguments)
    parts = {key: table[key] for key in SPLIT_KEYS if key in table}
    return pairs, split_by_patient(pairs, seed=table.get("seed", 0), **parts)


def load_labels(recipe, pairs):
    """What every pixel of the phantoms shows.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        pairs: all pairs of the recipe, from `load_data`.

    Returns:
        Name of a pair to a map `(height, width)`; None where the data are no phantoms.
    """
    table = recipe["data"]
    if find(table.get("type"), "[data]") is not data.phantoms:
        return None
    known = signature(data.phantoms)
    arguments = {key: value for key, value in table.items() if key in known}
    maps = data.phantom_labels(**arguments)
    return dict(zip(pairs.names, maps, strict=True))


def spread(pairs, count):
    """At most `count` pairs, evenly spread over all of them."""
    return pairs.select(
        sorted({round(i) for i in np.linspace(0, len(pairs) - 1, min(count, len(pairs)))})
    )


@dataclasses.dataclass
class Stage:
    """One training: a compiled trainer, the network it makes, and its number of steps."""

    name: str
    trainer: keras.Model
    network: keras.Model
    steps: int
    data_seed: int


class Experiment:
    """Everything between a recipe and trained networks.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        devices: the `medgan.devices.Devices` to train on; by default what `training.strategy` says.

    Attributes:
        devices: where it trains.
        precision: the dtype policy that its networks and trainers compute in.
        fingerprint: what its weights depend on, see `medgan.resume.fingerprint`.
        pairs: all pairs.
        split: training, validation and test pairs.
        labels: name of every pair to what its pixels show, `(height, width)`, where the data are
            phantoms; None for others. Drawn when first asked for, once.
        networks: name of the stage to its network, `teacher`, `student` and
            `student_without_teacher`.
        scores: keys of the scores of the validations during training; None for all.
        best_score: key of the score that tells the best validation; empty keeps none.
        rivals: scores on the validation pairs of a training, by method: average, maximum and,
            from the second stage on, the teacher.
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
        self.scores = self._scores()
        keras.utils.set_random_seed(self.seed)
        self.pairs, self.split = load_data(recipe)
        self.fingerprint = fingerprint(recipe, self.pairs, self.precision)
        # Before anything is built: several workers build variables together.
        self.devices.agree(**{part: digest(value) for part, value in self.fingerprint.items()})
        student = self._network("student", 1)
        self.networks = {
            "teacher": self._network("teacher", 0),
            "student": student,
            "student_without_teacher": self._network("student", 1),
        }
        _copy_weights(student, self.networks["student_without_teacher"])
        self._teacher_discriminator = self._network("discriminator", 2)
        self.own_callbacks()  # what does not fit is said before training
        self.batches(0, self.seed)

    def _scores(self):
        """The scores of the validations during training, that of the best among them."""
        for key, wanted in (
            ("validation_scores", self.training.get("validation_scores")),
            ("best_score", [self.best_score] if self.best_score else None),
        ):
            try:
                applicable(FUSION_SCORES, 0, wanted)
            except ValueError as error:
                raise RecipeError(f"[training] {key}: {error}") from error
        listed = self.training.get("validation_scores") or None
        return listed and [*listed, *({self.best_score} - {*listed, ""})]

    @contextlib.contextmanager
    def _building(self):
        """What is built inside computes in the recipe's precision, on its devices."""
        with precision.policy(self.precision), self.devices.scope():
            yield

    @functools.cached_property
    def labels(self):
        """What every pixel of the phantoms shows; see `load_labels`."""
        return load_labels(self.recipe, self.pairs)

    def _network(self, name, offset):
        defaults = {"seed": self.seed + offset, "name": name}
        with self._building():
            return build(self.recipe["networks"][name], f"[networks.{name}]", defaults)

    def batches(self, first_step, seed):
        """Endless training batches, from a step on."""
        table = self.recipe["data"]
        keys = {key: table[key] for key in PIPELINE_KEYS if key in table}
        return training_batches(
            self.split.train,
            self.training["batch_size"],
            seed=seed,
            first_step=first_step,
            **keys,
        )

    def stage(self, name):
        """Builds and compiles the trainer of a stage.

        The student's networks start from the same weights with and without the teacher, and see
        the same batches; with the teacher its discriminator starts from the teacher's.

        Raises:
            RecipeError: if a table cannot be built.
        """
        network = self.networks[name]
        if name == "teacher":
            return self._stage(name, "teacher", self._teacher_discriminator, generator=network)
        discriminator = self._network("discriminator", 3)
        if name == "student":
            if [w.shape for w in discriminator.weights] == [
                w.shape for w in self._teacher_discriminator.weights
            ]:
                _copy_weights(self._teacher_discriminator, discriminator)
            return self._stage(
                name,
                "distillation",
                discriminator,
                teacher=self.networks["teacher"],
                student=network,
                teacher_discriminator=self._teacher_discriminator,
            )
        return self._stage(name, "distillation", discriminator, generator=network)

    def _stage(self, name, table_name, discriminator, **networks):
        with self._building():
            return self._compiled_stage(name, table_name, discriminator, **networks)

    def _compiled_stage(self, name, table_name, discriminator, **networks):
        table = self.recipe[table_name]
        where = f"[{table_name}]"
        steps = table["steps"]
        defaults = {"seed": self.seed, "decay_steps": steps}
        arguments = {key: value for key, value in table.items() if key not in FIXED_BY_MEDGAN}
        if name == "student_without_teacher":
            kept = signature(models.FusionGAN)
            arguments = {key: value for key, value in arguments.items() if key in kept}
            arguments["type"] = "FusionGAN"
        else:
            arguments["type"] = table.get("type")
        trainer = build(arguments, where, defaults, discriminator=discriminator, **networks)
        if not isinstance(trainer, models.AdversarialModel):
            raise RecipeError(f"{where} type: {arguments['type']} is no trainer of medgan.models.")
        optimizers = {}
        for key in ("optimizer", "discriminator_optimizer"):
            optimizer = table.get(key)
            if not isinstance(optimizer, dict):
                raise RecipeError(f"{where} has no table {key!r}, expected an optimizer.")
            optimizers[key] = build(copy.deepcopy(optimizer), f"{where} {key}", defaults)
        trainer.compile(**optimizers)
        loss = getattr(trainer, "adversarial_loss", None)
        self.equilibria[name] = getattr(loss, "equilibrium", None)
        seed = self.seed if name == "teacher" else self.seed + 1
        return Stage(name, trainer, networks.get("student", networks.get("generator")), steps, seed)

    def check(self):
        """Computes every stage's losses on one batch, so that what cannot be trained is said first.

        Nothing is learned and no later draw changes.

        Raises:
            RecipeError: if networks and losses do not fit together or to the crops.
            DataError: if an image is too small to be scored.
        """
        smallest = max(score.smallest_side for score in FUSION_SCORES.values() if score.main)
        for pairs in (self.split.validation, self.split.test):
            for name, size in zip(pairs.names, pairs.sizes(), strict=True):
                if min(size) < smallest:
                    raise DataError(
                        f"{name}: received {size[0]} x {size[1]} pixels, expected at least "
                        f"{smallest} a side to be scored. Leave the image out."
                    )
        batch = next(iter(self.batches(0, self.seed)))
        for name in STAGES:
            trainer = self.stage(name).trainer
            table = "teacher" if name == "teacher" else "distillation"
            try:
                named = trainer.as_batch(batch)
                trainer.generator_terms(named, trainer.synthesize(named, training=False))
            except (ValueError, TypeError) as error:
                reason = " ".join(str(error).split())[:300]
                raise RecipeError(f"[{table}] on crops of {batch.shape[1]}: {reason}") from error
        # Distillation froze them; the teacher's own stage comes first.
        self.networks["teacher"].trainable = True
        self._teacher_discriminator.trainable = True

    def try_batch(self, stage):
        """Takes two steps of a stage and returns the seconds of the second."""
        batches = iter(self.batches(0, stage.data_seed))
        stage.trainer.train_on_batch(next(batches))
        batch = next(batches)
        start = time.perf_counter()
        stage.trainer.train_on_batch(batch)
        return time.perf_counter() - start

    def validation(self, count=None):
        """Validation batches, and the patients and labels of their images.

        Labels are a list of maps; None where the data are no phantoms, or single scores are chosen.
        """
        pairs = self.split.validation
        pairs = pairs if count is None else spread(pairs, count)
        # Drawing them takes seconds: only where their scores are wanted.
        known = self.labels if self.scores is None else None
        labels = None if known is None else [known[name] for name in pairs.names]
        return evaluation_batches(pairs, 4), pairs.patients, labels

    def own_callbacks(self, defaults=None):
        """The callbacks of `[[callbacks]]`, new ones for every stage."""
        tables = self.recipe.tables.get("callbacks", [])
        return [build(table, f"[[callbacks]] {i}", defaults) for i, table in enumerate(tables, 1)]


def _copy_weights(source, target):
    """Gives a network the weights of another of the same shapes."""
    target.set_weights([keras.ops.convert_to_numpy(weight) for weight in source.weights])
