"""The scores of the fusion literature, named as in its tables."""

import keras

from medgan import ops
from medgan.metrics.fusion_metric import FusionMetric


@keras.saving.register_keras_serializable(package="medgan")
class SpatialFrequency(FusionMetric):
    """Spatial frequency (SF) of the fused image, in grey levels of 0..255; see `medgan.ops`."""

    def __init__(self, name="sf", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.spatial_frequency`; the sources play no part."""
        return ops.spatial_frequency(fused)


@keras.saving.register_keras_serializable(package="medgan")
class StructuralSimilarity(FusionMetric):
    """Mean of the two SSIMs with the sources (Gaussian 11x11, L = 255); see `medgan.ops`."""

    def __init__(self, name="ssim", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.fusion_ssim` with a data range of 255."""
        return ops.fusion_ssim(sources, fused, 255.0)


@keras.saving.register_keras_serializable(package="medgan")
class HeadStructuralSimilarity(FusionMetric):
    """`StructuralSimilarity` inside the head only; see `medgan.ops.head_mask`."""

    def __init__(self, name="ssim_head", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.head_ssim`."""
        return ops.head_ssim(sources, fused)


@keras.saving.register_keras_serializable(package="medgan")
class CorrelationsOfDifferences(FusionMetric):
    """Sum of the correlations of differences (SCD), in [-2, 2]; see `medgan.ops`."""

    def __init__(self, name="scd", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.sum_of_correlations_of_differences`."""
        return ops.sum_of_correlations_of_differences(sources, fused)


@keras.saving.register_keras_serializable(package="medgan")
class EdgePreservation(FusionMetric):
    """Share of the sources' edges that is kept (Qabf), in [0, 1]; see `medgan.ops`."""

    def __init__(self, name="qabf", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.edge_preservation`."""
        return ops.edge_preservation(sources, fused)


@keras.saving.register_keras_serializable(package="medgan")
class VisualInformation(FusionMetric):
    """Visual information fidelity (VIF), summed over both sources; see `medgan.ops`."""

    def __init__(self, name="vif", **kwargs):
        super().__init__(name=name, **kwargs)

    def score(self, sources, fused):
        """Returns `medgan.ops.visual_information`."""
        return ops.visual_information(sources, fused)
