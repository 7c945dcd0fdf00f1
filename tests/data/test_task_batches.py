import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.data import (
    Pairs,
    divide_patients,
    single_batches,
    single_images,
    training_batches,
    translation_batches,
    translation_images,
    unpaired_batches,
)
from medgan.errors import DataError

SIDE = 6


def numbered(patients, slices=3):
    """Pairs whose every pixel tells modality, patient and slice."""
    names, whose, images = [], [], []
    for patient in range(patients):
        for number in range(slices):
            image = np.empty((SIDE, SIDE, 2), "uint8")
            image[..., 0] = 10 * patient + number
            image[..., 1] = 100 + 10 * patient + number
            names.append(f"{patient}_{number}")
            whose.append(f"p{patient}")
            images.append(image)
    return Pairs(tuple(names), tuple(whose), tuple(images))


def levels(batch):
    """The grey level of every image of a batch of flat images."""
    images = np.asarray(batch)
    assert np.ptp(images, axis=(1, 2, 3)).max() == 0
    return np.round(255 * images[:, 0, 0, 0]).astype(int)


def taken(dataset, count):
    return list(itertools.islice(iter(dataset), count))


def test_translation_takes_both_channels_of_the_same_samples_as_fusion():
    pairs, settings = numbered(3), {"seed": 5, "crop": 4}
    fusion = taken(training_batches(pairs, 4, **settings), 5)
    for source in (0, 1):
        batches = taken(translation_batches(pairs, 4, source, **settings), 5)
        for both, (x, y) in zip(fusion, batches, strict=True):
            assert_array_equal(x, both[..., source : source + 1])
            assert_array_equal(y, both[..., 1 - source : 2 - source])


def test_single_batches_hold_one_modality():
    pairs, settings = numbered(3), {"seed": 5, "crop": 4}
    fusion = taken(training_batches(pairs, 4, **settings), 3)
    for both, x in zip(fusion, taken(single_batches(pairs, 4, 0, **settings), 3), strict=True):
        assert_array_equal(x, both[..., :1])


def test_unpaired_streams_never_show_both_modalities_of_a_patient():
    pairs = numbered(5)
    first, second = divide_patients(pairs, seed=3)
    assert len(set(first.patients)) == 3 and len(set(second.patients)) == 2
    assert not set(first.patients) & set(second.patients)
    sources, targets = set(), set()
    for x, y in taken(unpaired_batches(pairs, 4, 1, 3, seed=2), 40):
        sources |= {(level - 100) // 10 for level in levels(x)}
        targets |= {level // 10 for level in levels(y)}
    assert {f"p{patient}" for patient in sources} == set(first.patients)
    assert {f"p{patient}" for patient in targets} == set(second.patients)


def test_unpaired_streams_are_drawn_apart():
    # Two patients with as many slices: drawn alike, slice k would always meet slice k.
    pairs = numbered(2, slices=4)
    meetings = set()
    for x, y in taken(unpaired_batches(pairs, 4, seed=2), 20):
        meetings |= set(zip(levels(x) % 10, levels(y) % 10, strict=True))
    assert len(meetings) > 8


def test_a_single_patient_is_on_both_sides():
    pairs = numbered(1)
    first, second = divide_patients(pairs)
    assert first.names == second.names == pairs.names


def test_unpaired_batches_resume_at_any_step():
    pairs = numbered(5, slices=7)
    settings = {"seed": 9, "crop": 4}
    whole = taken(unpaired_batches(pairs, 3, **settings), 12)
    resumed = taken(unpaired_batches(pairs, 3, **settings, first_step=7), 5)
    for (x, y), (again_x, again_y) in zip(whole[7:], resumed, strict=True):
        assert_array_equal(x, again_x)
        assert_array_equal(y, again_y)


def test_division_is_another_for_another_seed_and_the_same_for_the_same():
    pairs = numbered(12, slices=1)
    divisions = {divide_patients(pairs, seed)[0].patients for seed in range(5)}
    assert len(divisions) > 1
    assert divide_patients(pairs, 1)[0].patients == divide_patients(pairs, 1)[0].patients


def test_whole_images_come_in_order():
    pairs = numbered(2, slices=2)
    x, y = taken(translation_images(pairs, 4, 1), 1)[0]
    assert levels(x).tolist() == [100, 101, 110, 111]
    assert levels(y).tolist() == [0, 1, 10, 11]
    assert levels(taken(single_images(pairs, 4, 0), 1)[0]).tolist() == [0, 1, 10, 11]


def test_streams_are_endless_for_keras():
    assert unpaired_batches(numbered(2), 2).cardinality() < 0


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="source=2; expected channel 0 or 1"):
        translation_batches(numbered(2), 2, 2)


def test_without_vertical_flips_what_is_up_stays_up():
    ramp = np.broadcast_to(np.arange(8, dtype="uint8")[:, None, None], (8, 8, 2)).copy()
    ramp[..., 1] = np.arange(8)[None, :]
    pairs = Pairs(("a", "b"), ("a", "b"), (ramp, ramp))
    settings = {"rotations": False, "vertical_flips": False, "seed": 1}
    turned = set()
    for batch in taken(training_batches(pairs, 4, **settings), 10):
        for image in np.asarray(batch):
            assert_allclose(np.round(255 * image[:, 0, 0]), np.arange(8))
            turned.add(float(image[0, 0, 1]) > 0)
    assert turned == {True, False}
