"""What holds for every score of images: batches, graphs, ranges, constant images."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan import ops

SIDE = 40
LARGE = 176  # for the five scales of MS-SSIM

# Name, function of (sources, fused) in 0..255, smallest and largest value, smallest side.
SCORES = [
    ("ssim", lambda *images: ops.fusion_ssim(*images, 255.0), -1, 1, SIDE),
    ("ssim_uniform", ops.fusion_ssim_uniform, -1, 1, SIDE),
    ("ssim_legacy_sum", ops.fusion_ssim_legacy_sum, -2, 2, SIDE),
    ("ssim_matlab", ops.fusion_ssim_matlab, -1, 1, SIDE),
    ("ms_ssim", lambda *images: ops.fusion_ms_ssim(*images, 255.0), 0, 1, LARGE),
    ("cc", ops.fusion_correlation, -1, 1, SIDE),
    ("mi", ops.fusion_mutual_information, 0, 2 * np.log(256), SIDE),
    ("nmi", ops.normalised_mutual_information, 0, 2, SIDE),
    ("nabf", ops.fusion_artefacts, 0, 1, SIDE),
    ("psnr", ops.fusion_peak_signal_to_noise, -100, 100, SIDE),
    ("psnr_peak", lambda *images: ops.fusion_peak_signal_to_noise(*images, None), -100, 100, SIDE),
    ("en", lambda sources, fused: ops.entropy(fused), 0, 8, SIDE),
    ("sd", lambda sources, fused: ops.standard_deviation(fused), 0, 127.5, SIDE),
    ("ag", lambda sources, fused: ops.average_gradient(fused), 0, 255, SIDE),
]
NAMES = [name for name, *_ in SCORES]


def pictures(side):
    """Sources and fused images, among them black, white and constant ones."""
    rng = np.random.default_rng(1)
    images = rng.normal(size=(6, side, side, 3))
    images = 255 * ndimage.gaussian_filter(images, (0, 1, 1, 0)) + 100
    images[..., 2] = images[..., :2].mean(axis=-1)
    images[1, ..., 2] = rng.uniform(0, 255, size=(side, side))
    images[2, ..., 2] = 0
    images[3, ..., :2] = 255
    images[4] = 77
    images[5] = (0, 255, 0)
    images = np.round(np.clip(images, 0, 255)).astype("float32")
    return images[..., :2], images[..., 2:]


@pytest.mark.parametrize(("score", "lowest", "highest", "side"), [s[1:] for s in SCORES], ids=NAMES)
def test_a_batch_of_unknown_size_in_a_graph_scores_each_image_alone(score, lowest, highest, side):
    sources, fused = pictures(side)
    signature = [tf.TensorSpec((None, None, None, channels)) for channels in (2, 1)]
    graph = tf.function(score, input_signature=signature, autograph=False)
    together = np.asarray(graph(sources, fused))
    assert together.shape == (6,)
    assert together.dtype == np.float32
    single = np.concatenate([graph(sources[i : i + 1], fused[i : i + 1]) for i in range(6)])
    assert_allclose(together, single, rtol=1e-5, atol=1e-6)
    # constant images have a value as well, and within the range
    assert np.isfinite(together).all()
    assert (together >= lowest - 1e-5).all()
    assert (together <= highest + 1e-5).all()
