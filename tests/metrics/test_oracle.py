"""The Keras metrics on real images against the field's reference codes."""

import csv

import cv2
import numpy as np
import pytest
import tensorflow as tf
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
    """Rows of the oracle, their sources and fused images in [0, 1]."""
    with open(oracle / "fusion_metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    folders = [atlas / "CT-MRI" / part for part in ("CT", "MRI")]
    sources = np.stack(
        [np.stack([read(folder / row["name"]) for folder in folders], axis=-1) for row in rows]
    )
    fused = np.stack([read(oracle / "fused" / f"{r['method']}__{r['name']}") for r in rows])
    return rows, sources, fused[..., None]


def test_every_score_has_its_column():
    assert set(COLUMNS) | WITHOUT_COLUMN == set(FUSION_SCORES)


@pytest.mark.parametrize("key", COLUMNS)
def test_metric_meets_the_oracle_on_every_image(golden, key):
    rows, sources, fused = golden
    column, tolerance = COLUMNS[key]
    expected = np.array([float(row[column]) for row in rows])
    limits = {"rtol": 0, "atol": tolerance} if key == "nabf" else {"rtol": tolerance, "atol": 0}
    metric = FusionScore(key)
    assert len(rows) >= 42
    update = tf.function(metric.update_state)
    for index, value in enumerate(expected):
        metric.reset_state()
        update(sources[index : index + 1], fused[index : index + 1])
        assert_allclose(metric.result(), value, **limits)


@pytest.mark.parametrize("key", ["sf", "ssim", "mi"])
def test_metric_of_uneven_batches_is_the_mean_of_the_oracle(golden, key):
    rows, sources, fused = golden
    column, tolerance = COLUMNS[key]
    metric = FusionScore(key)
    for part in (slice(0, 8), slice(8, 14), slice(14, 15)):
        metric.update_state(sources[part], fused[part])
    expected = np.mean([float(row[column]) for row in rows[:15]])
    assert_allclose(metric.result(), expected, rtol=tolerance)
