import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.data import Pairs, evaluation_batches, training_batches
from medgan.errors import DataError


def pairs_of(*images):
    names = tuple(f"{index}.png" for index in range(len(images)))
    return Pairs(names, names, images)


def random_pairs(count=5, shape=(8, 8), dtype="uint8"):
    """Pairs whose second channel is the complement of the first."""
    generator = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    first = generator.integers(0, top, (count, *shape), dtype, True)
    return pairs_of(*np.stack([first, top - first], axis=-1))


def batches(count, *args, **kwargs):
    return [batch.numpy() for batch in itertools.islice(training_batches(*args, **kwargs), count)]


def turns(image):
    rotated = [np.rot90(image, turn) for turn in range(4)]
    return rotated + [turn[:, ::-1] for turn in rotated]


def test_elements_are_single_tensors_of_known_shape():
    dataset = training_batches(random_pairs(), batch_size=3, crop=4)
    assert tuple(dataset.element_spec.shape) == (3, 4, 4, 2)
    assert dataset.element_spec.dtype == "float32"
    assert dataset.cardinality() == -1  # infinite


def test_without_augmentation_an_epoch_is_a_permutation_of_the_pairs():
    pairs = random_pairs(6)
    plain = {"flips": False, "rotations": False}
    seen = np.concatenate(batches(6, pairs, 3, **plain))
    expected = np.stack([pairs.image(index) for index in range(6)])
    orders = []
    for epoch in range(3):
        distances = np.abs(seen[6 * epoch : 6 * epoch + 6, None] - expected).max((2, 3, 4))
        assert_allclose(distances.min(axis=1), 0, atol=1e-6)
        orders.append(distances.argmin(axis=1).tolist())
        assert sorted(orders[-1]) == list(range(6))
    assert orders[0] != orders[1] or orders[1] != orders[2]


@pytest.mark.parametrize("crop", [None, 5])
@pytest.mark.parametrize("first_step", [1, 2, 7])
def test_first_step_continues_bit_for_bit(crop, first_step):
    pairs = random_pairs(5)
    whole = batches(first_step + 4, pairs, 3, crop=crop, seed=9)
    resumed = batches(4, pairs, 3, crop=crop, seed=9, first_step=first_step)
    assert_array_equal(resumed, whole[first_step:])


def test_first_step_far_away_costs_nothing():
    assert batches(1, random_pairs(), 2, crop=4, first_step=10**12)[0].shape == (2, 4, 4, 2)


def test_seed_decides():
    pairs = random_pairs()
    assert_array_equal(batches(3, pairs, 2, crop=4, seed=1), batches(3, pairs, 2, crop=4, seed=1))
    assert not np.array_equal(batches(3, pairs, 2, crop=4), batches(3, pairs, 2, crop=4, seed=1))


@pytest.mark.parametrize("crop", [None, 5])
def test_one_draw_serves_both_channels(crop):
    for batch in batches(10, random_pairs(), 4, crop=crop):
        assert_allclose(batch[..., 0] + batch[..., 1], 1, atol=1e-6)


@pytest.mark.parametrize(
    ("flips", "rotations", "expected"),
    [(False, False, 1), (True, False, 4), (False, True, 4), (True, True, 8)],
)
def test_all_and_only_the_allowed_turns_appear(flips, rotations, expected):
    pairs = random_pairs(1)
    possible = np.stack(turns(pairs.image(0)))
    seen = np.concatenate(batches(10, pairs, 20, flips=flips, rotations=rotations))
    distances = np.abs(seen[:, None] - possible).max((2, 3, 4))
    assert_allclose(distances.min(axis=1), 0, atol=1e-6)
    counts = np.bincount(distances.argmin(axis=1), minlength=8)
    assert (counts > 0).sum() == expected
    if rotations and not flips:
        assert (counts[:4] > 0).all()
    # 200 draws: every turn within five standard deviations of its share.
    share = 1 / expected
    assert np.abs(counts[counts > 0] - 200 * share).max() < 5 * np.sqrt(200 * share) + 1


def test_crops_are_windows_of_the_image_and_reach_every_border():
    rows, columns = np.mgrid[:7, :9].astype("uint8")
    pairs = pairs_of(np.stack([rows, columns], axis=-1) * 20)
    settings = {"crop": 4, "flips": False, "rotations": False, "minimum_foreground": 0}
    seen = np.rint(np.concatenate(batches(10, pairs, 20, **settings)) * 255 / 20).astype(int)
    corners = seen[:, 0, 0]
    assert_array_equal(seen, corners[:, None, None] + np.moveaxis(np.mgrid[:4, :4], 0, -1))
    assert set(corners[:, 0]) == set(range(4))
    assert set(corners[:, 1]) == set(range(6))


def test_crops_prefer_the_foreground():
    image = np.zeros((64, 64, 2), "uint8")
    image[8:40, 8:40, 1] = 200  # a quarter of the image, in the second modality alone
    chosen, free = (
        np.concatenate(batches(20, pairs_of(image), 8, crop=16, minimum_foreground=share))
        for share in (0.5, 0.0)
    )
    shown_when_chosen, shown_when_free = (
        (crops.max(-1) > 0.04).mean((1, 2)) for crops in (chosen, free)
    )
    assert (shown_when_chosen >= 0.5).mean() > 0.9
    assert (shown_when_free >= 0.5).mean() < 0.6


def test_first_good_position_wins_not_the_best():
    image = np.zeros((32, 32, 2), "uint8")
    image[:, 16:] = 255
    settings = {"crop": 16, "flips": False, "rotations": False, "minimum_foreground": 0.25}
    shown = np.concatenate(batches(10, pairs_of(image), 20, **settings))[..., 0].mean((1, 2))
    assert shown.min() >= 0.25
    # Were the best of eight taken, nearly all would show more than 0.8.
    assert (shown < 0.6).mean() > 0.3


def test_dark_pixels_are_no_foreground():
    # 10 / 255 = 0.0392 is background, 11 / 255 = 0.0431 is not.
    image = np.full((16, 16, 2), 10, "uint8")
    image[4:12, 4:12] = 11
    settings = {"crop": 8, "flips": False, "rotations": False, "minimum_foreground": 0.4}
    crops = np.concatenate(batches(10, pairs_of(image), 20, **settings))
    assert ((crops[..., 0] > 0.04).mean((1, 2)) >= 0.4).mean() > 0.8


@pytest.mark.parametrize(
    "images",
    [
        [np.full((9, 12, 2), 51, "uint8"), np.full((30, 8, 2), 51, "uint8")],
        [np.full((8, 8, 2), 51, "uint8"), np.full((8, 9, 2), 13107, "uint16")],
        [np.full((8, 8, 2), 51, "uint8"), np.full((8, 9, 2), 0.2, "float32")],
    ],
)
def test_sizes_and_types_may_be_mixed(images):
    pairs = pairs_of(*images)
    for batch in batches(3, pairs, 4, crop=8):
        assert_allclose(batch, 0.2, rtol=1e-6)
    for batch in evaluation_batches(pairs):
        assert_allclose(batch, 0.2, rtol=1e-6)


def test_sixteen_bits_keep_their_depth():
    pairs = random_pairs(3, dtype="uint16")
    seen = next(iter(evaluation_batches(pairs))).numpy()
    assert_allclose(seen, np.stack(pairs.images) / 65535, atol=1e-7)


def test_whole_rectangles_are_served_without_rotations():
    assert batches(1, random_pairs(shape=(6, 8)), 2, rotations=False)[0].shape == (2, 6, 8, 2)


def test_evaluation_is_in_order_and_complete():
    pairs = random_pairs(5)
    dataset = evaluation_batches(pairs, batch_size=2)
    seen = [batch.numpy() for batch in dataset]
    assert [len(batch) for batch in seen] == [2, 2, 1]
    assert dataset.cardinality() == 3
    expected = np.stack([pairs.image(index) for index in range(5)])
    assert_allclose(np.concatenate(seen), expected, atol=1e-7)


def test_sizes_never_share_an_evaluation_batch():
    shapes = [(4, 4), (4, 4), (4, 4), (4, 6), (4, 4)]
    pairs = pairs_of(*(np.full((*shape, 2), i, "uint8") for i, shape in enumerate(shapes)))
    seen = [batch.numpy() for batch in evaluation_batches(pairs, batch_size=2)]
    assert [batch.shape[:3] for batch in seen] == [(2, 4, 4), (1, 4, 4), (1, 4, 6), (1, 4, 4)]
    first_pixels = np.concatenate([batch[:, 0, 0, 0] for batch in seen])
    assert_array_equal(np.rint(first_pixels * 255), range(5))


SQUARES = random_pairs()


@pytest.mark.parametrize(
    ("pairs", "settings", "message"),
    [
        (SQUARES, {"crop": 9}, r"0\.png: received an image of 8 x 8 pixels for a crop of 9 x 9"),
        (SQUARES, {"crop": 0}, "crop=0"),
        (SQUARES, {"first_step": -1}, "first_step=-1"),
        (SQUARES, {"minimum_foreground": 1.5}, "minimum_foreground=1.5"),
        (SQUARES, {"batch_size": 0}, "batch_size=0"),
        (SQUARES.select([]), {}, "no pairs"),
        (random_pairs(shape=(6, 8)), {}, "expected a square for rotations"),
        (
            pairs_of(np.zeros((4, 4, 2), "uint8"), np.zeros((6, 6, 2), "uint8")),
            {},
            r"1\.png: received 6 x 6 pixels beside 4 x 4 of 0\.png",
        ),
    ],
)
def test_impossible_batches_are_refused_in_one_line(pairs, settings, message):
    with pytest.raises(DataError, match=message) as caught:
        training_batches(pairs, **{"batch_size": 2} | settings)
    assert "\n" not in str(caught.value)


def test_evaluating_nothing_is_refused():
    with pytest.raises(DataError, match="no pairs"):
        evaluation_batches(SQUARES.select([]))


def test_tensorflow_is_not_imported_before_it_is_needed():
    code = "import sys, medgan.data; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
