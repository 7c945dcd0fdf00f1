"""Validation of a fusion network beside the methods it must beat."""

from medgan.callbacks.periodic import Periodic
from medgan.classical import average, maximum
from medgan.metrics import mean_by_patient, score_fusion


class FusionReport(Periodic):
    """Scores the model and its rivals on validation pairs: SF, SSIM, SSIM head, SCD, Qabf, VIF.

    The model's scores enter the epoch's logs as `val_sf`, `val_ssim`, ... for the callbacks behind
    this one (loggers, `EarlyStopping`, `ModelCheckpoint`). The rivals do not change in training and
    are scored once, at its start.

    Args:
        batches: re-iterable of validation sources `(batch, height, width, 2)` in [0, 1].
        patients: patient of each validation image, in order, for means by patient; None counts
            every image alike.
        rivals: name to callable from sources to fused images (a frozen teacher, a classical
            method); the average and the pixel-wise maximum are always there.
        every: number of epochs between two validations.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import FusionReport
        >>> pairs = [np.random.default_rng(0).uniform(size=(2, 48, 48, 2)).astype("float32")]
        >>> report = FusionReport(pairs)
        >>> report.on_train_begin()
        >>> sorted(report.scores)
        ['average', 'maximum']
    """

    def __init__(self, batches, patients=None, rivals=None, every=1):
        super().__init__(every)
        self.batches = batches
        self.patients = patients
        self.rivals = {"average": average, "maximum": maximum, **(rivals or {})}
        self.scores = {}

    def _score(self, method):
        values = score_fusion(method, self.batches)
        return {name: mean_by_patient(value, self.patients) for name, value in values.items()}

    def on_train_begin(self, logs=None):
        """Scores the rivals."""
        for name, method in self.rivals.items():
            if name not in self.scores:
                self.scores[name] = self._score(method)

    def act(self, epoch, logs):
        """Scores the model."""
        self.scores["model"] = self._score(lambda x: self.model(x, training=False))
        logs.update({f"val_{name}": value for name, value in self.scores["model"].items()})
