"""The base of reports: a model's scores beside those of its rivals."""

import abc
import logging

import numpy as np

from medgan.callbacks.periodic import Periodic
from medgan.metrics import mean_by_patient

_logger = logging.getLogger(__name__)


class Report(Periodic, abc.ABC):
    """Scores the model on validation images every few epochs, its rivals once.

    A final report says how a method is scored (`values`). The model's means enter the epoch's logs
    as `val_...` for the callbacks behind this one; a score that no image has room for is left out.
    A method with outputs that are not finite gets no scores, but a warning.

    Args:
        batches: re-iterable of validation batches.
        patients: patient of each validation image, in order, for means by patient; None counts
            every image alike.
        rivals: name to callable, as the final report takes it.
        every: number of epochs between two validations.
        keys: names of the scores; None means every one that the images have room for.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.
    """

    def __init__(self, batches, patients=None, rivals=None, every=1, keys=None):
        super().__init__(every)
        self.batches = batches
        self.patients = patients
        self.rivals = dict(rivals or {})
        self.keys = keys
        self.scores = {}

    def get_state(self):
        """Returns the model's last scores, for `Checkpoint`; rivals are scored again."""
        return {**super().get_state(), "model": self.scores.get("model")}

    def set_state(self, state):
        """Goes on from these scores."""
        super().set_state(state)
        self.scores.pop("model", None)
        if state["model"] is not None:
            self.scores["model"] = state["model"]

    @abc.abstractmethod
    def values(self, method):
        """Scores a callable on the batches; returns score name to one value per image."""

    def _score(self, name, method, epoch=None):
        """Scores a method anew; leaves none where an output is not finite."""
        finite = []

        def watched(inputs):
            outputs = np.asarray(method(inputs))
            finite.extend(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1))
            return outputs

        means = {
            key: mean_by_patient(values, self.patients)
            for key, values in self.values(watched).items()
        }
        self.scores.pop(name, None)
        if not all(finite):
            # A mean over the others would hide it, for NaN counts as missing.
            _logger.warning(
                "%d of %d outputs of the %s are not finite: no scores%s. %s.",
                len(finite) - sum(finite),
                len(finite),
                "model" if name == "model" else f"rival {name!r}",
                "" if epoch is None else f" in epoch {epoch}",
                "Lower the learning rate" if name == "model" else "Repair it or leave it out",
            )
            return
        self.scores[name] = {key: mean for key, mean in means.items() if np.isfinite(mean)}

    def on_train_begin(self, logs=None):
        """Scores the rivals."""
        for name, method in self.rivals.items():
            if name not in self.scores:
                self._score(name, method)

    def act(self, epoch, logs):
        """Scores the model."""
        self._score("model", lambda x: self.model(x, training=False), epoch)
        logs.update({f"val_{key}": mean for key, mean in self.scores.get("model", {}).items()})
