"""The scores of fused images, by the short names that logs, CSV and JSON use."""

from medgan import ops
from medgan.metrics.score import Score
from medgan.ops.multi_scale_ssim import SMALLEST_SIDE as MS_SSIM_SIDE
from medgan.ops.visual_information import SMALLEST_SIDE as VIF_SIDE

FUSION_SCORES = {
    "sf": Score(
        "SF",
        lambda sources, fused: ops.spatial_frequency(fused),
        "Root of the summed mean squares of row and column differences, grey levels 0..255. Noise "
        "and ringing raise it: read it with Qabf and Nabf.",
        "Eskicioglu and Fisher 1995",
        decimals=2,
        main=True,
    ),
    "ssim": Score(
        "SSIM",
        lambda sources, fused: ops.fusion_ssim(sources, fused, 255.0),
        "Mean of the SSIMs with both sources; Gaussian 11x11, sigma 1.5, L = 255, borders cut.",
        "Wang et al. 2004",
        smallest_side=11,
        main=True,
    ),
    "ssim_head": Score(
        "SSIM head",
        ops.head_ssim,
        "SSIM averaged inside the head: the union of both sources' outlines (above 20 of 255), "
        "filled along rows and columns.",
        "Wang et al. 2004; the mask is ours",
        smallest_side=11,
        main=True,
    ),
    "scd": Score(
        "SCD",
        ops.sum_of_correlations_of_differences,
        "r(F - B, A) + r(F - A, B) in floating point, Pearson; at most 2. Overexposure raises it: "
        "read it with SSIM.",
        "Aslantas and Bendes 2015",
        main=True,
    ),
    "qabf": Score(
        "Qabf",
        ops.edge_preservation,
        "Share of the sources' edges kept; Sobel; Gamma_g .9994, kappa_g -15, sigma_g .5; "
        "Gamma_a .9879, kappa_a -22, sigma_a .8.",
        "Xydeas and Petrovic 2000",
        main=True,
    ),
    "vif": Score(
        "VIF",
        ops.visual_information,
        "Pixel domain, four scales, noise variance 2, sum over both sources (about 2 at most); "
        "what fusion papers also call VIFF.",
        "Sheikh and Bovik 2006",
        smallest_side=VIF_SIDE,
        main=True,
    ),
    "ms_ssim": Score(
        "MS-SSIM",
        lambda sources, fused: ops.fusion_ms_ssim(sources, fused, 255.0),
        "Mean of the multi-scale SSIMs with both sources; five scales, Gaussian 11x11, L = 255.",
        "Wang, Simoncelli and Bovik 2003",
        smallest_side=MS_SSIM_SIDE,
    ),
    "mi": Score(
        "MI",
        ops.fusion_mutual_information,
        "Mutual information in nats, 256 bins, sum over both sources.",
        "Qu, Zhang and Yan 2002",
        decimals=2,
        main=True,
    ),
    "nmi": Score(
        "NMI",
        ops.normalised_mutual_information,
        "2 I(A, F) / (H(A) + H(F)) + 2 I(B, F) / (H(B) + H(F)), 256 bins; at most 2.",
        "Hossny, Nahavandi and Creighton 2008",
    ),
    "fmi": Score(
        "FMI",
        ops.feature_mutual_information,
        "Feature mutual information: derivative along x, windows of 3x3, mean over both sources.",
        "Haghighat, Aghagolzadeh and Seyedarabi 2011; Haghighat and Razian 2014",
        smallest_side=3,
    ),
    "en": Score(
        "EN",
        lambda sources, fused: ops.entropy(fused),
        "Entropy of the fused image in bits, 256 bins. Noise and a lifted background raise it.",
        "Shannon 1948",
        better=None,
    ),
    "sd": Score(
        "SD",
        lambda sources, fused: ops.standard_deviation(fused),
        "Population standard deviation in grey levels of 0..255. Stretching raises it.",
        "-",
        better=None,
        decimals=2,
    ),
    "ag": Score(
        "AG",
        lambda sources, fused: ops.average_gradient(fused),
        "Average gradient: central differences, sqrt((gx^2 + gy^2) / 2), mean over rows x columns. "
        "Noise raises it.",
        "Cui et al. 2015",
        better=None,
        decimals=2,
    ),
    "cc": Score(
        "CC",
        ops.fusion_correlation,
        "Mean of the Pearson correlations with both sources.",
        "-",
    ),
    "psnr": Score(
        "PSNR",
        ops.fusion_peak_signal_to_noise,
        "Decibels, peak 255, of the mean square error averaged over both sources. The average of "
        "the sources has the best possible value.",
        "-",
        decimals=2,
    ),
    "nabf": Score(
        "Nabf",
        ops.fusion_artefacts,
        "Artefacts added by fusion, Petrovic's measure with Kumar's modification, fused image "
        "first.",
        "Kumar 2013",
        better="lower",
        main=True,
    ),
    "ssim_uniform": Score(
        "SSIM 7x7",
        ops.fusion_ssim_uniform,
        "Variant of SSIM: scikit-image's defaults, uniform 7x7, L = 255, sample covariance.",
        "Wang et al. 2004",
        smallest_side=7,
    ),
    "ssim_legacy_sum": Score(
        "SSIM sum",
        ops.fusion_ssim_legacy_sum,
        "Variant of SSIM: sum over both sources, uniform 7x7, data range 2 on 0..255 data, as the "
        "evaluator of CDDFuse prints it.",
        "Zhao et al. 2023 (code)",
        smallest_side=7,
    ),
    "ssim_matlab": Score(
        "SSIM L=1",
        ops.fusion_ssim_matlab,
        "Variant of SSIM: Gaussian 11x11, L = 1 on 0..255 data, borders repeated, as MATLAB "
        "toolboxes print it.",
        "Wang et al. 2004",
    ),
    "mi_bits": Score(
        "MI bits",
        lambda sources, fused: ops.fusion_mutual_information(sources, fused, "bits"),
        "Variant of MI: in bits, 1.4427 times as many.",
        "Qu, Zhang and Yan 2002",
    ),
    "ag_interior": Score(
        "AG interior",
        lambda sources, fused: ops.average_gradient(fused, interior=True),
        "Variant of AG: the sum divided by (rows - 1)(columns - 1), as some toolboxes do.",
        "Cui et al. 2015",
        better=None,
        decimals=2,
    ),
    "psnr_peak_fused": Score(
        "PSNR peak",
        lambda sources, fused: ops.fusion_peak_signal_to_noise(sources, fused, None),
        "Variant of PSNR: the peak is the brightest pixel of the fused image.",
        "-",
        decimals=2,
    ),
}
"""Name to `Score`, in the order of tables."""
