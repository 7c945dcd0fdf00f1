"""The base of reports: a model's scores beside those of its rivals."""

import abc

import numpy as np

from medgan.callbacks.periodic import Periodic
from medgan.metrics import mean_by_patient


class Report(Periodic, abc.ABC):
    """Scores the model on validation images every few epochs, its rivals once.

    A final report says how a method is scored (`values`). The model's means enter the epoch's logs
    as `val_...` for the callbacks behind this one; a score that no image has room for is left out.

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

    @abc.abstractmethod
    def values(self, method):
        """Scores a callable on the batches; returns score name to one value per image."""

    def _score(self, method):
        means = {
            key: mean_by_patient(values, self.patients)
            for key, values in self.values(method).items()
        }
        return {key: mean for key, mean in means.items() if np.isfinite(mean)}

    def on_train_begin(self, logs=None):
        """Scores the rivals."""
        for name, method in self.rivals.items():
            if name not in self.scores:
                self.scores[name] = self._score(method)

    def act(self, epoch, logs):
        """Scores the model."""
        self.scores["model"] = self._score(lambda x: self.model(x, training=False))
        logs.update({f"val_{key}": mean for key, mean in self.scores["model"].items()})
