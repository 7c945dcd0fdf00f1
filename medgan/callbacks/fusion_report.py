"""Validation of a fusion network beside the methods it must beat."""

from medgan.callbacks.report import Report
from medgan.classical import average, maximum
from medgan.metrics import score_fusion


class FusionReport(Report):
    """Scores the model and its rivals on validation pairs with everything in `FUSION_SCORES`.

    The model's scores enter the epoch's logs as `val_sf`, `val_ssim`, ... for the callbacks behind
    this one (loggers, `StopWithoutImprovement`, `BestCheckpoint`). The rivals do not change in
    training and are scored once, at its start.

    Args:
        batches: re-iterable of validation sources `(batch, height, width, 2)` in [0, 1].
        patients: patient of each validation image, in order, for means by patient; None counts
            every image alike.
        rivals: name to callable from sources to fused images (a frozen teacher, a classical
            method); the average and the pixel-wise maximum are always there.
        every: number of epochs between two validations.
        keys: names of the scores; None means every one that the images have room for.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import FusionReport
        >>> pairs = [np.random.default_rng(0).uniform(size=(2, 48, 48, 2)).astype("float32")]
        >>> report = FusionReport(pairs, keys=["sf", "ssim"])
        >>> report.on_train_begin()
        >>> sorted(report.scores)
        ['average', 'maximum']
    """

    def __init__(self, batches, patients=None, rivals=None, every=1, keys=None):
        rivals = {"average": average, "maximum": maximum, **(rivals or {})}
        super().__init__(batches, patients, rivals, every, keys)

    def values(self, method):
        """Returns `medgan.metrics.score_fusion`."""
        return score_fusion(method, self.batches, self.keys)
