"""A checkpoint from which a training goes on as if it had never stopped."""

import contextlib
import logging
import pathlib

import keras

import medgan
from medgan.callbacks.callback_states import put_back, states_of
from medgan.callbacks.checkpoint_folder import CheckpointFolder
from medgan.callbacks.monitor import direction, is_better
from medgan.errors import MedganError
from medgan.training_state import load_state, optimizers_of, step_of

_logger = logging.getLogger(__name__)


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that a training moves at the end of epochs, and goes on from there.

    Put it last of all callbacks but `Interrupt`, behind the keeper of `AveragedWeights`, so that
    everybody's state of the epoch is in it. It saves after every `every`-th epoch, after the last,
    after one at whose end training is stopped, and after one with a new best: `last.npz`,
    `previous.npz` (the one before) and, with a monitor, `best.npz`. A file is there whole or not at
    all; see `medgan.training_state.save_state`.

    When training begins, the newest whole file is restored: weights, seeds, both optimizers and the
    states of the callbacks. `fit` goes on with the next epoch, or ends at once where a callback had
    stopped the training. A damaged file is named in a warning, and the next older one taken.

    The resumed training equals the uninterrupted one bit for bit if its data are a function of the
    step, `training_batches(..., first_step=checkpoint.first_step)`, or arrays with `shuffle=False`:
    Keras draws its own shuffles anew. `EarlyStopping(restore_best_weights=True)` loses the best
    weights of before; `best.npz` and `BestCheckpoint` keep them.

    Of the loggers, `JSONLines`, `TensorBoard` and `LossCurves` of `medgan.callbacks` have every
    epoch once, if they are among `callbacks`. Keras's `CSVLogger` starts its file anew without
    `append=True`; with it, lines written after the last checkpoint are there twice after a kill.

    Args:
        directory: folder of the files, made when the first is saved.
        every: number of epochs between two checkpoints.
        monitor: name of a logged score that tells the best; None keeps no best.
        mode: `"max"` or `"min"`, for scores that medgan does not know.
        callbacks: callbacks whose state is saved and restored, from `get_state() -> dict` to
            `set_state(dict)`; of others, as those of Keras, the plain attributes.
        resume: whether to go on from what is there; False starts anew and replaces it with the
            first checkpoint.
        notes: dict of plain values to save as well, or a callable that returns one; may be changed
            while training.

    Attributes:
        saved_step: number of steps in `last.npz`, once this object has saved or restored it.
        saved_epoch: number of epochs in it.
        best, best_step: the best score so far and the steps that made it, or None.

    Raises:
        ValueError: if `every` is below 1, the direction of the monitor is unknown, or a name of
            the notes is taken.
        MedganError: if a file cannot be written (the message says what is left), or files are there
            and none of them is whole.
        RecipeError: if a checkpoint does not fit the model.

    Example:
        >>> import tempfile
        >>> from medgan.callbacks import Checkpoint, LossCurves
        >>> from medgan.data import phantoms, training_batches
        >>> from medgan.losses import StructuralFusionLoss
        >>> from medgan.models import FusionGAN
        >>> from medgan.networks import dense_fusion_generator, modality_discriminator
        >>> pairs = phantoms(count=2, patients=2, image_size=64)
        >>> def train(directory, epochs):
        ...     generator = dense_fusion_generator(width=2, dense_layers=1)
        ...     networks = generator, modality_discriminator(width=2)
        ...     trainer = FusionGAN(*networks, content_loss=StructuralFusionLoss())
        ...     trainer.compile("adam", "adam", run_eagerly=True)
        ...     others = [LossCurves(directory + "/losses.png", every=9)]
        ...     checkpoint = Checkpoint(directory, callbacks=others)
        ...     trainer.fit(
        ...         training_batches(pairs, 2, crop=24, first_step=checkpoint.first_step),
        ...         epochs=epochs,
        ...         steps_per_epoch=1,
        ...         shuffle=False,
        ...         verbose=0,
        ...         callbacks=[*others, checkpoint],
        ...     )
        ...     return checkpoint.saved_step
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     train(directory, epochs=1), train(directory, epochs=2)
        (1, 2)
    """

    def __init__(
        self,
        directory,
        every=1,
        monitor=None,
        mode=None,
        callbacks=(),
        resume=True,
        notes=None,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"Received every={every}, expected a number of epochs from 1 up.")
        self.directory = pathlib.Path(directory)
        self.every = every
        self.monitor = monitor
        self.mode = None if monitor is None else direction(monitor, mode)
        self.callbacks = list(callbacks)
        self.resume = resume
        self.notes = {} if notes is None else notes
        self.saved_step = self.saved_epoch = None
        self.best = self.best_step = None
        self._epochs = self._batches = self._batches_of_epoch = 0
        self._folder = CheckpointFolder(directory)
        self._anew = False  # whether what lies in the folder belongs to another training
        self._keep_last = True  # whether last.npz is worth being the previous one

    # What there is.

    def newest(self, only=None):
        """Returns the notes of the newest whole checkpoint, or None if there is none.

        They are a dict: what the user gave, `epoch`, `batches` and `step` (numbers of those done;
        under loss scaling the optimizer leaves steps out), `stopped` (whether a callback ended the
        training), `best`, `best_step`, `medgan` and `callbacks`.

        Args:
            only: callable from notes to whether this one will do; None takes any.

        Raises:
            MedganError: if there are files and none is whole.
        """
        return self._folder.newest(only)[1]

    @property
    def first_step(self):
        """The batch to begin the data with: that behind the newest whole checkpoint, or 0."""
        return ((self.newest() if self.resume else None) or {"batches": 0})["batches"]

    # Going back.

    def restore(self, model, only=None):
        """Puts the newest whole checkpoint into a model, outside `fit` too; no callback is told.

        The weights are those of the last step; `assign_averages` puts averages in.

        Args:
            model: the model, built and compiled.
            only: callable from notes to whether this one will do, as in
                `lambda notes: not notes.get("suspicious")`.

        Returns:
            The notes, or None (and nothing restored) if nothing will do.
        """
        self.set_model(model)
        return self._take(only)[1]

    def roll_back(self, model, only):
        """Restores the newest checkpoint that will do and forgets those after it.

        It becomes `last.npz`, from which the next `fit` and any later process go on; callbacks get
        their states back, which cuts off logs. What is changed in the model after this, such as a
        learning rate, needs a `save()` to last.

        Args:
            model: the model, built and compiled.
            only: callable from notes to whether this one will do.

        Returns:
            The notes, or None (and nothing changed) if nothing will do.
        """
        self.set_model(model)
        path, notes = self._take(only)
        if path is None:
            return None
        if self._folder.end_with(path, notes["step"]):
            self.best = self.best_step = None
        put_back(self.callbacks, notes["callbacks"])
        self.resume = self._keep_last = True
        return notes

    def _take(self, only=None):
        path, notes = self._folder.newest(only, warn=True)
        if path is not None:
            _build_optimizer(self.model)
            load_state(path, self.model)
            self.saved_step, self.saved_epoch = notes["step"], notes["epoch"]
            self.best, self.best_step = notes["best"], notes["best_step"]
            self._epochs, self._batches = notes["epoch"], notes["batches"]
            self._keep_last = path == self._folder.last
        return path, notes

    # Callback.

    def on_train_begin(self, logs=None):
        """Goes on from the newest whole checkpoint, if there is one and it is wanted."""
        path, notes = self._take() if self.resume else (None, None)
        self._anew = path is None
        if path is None:
            self.best = self.best_step = self.saved_step = self.saved_epoch = None
            self._batches = 0
            return
        put_back(self.callbacks, notes["callbacks"])
        self.model._initial_epoch = notes["epoch"]
        if notes["stopped"]:
            self.model._initial_epoch = max(notes["epoch"], self.params["epochs"])
            _logger.warning("Training was stopped at step %d: it does not go on.", notes["step"])

    def on_epoch_begin(self, epoch, logs=None):
        """Lets a later `fit` begin where it wants."""
        self.model._initial_epoch = None
        self._batches_of_epoch = 0

    def on_train_batch_end(self, batch, logs=None):
        """Counts; an optimizer that skips a step does not."""
        self._batches_of_epoch = batch + 1

    def on_train_end(self, logs=None):
        """Lets a later `fit` begin where it wants, if there was no epoch."""
        self.model._initial_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        """Saves if the epoch is due, the last one, or the best one."""
        self._epochs = epoch + 1
        self._batches += self._batches_of_epoch
        value = None if self.monitor is None else (logs or {}).get(self.monitor)
        improved = value is not None and is_better(float(value), self.best, self.mode)
        if improved:
            self.best, self.best_step = float(value), step_of(self.model)
        last = epoch + 1 == (self.params or {}).get("epochs")
        if improved or last or (epoch + 1) % self.every == 0 or self.model.stop_training:
            self._save(improved)

    def save(self):
        """Saves now, between two epochs.

        Raises:
            MedganError: if the files cannot be written; the message says what is left.
        """
        self._save(is_best=False)

    def _save(self, is_best):
        _build_optimizer(self.model)
        notes = self._notes()
        self._folder.add(self.model, notes, is_best, self._anew, self._keep_last)
        self._anew, self._keep_last = False, True
        self.saved_step, self.saved_epoch = notes["step"], notes["epoch"]

    def _notes(self):
        given = self.notes() if callable(self.notes) else self.notes
        ours = {
            "epoch": self._epochs,
            "batches": self._batches,
            "step": step_of(self.model),
            "stopped": bool(self.model.stop_training),
            "best": self.best,
            "best_step": self.best_step,
            "medgan": medgan.__version__,
            "callbacks": states_of(self.callbacks),
        }
        taken = sorted(given.keys() & ours.keys())
        if taken:
            raise ValueError(f"Received notes named {', '.join(taken)}, expected other names.")
        return {**given, **ours}


def _build_optimizer(model):
    """Gives the optimizer of an ordinary Keras model its variables; trainers build their own."""
    optimizers = optimizers_of(model)
    if all(optimizer.built for _, optimizer in optimizers):
        return
    if len(optimizers) > 1:
        names = " and ".join(name for name, _ in optimizers)
        raise MedganError(
            f"Received a {type(model).__name__} whose {names} have no variables yet, expected a "
            "built trainer. Call it on a batch first."
        )
    strategy = getattr(model, "distribute_strategy", None)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model.optimizer.build(model.trainable_variables)
