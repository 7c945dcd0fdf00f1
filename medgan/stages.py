"""The trainings of a recipe: which networks, which trainer, which settings, in which order."""

import abc
import copy
import dataclasses
import inspect

import keras

from medgan import models
from medgan.errors import RecipeError
from medgan.recipe import build
from medgan.recipe.building import find, signature
from medgan.recipe.checking import near

FIXED_BY_MEDGAN = ("type", "steps", "optimizer", "discriminator_optimizer")
OPTIMIZERS = ("optimizer", "discriminator_optimizer")


@dataclasses.dataclass
class Stage:
    """One training: a compiled trainer, the networks it makes, and its number of steps.

    Attributes:
        name: its name, that of the network that it is for.
        trainer: the compiled trainer.
        products: name of a file to the network that is kept in it when training is done.
        steps: number of its steps.
        data_seed: seed of its batches.
    """

    name: str
    trainer: keras.Model
    products: dict
    steps: int
    data_seed: int

    @property
    def network(self):
        """The network that the stage is for."""
        return self.products[self.name]

    @property
    def attribute(self):
        """The trainer's name of that network, such as `"generator"`."""
        return next(key for key, net in self.trainer.products.items() if net is self.network)

    @property
    def equilibrium(self):
        """The discriminator's loss at equilibrium; None where the loss has none."""
        return getattr(getattr(self.trainer, "adversarial_loss", None), "equilibrium", None)


class Stages(abc.ABC):
    """The trainings of a recipe, built one after the other.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        defaults: arguments of trainers and their parts that take them where the recipe is silent:
            `task`, and `image_size` of the training images.
        building: callable that returns a context in which networks and trainers are built.

    Attributes:
        names: names of the trainings, in their order.
        networks: name to network: what is scored at the end.

    Raises:
        RecipeError: if a table cannot be built, is missing, or nobody needs it.
    """

    def __init__(self, recipe, defaults, building):
        self.recipe = recipe
        self.seed = recipe["run"]["seed"]
        self._defaults = defaults
        self.names = recipe.stages
        self.networks = {}
        self._building = building

    @abc.abstractmethod
    def stage(self, name):
        """Builds and compiles the trainer of a stage.

        Raises:
            RecipeError: if a table cannot be built.
        """

    @abc.abstractmethod
    def table(self, name):
        """Name of the table that a stage is set by."""

    @abc.abstractmethod
    def thaw(self):
        """Undoes what building a later stage froze."""

    def _check_tables(self, needed, known=()):
        tables = self.recipe["networks"]
        for name in needed:
            if name not in tables:
                raise RecipeError(
                    f"There is no table [networks.{name}], expected one for each of "
                    f"{', '.join(needed)}."
                )
        for name in tables:
            if name not in (*needed, *known):
                raise RecipeError(
                    f"[networks.{name}]: nobody needs this network. {near(name, [*needed, *known])}"
                )

    def _network(self, name, offset):
        defaults = {"seed": self.seed + offset, "name": name}
        with self._building():
            return build(self.recipe["networks"][name], f"[networks.{name}]", defaults)

    def _trainer(self, kind, settings, where, steps, networks):
        """Builds a trainer of a type from settings, which hold its optimizers, and compiles it."""
        defaults = {**self._defaults, "seed": self.seed, "decay_steps": steps}
        arguments = {key: value for key, value in settings.items() if key not in FIXED_BY_MEDGAN}
        with self._building():
            trainer = build({**arguments, "type": kind}, where, defaults, **networks)
            if not isinstance(trainer, models.AdversarialModel):
                raise RecipeError(f"{where} type: {kind} is no trainer of medgan.models.")
            optimizers = {}
            for key in OPTIMIZERS:
                if not isinstance(settings.get(key), dict):
                    raise RecipeError(f"{where} has no table {key!r}, expected an optimizer.")
                optimizers[key] = build(copy.deepcopy(settings[key]), f"{where} {key}", defaults)
            trainer.compile(**optimizers)
        return trainer


class OneTrainer(Stages):
    """`[trainer]` alone: one training of the networks that the trainer takes.

    The tables `[networks...]` are called like the trainer's positional arguments.
    """

    def __init__(self, recipe, defaults, building):
        super().__init__(recipe, defaults, building)
        self._settings = recipe["trainer"]
        needed = roles(self._settings, "[trainer]")
        self._check_tables(needed, ["teacher_discriminator"] if "teacher" in needed else ())
        self._parts = {
            role: self._network(role, offset) for offset, role in enumerate(recipe["networks"])
        }
        (name,) = self.names
        if name not in self._parts:
            raise RecipeError(
                f"[trainer] type: {self._settings['type']} takes the networks {', '.join(needed)}, "
                "expected a generator or a student among them."
            )
        self.networks = {name: self._parts[name]}

    def table(self, name):
        """Name of the table that the stage is set by."""
        return "trainer"

    def thaw(self):
        """No later stage, nothing frozen."""

    def stage(self, name):
        """Builds and compiles the trainer."""
        settings = self._settings
        steps = settings["steps"]
        trainer = self._trainer(settings["type"], settings, "[trainer]", steps, self._parts)
        return Stage(name, trainer, dict(trainer.products), steps, self.seed)


class Distillation(Stages):
    """`[teacher]` and `[distillation]`: teacher, student, and the same student without teacher.

    The student without teacher is trained by the teacher's trainer with its settings, but for those
    that `[distillation]` sets for the hard part. Both students start from the same weights and see
    the same batches; with the teacher, the discriminator starts from the teacher's.

    A teacher of no steps is one that was trained before, or that learns beside its student
    (`distillation.online`).
    """

    def __init__(self, recipe, defaults, building):
        super().__init__(recipe, defaults, building)
        self._teaching, self._distilling = recipe["teacher"], recipe["distillation"]
        self._trained = self._teaching["steps"] > 0
        self._online = bool(self._distilling.get("online", False))
        generator, *self._others = roles(self._teaching, "[teacher]")
        self._generator = generator
        needed = ["teacher", "student", *self._others]
        self._check_tables(needed, () if self._trained else ("teacher_discriminator",))
        student = self._network("student", 1)
        self.networks = {
            "teacher": self._network("teacher", 0),
            "student": student,
            "student_without_teacher": self._network("student", 1),
        }
        _copy_weights(student, self.networks["student_without_teacher"])
        self._teachers = {}
        if self._trained or self._online:
            self._teachers = self._partners(2)
        elif "teacher_discriminator" in recipe["networks"]:
            self._teachers = {"discriminator": self._network("teacher_discriminator", 2)}

    def _partners(self, first):
        """What a trainer takes beside the generator, of seeds from one on."""
        return {role: self._network(role, first + 2 * i) for i, role in enumerate(self._others)}

    def table(self, name):
        """Name of the table that a stage is set by."""
        return "teacher" if name == "teacher" else "distillation"

    def thaw(self):
        """Lets the teacher learn again: its own stage comes first."""
        if self._trained:
            for network in (self.networks["teacher"], *self._teachers.values()):
                network.trainable = True

    def stage(self, name):
        """Builds and compiles the trainer of a stage."""
        if name == "teacher":
            return self._teacher()
        return self._student() if name == "student" else self._student_without_teacher()

    def _teacher(self):
        settings = self._teaching
        networks = {self._generator: self.networks["teacher"], **self._teachers}
        steps = settings["steps"]
        trainer = self._trainer(settings["type"], settings, "[teacher]", steps, networks)
        return Stage("teacher", trainer, {"teacher": self.networks["teacher"]}, steps, self.seed)

    def _student(self):
        settings = self._distilling
        discriminator = self._network("discriminator", 3)
        teachers = self._teachers.get("discriminator")
        if teachers is not None and _alike(discriminator, teachers):
            _copy_weights(teachers, discriminator)
        networks = {
            "teacher": self.networks["teacher"],
            "student": self.networks["student"],
            "discriminator": discriminator,
            "teacher_discriminator": teachers,
        }
        steps = settings["steps"]
        kind = settings.get("type")
        trainer = self._trainer(kind, settings, "[distillation]", steps, networks)
        return Stage("student", trainer, dict(trainer.products), steps, self.seed + 1)

    def _student_without_teacher(self):
        name = "student_without_teacher"
        network, kind = self.networks[name], self._teaching["type"]
        known = {*signature(find(kind, "[teacher]")), *FIXED_BY_MEDGAN}
        own = {key: value for key, value in self._distilling.items() if key in known}
        networks = {self._generator: network, **self._partners(3)}
        steps = own["steps"]
        settings = {**self._teaching, **own}
        trainer = self._trainer(kind, settings, "[distillation]", steps, networks)
        return Stage(name, trainer, {name: network}, steps, self.seed + 1)


def make_stages(recipe, defaults, building):
    """The `Stages` of a recipe."""
    kind = OneTrainer if "trainer" in recipe.tables else Distillation
    return kind(recipe, defaults, building)


def roles(table, where):
    """Names of the networks that a trainer takes: its positional arguments.

    Args:
        table: the trainer's table.
        where: name of the table.

    Returns:
        List of names, what is trained for first.

    Raises:
        RecipeError: if there is no such trainer.

    Example:
        >>> from medgan.stages import roles
        >>> roles({"type": "FusionGAN"}, "[trainer]")
        ['generator', 'discriminator']
    """
    if "type" not in table:
        raise RecipeError(f"{where} has no key 'type', expected the name of a trainer.")
    trainer = find(table["type"], where)
    if inspect.isclass(trainer) and not issubclass(trainer, models.AdversarialModel):
        raise RecipeError(f"{where} type: {table['type']} is no trainer of medgan.models.")
    parameters = inspect.signature(trainer).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def _alike(one, other):
    return [w.shape for w in one.weights] == [w.shape for w in other.weights]


def _copy_weights(source, target):
    """Gives a network the weights of another of the same shapes."""
    target.set_weights([keras.ops.convert_to_numpy(weight) for weight in source.weights])
