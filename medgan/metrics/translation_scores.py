"""The scores of translation and super-resolution, over the frame and inside the head."""

from medgan import ops
from medgan.metrics.score import Score
from medgan.ops.multi_scale_ssim import SMALLEST_SIDE as MS_SSIM_SIDE

HEAD = (
    "inside the head: the target's outline (above 20 of 255), filled along rows and columns; the "
    "output has no say in it"
)


def _inside(score):
    """The score inside the head of the target."""
    return lambda target, output: score(target, output, mask=ops.head_mask(target / 255.0))


def _frame_and_head(key, score, head_main=False, **about):
    """Both entries of a score: over the frame, and inside the head.

    Most of a frame is air, which is easy: what is main over the frame and moves with the share of
    air (`head_main`) is main inside the head too.
    """
    convention, title = about.pop("convention"), about.pop("title")
    return {
        key: Score(title, score, f"{convention}.", **about),
        f"{key}_head": Score(
            f"{title} head",
            _inside(score),
            f"{convention}, {HEAD}.",
            **{**about, "main": head_main},
        ),
    }


TRANSLATION_SCORES = {
    **_frame_and_head(
        "mae",
        ops.mean_absolute_error,
        title="MAE",
        convention="Mean absolute error in grey levels of 0..255, no Hounsfield units",
        source="-",
        better="lower",
        decimals=2,
        main=True,
        head_main=True,
    ),
    **_frame_and_head(
        "rmse",
        ops.root_mean_square_error,
        title="RMSE",
        convention="Root of the mean square error in grey levels of 0..255",
        source="-",
        better="lower",
        decimals=2,
        main=True,
    ),
    **_frame_and_head(
        "psnr",
        ops.peak_signal_to_noise,
        title="PSNR",
        convention="Decibels, peak 255; equal images count 100",
        source="-",
        decimals=2,
        main=True,
        head_main=True,
    ),
    **_frame_and_head(
        "ssim",
        lambda target, output, mask=None: (
            ops.ssim(target, output, 255.0)
            if mask is None
            else ops.masked_ssim(target, output, mask, 255.0)
        ),
        title="SSIM",
        convention="Gaussian 11x11, sigma 1.5, L = 255, borders cut",
        source="Wang et al. 2004",
        smallest_side=11,
        main=True,
        head_main=True,
    ),
    **_frame_and_head(
        "ms_ssim",
        lambda target, output, mask=None: ops.ms_ssim(target, output, 255.0, mask),
        title="MS-SSIM",
        convention="Five scales, Gaussian 11x11, sigma 1.5, L = 255",
        source="Wang, Simoncelli and Bovik 2003",
        smallest_side=MS_SSIM_SIDE,
    ),
    **_frame_and_head(
        "ncc",
        ops.normalised_cross_correlation,
        title="NCC",
        convention="Zero-mean normalised cross-correlation (Pearson)",
        source="-",
        main=True,
    ),
}
"""Name to `Score`, in the order of tables; functions of (target, output) in 0..255."""
