"""Pure maths on image tensors, in `keras.ops`: no state, no models, one score per image."""

from medgan.ops.correlation import pearson, sum_of_correlations_of_differences
from medgan.ops.edge_preservation import edge_preservation, smooth_edge_preservation
from medgan.ops.filters import blur, gaussian_window, haar, quantise, sobel
from medgan.ops.head import head_mask, head_ssim
from medgan.ops.spatial_frequency import spatial_frequency
from medgan.ops.ssim import fusion_ssim, ssim, ssim_map
from medgan.ops.visual_information import smooth_visual_information, visual_information

__all__ = [
    "blur",
    "edge_preservation",
    "fusion_ssim",
    "gaussian_window",
    "haar",
    "head_mask",
    "head_ssim",
    "pearson",
    "quantise",
    "smooth_edge_preservation",
    "smooth_visual_information",
    "sobel",
    "spatial_frequency",
    "ssim",
    "ssim_map",
    "sum_of_correlations_of_differences",
    "visual_information",
]
