"""Our fused images and their scores against those of the field's reference codes."""

import functools

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.classical import (
    FUSION_METHODS,
    average,
    clipped_sum,
    dwt,
    guided_filter,
    laplacian,
    maximum,
)
from medgan.data import evaluation_batches, paired_folders
from medgan.metrics import mean_by_patient, score_fusion

# Method of the oracle, ours, and how many of 65,536 grey levels a rounding may move by one.
IMAGES = {
    "average": (average, 0),
    "max": (maximum, 0),
    "sum_clip": (clipped_sum, 0),
    "lp4_max": (laplacian, 5),
    # many sums of 16 x 16 pixels end in exactly one half
    "dwt_haar4_avg": (functools.partial(dwt, wavelet="haar", consistent=False), 100),
    "gff": (guided_filter, 5),
}

# REFERENCE.md: means by patient over patients 33 and 37, as printed.
SCORES = ("sf", "ssim", "ssim_head", "scd", "qabf", "vif")
PUBLISHED = {
    "average": (17.97, 0.766, 0.536, 0.863, 0.378, 0.484),
    "maximum": (29.63, 0.765, 0.540, 1.406, 0.565, 0.690),
    "clipped_sum": (29.21, 0.721, 0.446, 1.808, 0.407, 0.464),
    "laplacian": (33.54, 0.752, 0.507, 1.454, 0.544, 0.546),
}
# Half a unit of the last digit; the head's mask is ours.
MARGINS = {"sf": 0.00501, "ssim_head": 0.01}


def read(path):
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None, path
    return image


@pytest.mark.parametrize("method", IMAGES)
def test_golden_images_are_reproduced(atlas, oracle, method):
    fuse, roundings = IMAGES[method]
    paths = sorted((oracle / "fused").glob(f"{method}__*.png"))
    assert len(paths) == 7
    for path in paths:
        name = path.name.removeprefix(f"{method}__")
        folders = (atlas / "CT-MRI" / folder for folder in ("CT", "MRI"))
        pair = np.stack([read(folder / name) for folder in folders], axis=-1)
        fused = np.asarray(fuse(pair[None].astype("float32") / 255))[0, ..., 0]
        difference = np.abs(np.round(fused * np.float32(255)) - read(path))
        assert difference.max() <= 1
        assert np.count_nonzero(difference) <= roundings


@pytest.fixture(scope="module")
def validation(atlas):
    pairs = paired_folders(atlas / "CT-MRI").of_patients(["33", "37"])
    return pairs.patients, list(evaluation_batches(pairs, 8))


@pytest.mark.parametrize("method", PUBLISHED)
def test_published_rows_are_met_to_the_printed_digit(validation, method):
    patients, batches = validation
    assert len(patients) == 37
    values = score_fusion(FUSION_METHODS[method], batches, SCORES)
    for score, printed in zip(SCORES, PUBLISHED[method], strict=True):
        margin = MARGINS.get(score, 0.000501)
        ours = mean_by_patient(values[score], patients)
        assert_allclose(ours, printed, atol=margin, rtol=0, err_msg=score)
