"""Pure maths on image tensors, in `keras.ops`: no state, no models, one score per image."""

from medgan.ops.contrast import average_gradient, standard_deviation
from medgan.ops.contrast_to_noise import contrast_to_noise
from medgan.ops.correlation import (
    fusion_correlation,
    pearson,
    sum_of_correlations_of_differences,
)
from medgan.ops.distribution import (
    density_coverage,
    frechet_distance,
    kernel_distance,
    nearest,
    precision_recall,
)
from medgan.ops.edge_preservation import edge_preservation, smooth_edge_preservation
from medgan.ops.feature_information import feature_mutual_information
from medgan.ops.fidelity import (
    fusion_peak_signal_to_noise,
    masked_ssim,
    mean_absolute_error,
    normalised_cross_correlation,
    peak_signal_to_noise,
    root_mean_square_error,
)
from medgan.ops.filters import blur, gaussian_window, haar, quantise, sobel
from medgan.ops.fusion_artefacts import fusion_artefacts
from medgan.ops.gradients import gradient_penalty, input_gradients
from medgan.ops.head import head_mask, head_ssim
from medgan.ops.information import (
    entropy,
    fusion_mutual_information,
    normalised_mutual_information,
)
from medgan.ops.multi_scale_ssim import fusion_ms_ssim, ms_ssim
from medgan.ops.spatial_frequency import spatial_frequency
from medgan.ops.ssim import (
    fusion_ssim,
    fusion_ssim_legacy_sum,
    fusion_ssim_matlab,
    fusion_ssim_uniform,
    ssim,
    ssim_map,
)
from medgan.ops.visual_information import smooth_visual_information, visual_information

__all__ = [
    "average_gradient",
    "blur",
    "contrast_to_noise",
    "density_coverage",
    "edge_preservation",
    "entropy",
    "feature_mutual_information",
    "frechet_distance",
    "fusion_artefacts",
    "fusion_correlation",
    "fusion_ms_ssim",
    "fusion_mutual_information",
    "fusion_peak_signal_to_noise",
    "fusion_ssim",
    "fusion_ssim_legacy_sum",
    "fusion_ssim_matlab",
    "fusion_ssim_uniform",
    "gaussian_window",
    "gradient_penalty",
    "haar",
    "head_mask",
    "head_ssim",
    "input_gradients",
    "kernel_distance",
    "masked_ssim",
    "mean_absolute_error",
    "ms_ssim",
    "nearest",
    "normalised_cross_correlation",
    "normalised_mutual_information",
    "peak_signal_to_noise",
    "pearson",
    "precision_recall",
    "quantise",
    "root_mean_square_error",
    "smooth_edge_preservation",
    "smooth_visual_information",
    "sobel",
    "spatial_frequency",
    "ssim",
    "ssim_map",
    "standard_deviation",
    "sum_of_correlations_of_differences",
    "visual_information",
]
