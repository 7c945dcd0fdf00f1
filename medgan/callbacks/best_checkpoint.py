"""The checkpoint of the best validation so far."""

import concurrent.futures
import json
import pathlib

import keras

from medgan.callbacks.monitor import Monitor
from medgan.callbacks.save_atomically import save_atomically
from medgan.networks import full_precision
from medgan.run import write_json


class BestCheckpoint(Monitor):
    """Keeps the model, or one network of it, as it was at the best validation so far.

    Put it behind the report that logs the score. Which way is better is known for the scores of
    `medgan.metrics`. Of equal ones the older stays; NaN never wins; epochs without the score pass.
    Beside the model lies a JSON file of the same name: monitor, value, step and epoch.

    Where `Checkpoint` goes back to before the best that lies there, both files are removed and the
    best is forgotten: a replay of the same steps writes them again, any other way its own best.

    Where `AveragedWeights` stands before it, what is scored and kept are the averaged weights. Keep
    a network then: a trainer saved with its averages put in cannot go on training from its
    weights, `Checkpoint` behind the keeper can.

    Args:
        path: `.keras` file; its folder is made if missing.
        monitor: name of a logged value.
        network: attribute of the trainer that is kept, such as `"generator"` or `"student"`, in
            float32 whatever it trains in; None or `""` keeps the whole trainer.
        mode: `"max"` or `"min"`, for values that medgan does not know.
        directory: folder of a relative path; recipes set it to the stage's checkpoints.

    Raises:
        ValueError: if the direction is not known, the file is no `.keras`, or (when training
            begins) there is no such network.
        MedganError: if a file cannot be written.

    Example:
        >>> from medgan.callbacks import BestCheckpoint
        >>> best = BestCheckpoint("best.keras", "val_rmse", network="generator", directory="run")
        >>> best.mode, best.path.as_posix()
        ('min', 'run/best.keras')
    """

    def __init__(self, path, monitor="val_ssim_head", network=None, mode=None, directory=None):
        super().__init__(monitor, mode)
        self.path = pathlib.Path(directory or "", path)
        self.network = network
        self.directory = directory
        if self.path.suffix != ".keras":
            raise ValueError(f"Received path={str(path)!r}, expected a name that ends in .keras.")

    def _kept(self):
        """The model that is saved."""
        kept = getattr(self.model, self.network, None) if self.network else self.model
        if not isinstance(kept, keras.Model):
            parts = {name: part for name, part in vars(self.model).items() if name[0] != "_"}
            there = [name for name, part in parts.items() if isinstance(part, keras.Model)]
            raise ValueError(
                f"Received network={self.network!r} for a {type(self.model).__name__}, expected "
                f"one of {', '.join(there) or 'no networks'}, or None for the whole model."
            )
        return kept

    def on_train_begin(self, logs=None):
        """Looks whether there is such a network."""
        super().on_train_begin(logs)
        self._kept()

    def set_state(self, state):
        """Goes on from a state of `get_state`; a best of later steps goes."""
        super().set_state(state)
        described = self.path.with_suffix(".json")
        if self.best is None or _step_in(described) > self.best_step:
            self.path.unlink(missing_ok=True)
            described.unlink(missing_ok=True)
        if not self.path.exists():
            self.best = self.best_step = None

    def react(self, improved, value, epoch):
        """Saves an improvement."""
        if improved:
            kept = self._kept()
            kept = _plain(kept) if self.network else kept
            save_atomically(kept, self.path, "the best before")
            said = {"monitor": self.monitor, "value": value, "step": self.best_step, "epoch": epoch}
            write_json(self.path.with_suffix(".json"), said)


def _step_in(path):
    """The step that a description names, or -1 where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["step"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return -1


def _plain(network):
    """The network in float32 and, if it must be rebuilt for that, on no strategy's devices."""
    import tensorflow as tf

    if not tf.distribute.has_strategy():
        return full_precision(network)
    # TensorFlow has no way out of a strategy's scope but another thread: scopes are of one thread.
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        return other.submit(full_precision, network).result()
