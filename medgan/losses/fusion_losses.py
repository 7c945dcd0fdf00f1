"""Content losses for fusion: the plain one, and the one that knows the scores."""

import keras
from keras import ops

from medgan.losses.fusion_loss import FusionLoss, check_weights
from medgan.ops import (
    fusion_ssim,
    smooth_edge_preservation,
    smooth_visual_information,
    sobel,
    spatial_frequency,
    sum_of_correlations_of_differences,
)
from medgan.ops.filters import grey, image_mean, pair


def _stronger(first, second):
    """Per pixel the value with the larger magnitude, with its sign."""
    return ops.where(ops.abs(first) >= ops.abs(second), first, second)


@keras.saving.register_keras_serializable(package="medgan")
class StructuralFusionLoss(FusionLoss):
    """Intensity, signed gradient, structure and correlation: the plain content loss.

    With sources a and b, fused image F, Sobel derivatives dx and dy:

        intensity    mean |F - max(a, b)|
        gradient     mean(|dx F - sel(dx a, dx b)| + |dy F - sel(dy a, dy b)|) / 2
        structure    1 - (SSIM(F, a) + SSIM(F, b)) / 2
        correlation  (2 - r(F - b, a) - r(F - a, b)) / 2

    `sel` takes the derivative of larger magnitude *with its sign*. The usual loss compares
    magnitudes only, and buys spatial frequency with ringing: SSIM, SCD and VIF fall.

    Args:
        intensity: weight of the intensity term.
        gradient: weight of the gradient term.
        structure: weight of the SSIM term.
        correlation: weight of the SCD term.

    Raises:
        ValueError: if a weight is negative.

    Reference:
        After Ma et al., SwinFusion, 2022, with the signed gradient and the SCD term added.
    """

    def __init__(
        self,
        intensity=20.0,
        gradient=20.0,
        structure=10.0,
        correlation=5.0,
        name="structural_fusion_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_weights(
            intensity=intensity, gradient=gradient, structure=structure, correlation=correlation
        )
        self.intensity = intensity
        self.gradient = gradient
        self.structure = structure
        self.correlation = correlation

    def terms(self, sources, fused):
        """Returns the four weighted terms, `(batch,)` each."""
        first, second = pair(sources)
        image = grey(fused)
        gradients = [sobel(value) for value in (first, second, image)]
        misses = [
            ops.abs(of_fused - _stronger(of_first, of_second))
            for of_first, of_second, of_fused in zip(*gradients, strict=True)
        ]
        brightest = ops.maximum(first, second)
        correlations = sum_of_correlations_of_differences(sources, fused, epsilon=1e-6)
        return {
            "intensity": self.intensity * image_mean(ops.abs(image - brightest)),
            "gradient": self.gradient * image_mean(sum(misses)) / 2,
            "structure": self.structure * (1 - fusion_ssim(sources, fused)),
            "correlation": self.correlation * (2 - correlations) / 2,
        }

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "intensity": self.intensity,
            "gradient": self.gradient,
            "structure": self.structure,
            "correlation": self.correlation,
        }


@keras.saving.register_keras_serializable(package="medgan")
class MetricAwareFusionLoss(FusionLoss):
    """The field's own scores, made smooth: SSIM, SCD, Qabf, VIF and a capped SF.

        structure    1 - (SSIM(F, a) + SSIM(F, b)) / 2
        correlation  2 - SCD(F)
        edges        1 - Qabf(F)
        information  2 - VIF(F)
        frequency    cap - min(SF(F) / SF(max(a, b)), cap)
        overshoot    mean of how far F lies outside [0, 1]

    The scores are those of the clipped image, as a file would hold it: an image that hides contrast
    above 1 would score in training and not in use. The overshoot alone pulls it back.

    SF counts only up to `frequency_cap` times that of the pixel-wise maximum, so that it cannot be
    bought with noise. A network trained with it is trained for these scores: judge it by others as
    well (MI, Nabf, a task). `StructuralFusionLoss` is the alternative that does not.

    Args:
        structure: weight of the SSIM term.
        correlation: weight of the SCD term.
        edges: weight of the Qabf term.
        information: weight of the VIF term.
        frequency: weight of the SF term.
        frequency_cap: share of the maximum's SF above which more is not rewarded.
        overshoot: weight of the overshoot.

    Raises:
        ValueError: if a weight is negative; in a call, if the images are under 41 pixels a side.

    Reference:
        Ours; the scores are those of `medgan.ops`, each with its source there.
    """

    def __init__(
        self,
        structure=6.0,
        correlation=0.7,
        edges=5.0,
        information=1.5,
        frequency=2.0,
        frequency_cap=1.08,
        overshoot=1.0,
        name="metric_aware_fusion_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_weights(
            structure=structure,
            correlation=correlation,
            edges=edges,
            information=information,
            frequency=frequency,
            frequency_cap=frequency_cap,
            overshoot=overshoot,
        )
        self.structure = structure
        self.correlation = correlation
        self.edges = edges
        self.information = information
        self.frequency = frequency
        self.frequency_cap = frequency_cap
        self.overshoot = overshoot

    def terms(self, sources, fused):
        """Returns the six weighted terms, `(batch,)` each."""
        sources = ops.cast(sources, "float32")
        unclipped = ops.cast(fused, "float32")
        fused = ops.clip(unclipped, 0.0, 1.0)
        grey_sources, grey_fused = 255.0 * sources, 255.0 * fused
        brightest = ops.max(sources, axis=-1, keepdims=True)
        ratio = spatial_frequency(fused) / (spatial_frequency(brightest) + 1e-3)
        outside = ops.abs(unclipped - fused)
        correlations = sum_of_correlations_of_differences(sources, fused, epsilon=1e-6)
        kept = smooth_edge_preservation(grey_sources, grey_fused)
        information = smooth_visual_information(grey_sources, grey_fused)
        shortfall = self.frequency_cap - ops.minimum(ratio, self.frequency_cap)
        return {
            "structure": self.structure * (1 - fusion_ssim(sources, fused)),
            "correlation": self.correlation * (2 - correlations),
            "edges": self.edges * (1 - kept),
            "information": self.information * (2 - information),
            "frequency": self.frequency * shortfall,
            "overshoot": self.overshoot * image_mean(outside),
        }

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "structure": self.structure,
            "correlation": self.correlation,
            "edges": self.edges,
            "information": self.information,
            "frequency": self.frequency,
            "frequency_cap": self.frequency_cap,
            "overshoot": self.overshoot,
        }
