"""One stage of a recipe into its run folder: watched, kept, and taken up again."""

import json
import logging
import math
import time
import warnings

from medgan import callbacks, losses
from medgan.callbacks.save_atomically import save_atomically
from medgan.errors import DivergedError, RecipeError
from medgan.learning_rates import lower
from medgan.networks import full_precision

_logger = logging.getLogger(__name__)

LONGEST_EPOCH = 25
ROLLBACKS, FACTOR, WITHIN = 3, 0.5, 100


class StageTraining:
    """Trains one stage into a run folder and saves what it makes.

    A Keras epoch is a tenth of `training.checkpoint_every` steps, at most half of
    `divergence.within` and at most 25 (or the next smaller divisor); validation, pictures and
    checkpoints come every `checkpoint_every` steps, and a Ctrl-C waits for the end of an epoch.
    What the folder holds of this stage is taken up: it goes on from its last checkpoint.

    Args:
        experiment: the `Experiment`.
        stage: one of its `Stage`s, just built.
        run: the `RunFolder`.
        further: further Keras callbacks, such as a progress bar.
    """

    def __init__(self, experiment, stage, run, further=()):
        self.experiment = experiment
        self.stage = stage
        self.run = run
        every = experiment.training["checkpoint_every"]
        self.divergence = experiment.recipe.tables.get("divergence", {})
        # A symptom takes two looks, at ends of epochs.
        longest = min(every // 10, LONGEST_EPOCH, self.divergence.get("within", WITHIN) // 2)
        self.epoch = next(n for n in range(max(1, longest), 0, -1) if every % n == 0)
        self.rollbacks = 0
        self.factor = 1.0
        self._start = None
        self._before = 0.0
        observers = self._observers(every // self.epoch, further)
        self.checkpoint = callbacks.Checkpoint(
            run.path / "checkpoints" / stage.name,
            every // self.epoch,
            monitor=f"val_{experiment.best_score}" if experiment.best_score else None,
            callbacks=observers,
            notes=self._notes,
        )
        self.interrupt = callbacks.Interrupt(self.checkpoint)
        self._finite.checkpoint = self._symptoms.checkpoint = self.checkpoint
        self.callbacks = [*observers, self.checkpoint, self.interrupt]

    def train(self):
        """Trains to the end of the stage, from wherever it stands.

        A stage that is done takes no step, and what belongs to its end is done again.

        Raises:
            MedganError: if training diverges or a file cannot be written.
            KeyboardInterrupt: after Ctrl-C, when the checkpoint is saved.
        """
        self._begin()
        with warnings.catch_warnings(), self.interrupt.listening():
            # The last epoch is shorter where the steps are no multiple of an epoch.
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            with self.experiment.devices.watching():
                while not self._fit():
                    pass
        self.experiment.seconds += self._seconds()
        save_networks(self.stage.products, self.run)

    def _begin(self):
        """Finds out where to begin; a checkpoint of step 0 is there to go back to."""
        notes = self.checkpoint.newest()
        if notes is None:
            self.checkpoint.set_model(self.stage.trainer)
            self.checkpoint.save()
            return
        self._before = notes["seconds"]
        self.rollbacks, self.factor = notes["rollbacks"], notes["learning_rate_factor"]
        if self.factor != 1:
            self._lower(already=self.factor)

    def _fit(self):
        """Trains to the end, True, or to a divergence that is rolled back, False."""
        first = self.checkpoint.first_step
        left = max(1, self.stage.steps - first)  # Keras wants to see a batch in any case
        batches = self.experiment.devices.batches(
            lambda: self.experiment.batches(first, self.stage.data_seed).take(left)
        )
        self._start = time.monotonic()
        try:
            self.stage.trainer.fit(
                batches,
                epochs=math.ceil(self.stage.steps / self.epoch),
                steps_per_epoch=min(self.epoch, self.stage.steps),
                callbacks=self.callbacks,
                shuffle=False,
                verbose=0,
            )
        except DivergedError as error:
            if not self._roll_back(error):
                if (self.checkpoint.newest() or {}).get("stopped"):
                    # The end of a training that had diverged is no end to go on from.
                    self.checkpoint.roll_back(self.stage.trainer, _is_good)
                raise
            return False
        return True

    def _roll_back(self, error):
        """Goes back to the last good checkpoint with lower rates, if the recipe wants that."""
        allowed = self.divergence.get("rollbacks", ROLLBACKS)
        if self.divergence.get("policy") != "rollback" or self.rollbacks >= allowed:
            return False
        trainer = self.stage.trainer
        seconds = self._seconds()
        notes = self.checkpoint.roll_back(trainer, _is_good)
        if notes is None:
            return False
        self._before, self._start = seconds, None
        self.rollbacks += 1
        self.factor *= self.divergence.get("factor", FACTOR)
        self._lower(already=notes["learning_rate_factor"])
        finding = {
            "step": notes["step"],
            "severity": "warning",
            "text": f"Rollback {self.rollbacks} of {allowed}, from step {error.step} to step "
            f"{notes['step']}, learning rates times {self.factor:g}: {error.reason}",
            "name": "rollback",
            "state": "begins",
            "numbers": {},
        }
        path = self.run.path / f"health_{self.stage.name}.jsonl"
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(finding) + "\n")
        _logger.warning("%s", finding["text"])
        self.checkpoint.save()
        return True

    def _lower(self, already):
        trainer = self.stage.trainer
        for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
            lower(optimizer, self.factor, already)
        trainer.make_train_function(force=True)

    def _seconds(self):
        """Wall time that this stage has taken, in all its attempts."""
        return self._before + (0.0 if self._start is None else time.monotonic() - self._start)

    def _notes(self):
        return {
            "suspicious": self._symptoms.suspicious,
            "seconds": round(self._seconds(), 3),
            "learning_rate_factor": self.factor,
            "rollbacks": self.rollbacks,
        }

    def _observers(self, every, further):
        """All callbacks but the checkpoint, in their order: what acts does so every few epochs."""
        experiment, stage, run = self.experiment, self.stage, self.run
        within = self.divergence.get("within", WITHIN)
        task, rivals = experiment.task, experiment.rival_networks(stage.name)
        count = experiment.training["validation_pairs"]
        report = task.report(stage.network, count, rivals, every, experiment.scores)
        report.scores = experiment.rivals  # what does not change is scored once
        averages = [callbacks.AveragedWeights()] if _averages(stage.trainer) else []
        looks = max(1, min(every, within // (2 * self.epoch)))
        health = self._health(looks)
        watched = self.divergence.get("symptoms")
        watched = {} if watched is None else {"symptoms": tuple(watched)}
        self._finite = callbacks.StopOnDivergence(within)
        try:
            self._symptoms = callbacks.StopOnSymptoms(health, **watched)
        except ValueError as error:
            raise RecipeError(f"[divergence] {error}") from error
        equilibrium = experiment.equilibria[stage.name]
        curves = run.path / "samples" / f"losses_{stage.name}.png"
        return [
            self._finite,
            *averages,
            report,
            health,
            self._symptoms,
            task.grid(stage.network, run.path / "samples" / stage.name, every),
            *self._own_callbacks(),
            *self._best(),
            *(average.keeper() for average in averages),
            callbacks.JSONLines(
                run.path / "metrics.jsonl", stage=stage.name, equilibrium=equilibrium
            ),
            callbacks.TensorBoard(run.path / "tensorboard" / stage.name),
            callbacks.LossCurves(curves, stage.name, equilibrium, every),
            *further,
        ]

    def _kept(self):
        """Where a stage's networks are kept, and which network that is."""
        return {
            "directory": str(self.run.path / "checkpoints" / self.stage.name),
            "network": self.stage.attribute,
        }

    def _own_callbacks(self):
        return self.experiment.own_callbacks(self._kept())

    def _best(self):
        """Keeps the network of the best validation where the recipe names a score for it."""
        score = self.experiment.best_score
        kept = self._kept()
        return [callbacks.BestCheckpoint("best.keras", f"val_{score}", **kept)] if score else []

    def _health(self, every):
        """Looks at both players on whole images of patients of either side of the split."""
        task, judges = self.experiment.task, self.stage.trainer.discriminator_networks
        # Most judges take any size, and then whole images; some have a dense layer.
        fixed = any(None not in judge.input_shape[1:3] for judge in judges)
        seen, unseen = task.health_batches(task.image_size if fixed else None)
        boundary = _boundary(getattr(self.stage.trainer, "adversarial_loss", None))
        path = self.run.path / f"health_{self.stage.name}.jsonl"
        return callbacks.TrainingHealth(seen, unseen, every, path, boundary=boundary)


def save_networks(networks, run):
    """Saves networks into a run folder, in float32 whatever they computed in.

    Args:
        networks: name to network.
        run: the `RunFolder`.

    Raises:
        MedganError: if a file cannot be written.
    """
    for name, network in networks.items():
        save_atomically(full_precision(network), run.path / f"{name}.keras")


def _boundary(loss):
    """The logit above which a discriminator says "real"; None where it says no such thing."""
    if isinstance(loss, losses.WassersteinLoss):
        return None  # a critic is right up to a constant
    if isinstance(loss, losses.LeastSquaresLoss):
        return (loss.real_label + loss.fake_label) / 2
    return 0.0


def _is_good(notes):
    """Whether a checkpoint is one to go back to."""
    return not notes["suspicious"] and not notes["stopped"]


def _averages(trainer):
    """Whether a trainer's optimizer averages the generator's weights."""
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    return optimizer.use_ema
