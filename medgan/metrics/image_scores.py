"""Image scores as Keras metrics: the mean over images, whatever the sizes of the batches."""

import abc

import keras
from keras import ops

from medgan.metrics.fusion_scores import FUSION_SCORES
from medgan.metrics.translation_scores import TRANSLATION_SCORES
from medgan.ops import quantise


class ImageScore(keras.metrics.Mean, abc.ABC):
    """The mean over images of one score of a table, as a Keras metric.

    Args:
        score: key of the table, such as `"ssim"`.
        name: name of the metric, the key by default.
        dtype: type of the state.

    Raises:
        ValueError: if the table has no such score.
    """

    def __init__(self, score, name=None, dtype=None):
        if score not in self.scores:
            raise ValueError(
                f"Received the score {score!r}, expected one of {', '.join(self.scores)}."
            )
        super().__init__(name=name or score, dtype=dtype)
        self.score = score

    @property
    @abc.abstractmethod
    def scores(self):
        """The table, name to `Score`."""

    @abc.abstractmethod
    def prepared(self, images):
        """Images in [0, 1] as the table wants them, in 0..255."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch to the mean; every image counts the same, or by its weight."""
        score = self.scores[self.score].function
        values = score(self.prepared(y_true), self.prepared(y_pred))
        super().update_state(values, sample_weight)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"score": self.score, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="medgan")
class FusionScore(ImageScore):
    """A score of `medgan.metrics.FUSION_SCORES` as a Keras metric.

    Sources `(batch, height, width, 2)` and fused images `(batch, height, width, 1)` are taken in
    [0, 1] and scored as an 8-bit file would hold them: times 255, clipped, rounded, never
    stretched.

    Args:
        score: key of the table: `"sf"`, `"ssim"`, `"vif"`, a variant such as
            `"ssim_legacy_sum"`, ...
        name: name of the metric, the key by default.
        dtype: type of the state.

    Raises:
        ValueError: if there is no such score.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import FusionScore
        >>> sources = np.random.default_rng(0).uniform(size=(3, 32, 32, 2)).astype("float32")
        >>> metric = FusionScore("ssim")
        >>> metric.update_state(sources, sources[..., :1])
        >>> 0.45 < float(metric.result()) < 0.6  # 1 with the first source, about 0 with the other
        True
    """

    scores = FUSION_SCORES

    def prepared(self, images):
        """Whole numbers in 0..255."""
        return quantise(images)


@keras.saving.register_keras_serializable(package="medgan")
class TranslationScore(ImageScore):
    """A score of `medgan.metrics.TRANSLATION_SCORES` as a Keras metric.

    Targets and outputs `(batch, height, width, 1)` are taken in [0, 1], clipped and scaled to
    0..255, not rounded: images of 16 bits keep their precision.

    Args:
        score: key of the table: `"mae"`, `"psnr"`, `"ssim_head"`, ...
        name: name of the metric, the key by default.
        dtype: type of the state.

    Raises:
        ValueError: if there is no such score.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import TranslationScore
        >>> target = np.zeros((2, 16, 16, 1), "float32")
        >>> metric = TranslationScore("mae")
        >>> metric.update_state(target, target + 0.2)
        >>> round(float(metric.result()), 3)  # 0.2 of 255 grey levels
        51.0
    """

    scores = TRANSLATION_SCORES

    def prepared(self, images):
        """0..255, clipped, not rounded."""
        return scaled(images)


def scaled(images):
    """Maps [0, 1] to 0..255, clipped, not rounded; float32."""
    return 255.0 * ops.clip(ops.cast(images, "float32"), 0.0, 1.0)
