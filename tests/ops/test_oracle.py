"""Every column of the oracle, on all of its images, by our ops."""

import csv

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import ops

# Column, our op, relative and absolute tolerance: those of the oracle's README, Nabf's absolute.
COLUMNS = [
    ("SF", lambda sources, fused: ops.spatial_frequency(fused), 1e-5, 0),
    ("SSIM_L255u7_mean", ops.fusion_ssim_uniform, 1e-4, 0),
    ("SSIM_L255g11_mean", lambda *images: ops.fusion_ssim(*images, 255.0), 1e-4, 0),
    ("SSIM_CDDFuse_sum", ops.fusion_ssim_legacy_sum, 1e-3, 0),
    ("SSIM_matlabL1_mean", ops.fusion_ssim_matlab, 1e-3, 0),
    ("SCD", ops.sum_of_correlations_of_differences, 1e-4, 0),
    ("EN", lambda sources, fused: ops.entropy(fused), 1e-4, 0),
    ("SD", lambda sources, fused: ops.standard_deviation(fused), 1e-5, 0),
    ("AG", lambda sources, fused: ops.average_gradient(fused), 1e-4, 0),
    ("MI_nats", ops.fusion_mutual_information, 1e-4, 0),
    ("MI_bits", lambda *images: ops.fusion_mutual_information(*images, "bits"), 1e-4, 0),
    ("VIF", ops.visual_information, 1e-3, 0),
    ("Qabf", ops.edge_preservation, 1e-3, 0),
    ("CC", ops.fusion_correlation, 1e-4, 0),
    ("PSNR_peakF", lambda *images: ops.fusion_peak_signal_to_noise(*images, None), 1e-4, 0),
    ("PSNR_255", ops.fusion_peak_signal_to_noise, 1e-4, 0),
    ("MSSSIM_mean", lambda *images: ops.fusion_ms_ssim(*images, 255.0), 1e-3, 0),
    ("Nabf", ops.fusion_artefacts, 0, 1e-3),
]


def read(path):
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None, path
    return image.astype("float32")


@pytest.fixture(scope="module")
def images(atlas, oracle):
    """Rows of the oracle, and their images in batches of (sources, fused)."""
    with open(oracle / "fusion_metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    sources = np.stack(
        [
            np.stack(
                [read(atlas / "CT-MRI" / part / row["name"]) for part in ("CT", "MRI")], axis=-1
            )
            for row in rows
        ]
    )
    fused = np.stack([read(oracle / "fused" / f"{r['method']}__{r['name']}") for r in rows])
    starts = range(0, len(rows), 14)
    return rows, [(sources[s : s + 14], fused[s : s + 14, ..., None]) for s in starts]


def test_every_column_has_an_op(images):
    rows, _ = images
    assert set(rows[0]) - {"method", "name"} == {column for column, *_ in COLUMNS}


@pytest.mark.parametrize(
    ("column", "score", "relative", "absolute"), COLUMNS, ids=[column for column, *_ in COLUMNS]
)
def test_every_image_is_met(images, column, score, relative, absolute):
    rows, batches = images
    assert len(rows) >= 42
    ours = np.concatenate([np.asarray(score(*batch)) for batch in batches])
    assert_allclose(ours, [float(row[column]) for row in rows], rtol=relative, atol=absolute)
