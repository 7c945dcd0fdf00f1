"""Validation of a fusion network beside the methods it must beat."""

import numpy as np

from medgan.callbacks.report import Report
from medgan.classical import average, maximum
from medgan.metrics import score_fusion, score_phantoms


class FusionReport(Report):
    """Scores the model and its rivals on validation pairs with everything in `FUSION_SCORES`.

    The model's scores enter the epoch's logs as `val_sf`, `val_ssim`, ... for the callbacks behind
    this one (loggers, `StopWithoutImprovement`, `BestCheckpoint`). The rivals do not change in
    training and are scored once, at its start. Outputs that are not finite leave no scores, but a
    warning.

    Args:
        batches: re-iterable of validation sources `(batch, height, width, 2)` in [0, 1].
        patients: patient of each validation image, in order, for means by patient; None counts
            every image alike.
        rivals: name to callable from sources to fused images (a frozen teacher, a classical
            method); the average and the pixel-wise maximum are always there.
        every: number of epochs between two validations.
        keys: names in `FUSION_SCORES`; None means every one that the images have room for.
        labels: what every pixel of each validation image shows, `(height, width)` each, in order
            (`medgan.data.phantom_labels`); then the contrasts of `PHANTOM_SCORES` are there as
            well, as means over the images that have the structure. None for other data.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.

    Raises:
        ValueError: (when scored) if a key is unknown, or there is not one map of the same size per
            image.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import FusionReport
        >>> pairs = [np.random.default_rng(0).uniform(size=(2, 48, 48, 2)).astype("float32")]
        >>> report = FusionReport(pairs, keys=["sf", "ssim"])
        >>> report.on_train_begin()
        >>> sorted(report.scores)
        ['average', 'maximum']
    """

    def __init__(self, batches, patients=None, rivals=None, every=1, keys=None, labels=None):
        rivals = {"average": average, "maximum": maximum, **(rivals or {})}
        super().__init__(batches, patients, rivals, every, keys)
        self.labels = labels

    def values(self, method):
        """Returns `medgan.metrics.score_fusion`, and the contrasts where there are labels."""
        if self.labels is None:
            return score_fusion(method, self.batches, self.keys)
        contrasts, seen = [], 0

        def looked_at(sources):
            nonlocal seen
            sources = np.asarray(sources)
            maps = self.labels[seen : seen + len(sources)]
            if [np.shape(each) for each in maps] != [sources.shape[1:3]] * len(sources):
                raise ValueError(
                    f"Received label maps of the shapes {[np.shape(each) for each in maps]} for "
                    f"images of {sources.shape[:3]}, expected one map of the same size per image."
                )
            seen += len(sources)
            fused = method(sources)
            contrasts.append(score_phantoms(sources, fused, np.stack(maps)))
            return fused

        values = score_fusion(looked_at, self.batches, self.keys)
        if seen != len(self.labels):
            raise ValueError(
                f"Received {len(self.labels)} label maps for {seen} images, expected one per image."
            )
        joined = {key: np.concatenate([c[key] for c in contrasts]) for key in contrasts[0]}
        return {**values, **joined}
