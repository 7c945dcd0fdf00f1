"""Validation of a translation or super-resolution beside the methods it must beat."""

from medgan.callbacks.report import Report
from medgan.metrics import score_translation


class TranslationReport(Report):
    """Scores the model and its rivals on validation pairs with everything in `TRANSLATION_SCORES`.

    The model's scores enter the epoch's logs as `val_mae`, `val_psnr`, `val_ssim_head`, ... for the
    callbacks behind this one (loggers, `BestCheckpoint`, `StopWithoutImprovement`). The rivals do
    not change in training and are scored once, at its start. The first of them is the source
    itself: a network that does not beat it has learned nothing. Outputs that are not finite leave
    no scores, but a warning.

    Args:
        batches: re-iterable of validation pairs (source, target), float in [0, 1]: sources
            `(batch, height, width, channels)`, targets `(batch, height, width, 1)`.
        patients: patient of each validation image, in order, for means by patient; None counts
            every image alike.
        rivals: name to callable from sources to outputs (a frozen teacher, bicubic interpolation);
            `identity`, the source returned unchanged, is always there.
        every: number of epochs between two validations.
        keys: names of the scores; None means every one that the images have room for.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import TranslationReport
        >>> source = np.full((2, 16, 16, 1), 0.5, "float32")
        >>> report = TranslationReport([(source, source + 0.2)], keys=["mae"])
        >>> report.on_train_begin()
        >>> {name: round(scores["mae"]) for name, scores in report.scores.items()}
        {'identity': 51}
    """

    def __init__(self, batches, patients=None, rivals=None, every=1, keys=None):
        rivals = {"identity": lambda source: source, **(rivals or {})}
        super().__init__(batches, patients, rivals, every, keys)

    def values(self, method):
        """Scores a callable from sources to outputs."""
        return score_translation(method, self.batches, self.keys)
