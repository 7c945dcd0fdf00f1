"""The benchmark's reference against the field's codes, so that both sides of it are right."""

import ast
import csv
import pathlib

import cv2
import numpy as np
from numpy.testing import assert_allclose

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "reference_metrics.py"
COLUMNS = {
    "sf": "SF",
    "ssim": "SSIM_L255g11_mean",
    "ssim_uniform": "SSIM_L255u7_mean",
    "ssim_legacy_sum": "SSIM_CDDFuse_sum",
    "ssim_matlab": "SSIM_matlabL1_mean",
    "ms_ssim": "MSSSIM_mean",
    "scd": "SCD",
    "qabf": "Qabf",
    "nabf": "Nabf",
    "vif": "VIF",
    "mi": "MI_nats",
    "mi_bits": "MI_bits",
    "en": "EN",
    "sd": "SD",
    "ag": "AG",
    "cc": "CC",
    "psnr": "PSNR_255",
    "psnr_peak_fused": "PSNR_peakF",
}

# The second one has a negative factor of MS-SSIM, the third is clipped.
CHOSEN = {("average", "2010.png"), ("gff", "32011.png"), ("sum_clip", "37011.png")}


def test_reference_meets_the_oracle(reference, atlas, oracle):
    with open(oracle / "fusion_metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [row for row in rows if (row["method"], row["name"]) in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    for row in chosen:
        paths = [atlas / "CT-MRI" / part / row["name"] for part in ("CT", "MRI")]
        paths.append(oracle / "fused" / f"{row['method']}__{row['name']}")
        images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype("float64") for path in paths]
        for key, column in COLUMNS.items():
            assert_allclose(
                reference[key](*images), float(row[column]), rtol=1e-6, atol=1e-9, err_msg=key
            )


def test_reference_has_every_variant(reference):
    assert set(reference) == {*COLUMNS, "ssim_head", "nmi", "ag_interior"}


def test_reference_shares_nothing_with_medgan():
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] in ("medgan", "keras", "tensorflow") for name in names)


def test_reference_head_is_a_filled_ring(reference):
    y, x = np.mgrid[-16:16, -16:16]
    radius = np.hypot(x, y)
    source = np.where((radius > 9) & (radius < 11), 200.0, 0.0)
    fused = source.copy()
    fused[radius < 5] = 100.0  # inside the head the images differ, outside they do not
    assert reference["ssim_head"](source, source, source) == 1
    assert reference["ssim_head"](source, source, fused) < reference["ssim"](source, source, fused)
