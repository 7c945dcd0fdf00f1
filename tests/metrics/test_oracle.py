"""The Keras metrics on real images against the field's reference codes."""

import csv

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.metrics import FUSION_SCORES, FusionScore

# Our score, column of the oracle, relative tolerance of its README (of Nabf absolute).
COLUMNS = {
    "sf": ("SF", 1e-5),
    "ssim": ("SSIM_L255g11_mean", 1e-4),
    "scd": ("SCD", 1e-4),
    "qabf": ("Qabf", 1e-3),
    "vif": ("VIF", 1e-3),
    "ms_ssim": ("MSSSIM_mean", 1e-3),
    "mi": ("MI_nats", 1e-4),
    "en": ("EN", 1e-4),
    "sd": ("SD", 1e-5),
    "ag": ("AG", 1e-4),
    "cc": ("CC", 1e-4),
    "psnr": ("PSNR_255", 1e-4),
    "nabf": ("Nabf", 1e-3),
    "ssim_uniform": ("SSIM_L255u7_mean", 1e-4),
    "ssim_legacy_sum": ("SSIM_CDDFuse_sum", 1e-3),
    "ssim_matlab": ("SSIM_matlabL1_mean", 1e-3),
    "mi_bits": ("MI_bits", 1e-4),
    "psnr_peak_fused": ("PSNR_peakF", 1e-4),
}
WITHOUT_COLUMN = {"ssim_head", "nmi", "fmi", "ag_interior"}


def read(path):
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None, path
    return image / np.float32(255)


@pytest.fixture(scope="module")
def golden(atlas, oracle):
    """Rows of the oracle, and their images in batches of different sizes."""
    with open(oracle / "fusion_metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))[:15]
    folders = [atlas / "CT-MRI" / part for part in ("CT", "MRI")]
    sources = np.stack(
        [np.stack([read(folder / row["name"]) for folder in folders], axis=-1) for row in rows]
    )
    fused = np.stack([read(oracle / "fused" / f"{r['method']}__{r['name']}") for r in rows])
    return rows, np.split(sources, [8, 14]), np.split(fused[..., None], [8, 14])


def test_every_score_has_its_column():
    assert set(COLUMNS) | WITHOUT_COLUMN == set(FUSION_SCORES)


@pytest.mark.parametrize("key", COLUMNS)
def test_metric_is_the_mean_of_the_oracle(golden, key):
    rows, sources, fused = golden
    column, tolerance = COLUMNS[key]
    metric = FusionScore(key)
    for batch in zip(sources, fused, strict=True):
        metric.update_state(*batch)
    expected = np.mean([float(row[column]) for row in rows])
    relative, absolute = (0, tolerance) if key == "nabf" else (tolerance, 0)
    assert_allclose(metric.result(), expected, rtol=relative, atol=absolute)
