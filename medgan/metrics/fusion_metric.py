"""A score of fused images as a Keras metric."""

import abc

import keras

from medgan.ops import quantise


class FusionMetric(keras.metrics.Mean, abc.ABC):
    """The mean over images of a score of (sources, fused image).

    Both are taken in [0, 1] and scored as an 8-bit file would hold them: times 255, clipped,
    rounded, never stretched. Every image counts the same, whatever the size of its batch.

    Call arguments of `update_state`: sources `(batch, height, width, 2)`, fused images
    `(batch, height, width, 1)`, and a weight per image or None.
    """

    @abc.abstractmethod
    def score(self, sources, fused):
        """Scores images in 0..255; returns `(batch,)`."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch to the mean."""
        super().update_state(self.score(quantise(y_true), quantise(y_pred)), sample_weight)
