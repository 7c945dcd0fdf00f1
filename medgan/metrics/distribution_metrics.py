"""The scores of synthesis as Keras metrics."""

import keras

from medgan import ops
from medgan.metrics.distribution_metric import DistributionMetric


@keras.saving.register_keras_serializable(package="medgan")
class FrechetDistance(DistributionMetric):
    """Frechet distance (FID) over any encoder; see `medgan.ops.frechet_distance`.

    Args:
        encoder: as for `DistributionMetric`, and so are the others.
        capacity: number of images of each kind that are kept.
        name: name of the metric.
        dtype: type of the features.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from medgan.metrics import FrechetDistance
        >>> image = keras.Input((4, 4, 1))
        >>> brightness = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
        >>> metric = FrechetDistance(brightness)
        >>> dark, bright = np.zeros((3, 4, 4, 1)), np.ones((2, 4, 4, 1))
        >>> metric.update_state(dark, bright)
        >>> float(metric.result())
        1.0
    """

    def __init__(self, encoder=None, capacity=2000, name="fid", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns `medgan.ops.frechet_distance`."""
        return ops.frechet_distance(real, generated)


@keras.saving.register_keras_serializable(package="medgan")
class KernelDistance(DistributionMetric):
    """Unbiased kernel distance (KID) over any encoder; see `medgan.ops.kernel_distance`."""

    def __init__(self, encoder=None, capacity=2000, name="kid", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns `medgan.ops.kernel_distance`."""
        return ops.kernel_distance(real, generated)


@keras.saving.register_keras_serializable(package="medgan")
class GenerativePrecision(DistributionMetric):
    """Share of generated images that look real; see `medgan.ops.precision_recall`."""

    smallest = 4

    def __init__(self, encoder=None, capacity=2000, name="precision", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns the first of `medgan.ops.precision_recall`, third neighbours."""
        return ops.precision_recall(real, generated)[0]


@keras.saving.register_keras_serializable(package="medgan")
class GenerativeRecall(DistributionMetric):
    """Share of real images within the generator's reach; see `medgan.ops.precision_recall`."""

    smallest = 4

    def __init__(self, encoder=None, capacity=2000, name="recall", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns the second of `medgan.ops.precision_recall`, third neighbours."""
        return ops.precision_recall(real, generated)[1]


@keras.saving.register_keras_serializable(package="medgan")
class Density(DistributionMetric):
    """How densely generated images lie among real ones; see `medgan.ops.density_coverage`."""

    smallest = 6

    def __init__(self, encoder=None, capacity=2000, name="density", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns the first of `medgan.ops.density_coverage`, fifth neighbours."""
        return ops.density_coverage(real, generated)[0]


@keras.saving.register_keras_serializable(package="medgan")
class Coverage(DistributionMetric):
    """Share of real neighbourhoods that are reached; see `medgan.ops.density_coverage`."""

    smallest = 6

    def __init__(self, encoder=None, capacity=2000, name="coverage", dtype=None):
        super().__init__(encoder, capacity, name, dtype)

    def score(self, real, generated):
        """Returns the second of `medgan.ops.density_coverage`, fifth neighbours."""
        return ops.density_coverage(real, generated)[1]
