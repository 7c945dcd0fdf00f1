import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.data import phantom_anatomy as tissue
from medgan.data import phantom_labels, phantoms
from medgan.errors import DataError


@pytest.fixture(scope="module")
def brains():
    return phantoms(count=32, patients=8)


@pytest.fixture(scope="module")
def labels():
    return phantom_labels(count=32, patients=8)


def mean_of(brains, labels, label, channel, around=None):
    """Mean over all slices of one tissue, or of `around` within 12 pixels of it."""
    values = []
    for image, there in zip(brains.images, labels, strict=True):
        mask = there == label
        if not mask.any():
            continue
        if around is not None:
            rows, columns = np.nonzero(mask)
            box = np.zeros_like(mask)
            box[rows.min() - 12 : rows.max() + 12, columns.min() - 12 : columns.max() + 12] = True
            mask = box & np.isin(there, around)
        values.append(image[mask, channel])
    return np.concatenate(values).astype(float).mean()


def test_names_and_patients_are_in_order():
    pairs = phantoms(count=5, patients=3, image_size=32)
    assert pairs.patients == ("p00", "p00", "p01", "p01", "p02")
    assert pairs.names[3] == "p01_slice_01.png"
    assert pairs.modalities == ("CT", "MR")


@pytest.mark.parametrize("image_size", [32, 33, 100, 512, 600])
def test_any_size_from_32_is_drawn(image_size):
    pairs = phantoms(1, 1, image_size)
    assert pairs.sizes() == ((image_size, image_size),)
    assert pairs.images[0].dtype == np.uint8
    there = phantom_labels(1, 1, image_size)[0]
    assert there.shape == (image_size, image_size)
    assert (there == tissue.BONE).mean() > 0.02


def test_same_seed_repeats_and_another_differs():
    first, again, other = (phantoms(2, 2, 64, seed) for seed in (5, 5, 6))
    assert_array_equal(first.images, again.images)
    assert np.abs(np.float32(first.images[0]) - np.float32(other.images[0])).mean() > 5


def test_first_patients_do_not_depend_on_how_many_follow():
    few, many = phantoms(4, 2, 64), phantoms(10, 5, 64)
    assert_array_equal(few.images, many.images[:4])
    assert_array_equal(phantom_labels(4, 2, 64), phantom_labels(10, 5, 64)[:4])


def test_background_is_zero_in_both_and_about_half(brains, labels):
    outside = [there == tissue.BACKGROUND for there in labels]
    for image, mask in zip(brains.images, outside, strict=True):
        assert image[mask].max() == 0
    assert 0.45 < np.mean(outside) < 0.65
    for channel in (0, 1):
        share = np.mean([(image[..., channel] == 0).mean() for image in brains.images])
        assert 0.5 < share < 0.7


def test_bone_is_bright_in_ct_and_dark_in_mr(brains, labels):
    assert mean_of(brains, labels, tissue.BONE, 0) > 230
    assert mean_of(brains, labels, tissue.BONE, 1) < 40


def test_bleed_is_seen_in_ct_only(brains, labels):
    brain = [tissue.GREY_MATTER, tissue.WHITE_MATTER]
    contrast = [
        mean_of(brains, labels, tissue.BLEED, channel)
        - mean_of(brains, labels, tissue.BLEED, channel, brain)
        for channel in (0, 1)
    ]
    assert contrast[0] > 60
    assert abs(contrast[1]) < 20


def test_oedema_is_seen_in_mr_only(brains, labels):
    differences = np.array(
        [
            image[there == tissue.OEDEMA].mean(0) - image[there == tissue.WHITE_MATTER].mean(0)
            for image, there in zip(brains.images, labels, strict=True)
            if (there == tissue.OEDEMA).sum() > 100
        ]
    )
    assert len(differences) > 5
    # Partial volume with sulci leaves a little in CT.
    assert np.abs(differences[:, 0]).mean() < 3
    assert np.abs(differences[:, 1]).mean() > 40


def test_grey_and_white_matter_differ_in_mr_more_than_their_noise(brains, labels):
    for image, there in list(zip(brains.images, labels, strict=True))[::4]:
        grey, white = (
            image[there == matter, 1].astype(float)
            for matter in (tissue.GREY_MATTER, tissue.WHITE_MATTER)
        )
        assert abs(np.median(grey) - np.median(white)) > 10


def test_most_patients_have_each_lesion():
    there = phantom_labels(count=36, patients=12, image_size=64)
    for lesion in (tissue.BLEED, tissue.OEDEMA):
        found = {index // 3 for index, labels in enumerate(there) if (labels == lesion).any()}
        assert len(found) > 6


def test_slices_of_a_patient_are_more_alike_than_patients():
    def distance(first, second):
        return np.abs(np.float32(first) - np.float32(second)).mean()

    images = np.stack(phantoms(count=20, patients=2).images).reshape(2, 10, 256, 256, 2)
    within = [distance(head[level], head[level + 1]) for head in images for level in range(9)]
    between = [distance(images[0][level], images[1][level]) for level in range(10)]
    assert np.mean(within) < 0.75 * np.mean(between)


def test_sharpness_is_that_of_the_atlas(brains, atlas):
    from medgan.data import paired_folders

    def spatial_frequency(image):
        image = image.astype(float)
        rows, columns = np.diff(image, axis=0), np.diff(image, axis=1)
        return np.sqrt((rows**2).mean() + (columns**2).mean())

    real = paired_folders(atlas / "CT-MRI").images
    for channel in (0, 1):
        ours, theirs = (
            np.mean([spatial_frequency(image[..., channel]) for image in images])
            for images in (brains.images, real)
        )
        assert 0.8 < ours / theirs < 1.25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 2, "patients": 3}, "count=2 for 3 patients"),
        ({"patients": 0}, "patients=0"),
        ({"image_size": 31}, "image_size=31; expected 32"),
        ({"seed": -1}, "seed=-1"),
    ],
)
@pytest.mark.parametrize("draw", [phantoms, phantom_labels])
def test_impossible_requests_are_refused(draw, settings, message):
    with pytest.raises(DataError, match=message):
        draw(**settings)
