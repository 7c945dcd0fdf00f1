import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import DiffAugment

OFF = {"brightness": 0, "contrast": 0, "translation": 0, "cutout": 0}


def images(count=8, height=32, width=24, channels=1):
    rng = np.random.default_rng(0)
    return rng.uniform(0.1, 1, size=(count, height, width, channels)).astype("float32")


def shifted(image, rows, columns):
    """Moves the content up and left by whole pixels; what comes in is zero."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((height, height), (width, width), (0, 0)))
    return padded[height + rows : 2 * height + rows, width + columns : 2 * width + columns]


def test_without_strengths_it_is_the_identity():
    assert_array_equal(DiffAugment(**OFF)(images()), images())


def test_brightness_adds_one_bounded_offset_per_image():
    added = np.asarray(DiffAugment(**{**OFF, "brightness": 0.5}, seed=1)(images(64))) - images(64)
    offsets = added.mean(axis=(1, 2, 3))
    assert_allclose(added, np.broadcast_to(offsets[:, None, None, None], added.shape), atol=1e-6)
    assert np.abs(offsets).max() <= 0.25
    assert offsets.min() < -0.15 and offsets.max() > 0.15


def test_contrast_stretches_about_the_mean_of_the_image():
    before = images(64)
    after = np.asarray(DiffAugment(**{**OFF, "contrast": 0.5}, seed=1)(before))
    mean = before.mean(axis=(1, 2, 3), keepdims=True)
    assert_allclose(after.mean(axis=(1, 2, 3), keepdims=True), mean, rtol=1e-5)
    factors = after.std(axis=(1, 2, 3)) / before.std(axis=(1, 2, 3))
    expected = mean + factors[:, None, None, None] * (before - mean)
    assert_allclose(after, expected, atol=1e-5)
    assert 0.75 <= factors.min() < 0.85 and 1.15 < factors.max() <= 1.25


def test_translation_is_a_zero_filled_shift_by_whole_pixels():
    before = images(16)
    after = np.asarray(DiffAugment(**{**OFF, "translation": 0.125}, seed=2)(before))
    shifts = []
    for old, new in zip(before, after, strict=True):
        fits = [
            (rows, columns)
            for rows in range(-4, 5)  # an eighth of 32
            for columns in range(-3, 4)  # an eighth of 24
            if np.array_equal(shifted(old, rows, columns), new)
        ]
        assert len(fits) == 1
        shifts += fits
    assert len(set(shifts)) > 8
    assert {-4, 4} & {rows for rows, _ in shifts}


def test_cutout_blanks_one_square_and_nothing_else():
    before = images(64, 32, 32)
    after = np.asarray(DiffAugment(**{**OFF, "cutout": 0.25}, seed=3)(before))
    blank = (after == 0)[..., 0]
    assert_array_equal(after[~blank], before[~blank])
    whole = 0
    for mask in blank:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns)  # a full rectangle ...
        for places in (rows, columns):
            assert_array_equal(np.diff(places), np.ones(len(places) - 1))  # ... in one piece
            at_the_border = places[0] == 0 or places[-1] == 31
            assert len(places) == 8 or (at_the_border and len(places) < 8)
        whole += len(rows) == len(columns) == 8
    assert whole > 32


@pytest.mark.parametrize("strength", OFF)
def test_all_channels_of_an_image_get_the_same_draw(strength):
    one = images(4)
    layer = DiffAugment(**{**OFF, strength: 0.5}, seed=4)
    after = np.asarray(layer(np.repeat(one, 3, axis=-1)))
    assert np.abs(after - one).max() > 0.05
    assert_array_equal(after[..., 0], after[..., 1])
    assert_array_equal(after[..., 0], after[..., 2])


def test_images_of_a_batch_get_different_draws():
    same = np.repeat(images(1), 4, axis=0)
    after = np.asarray(DiffAugment(seed=5)(same))
    assert len(np.unique(after.reshape(4, -1), axis=0)) == 4


def test_gradient_flows_to_the_pixels_that_are_left():
    before = tf.constant(images(4, 32, 32))
    layer = DiffAugment(brightness=0, contrast=0, translation=0, cutout=0.5, seed=6)
    with tf.GradientTape() as tape:
        tape.watch(before)
        after = layer(before)
    gradient = tape.gradient(after, before)
    assert_array_equal(gradient, (np.asarray(after) != 0).astype("float32"))


def test_gradient_of_every_part_together_is_finite_and_not_zero():
    before = tf.constant(images(2))
    layer = DiffAugment(seed=7)
    with tf.GradientTape() as tape:
        tape.watch(before)
        after = layer(before)
    gradient = np.asarray(tape.gradient(after, before))
    assert np.isfinite(after).all() and np.isfinite(gradient).all()
    assert np.mean(gradient != 0) > 0.5


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_constant_images_stay_finite(level):
    assert np.isfinite(DiffAugment(seed=8)(np.full((2, 16, 16, 2), level, "float32"))).all()


def test_equal_seeds_draw_alike_and_calls_differ():
    first, second, other = DiffAugment(seed=9), DiffAugment(seed=9), DiffAugment(seed=10)
    start = np.asarray(first(images()))
    assert_array_equal(start, second(images()))
    assert np.abs(start - other(images())).max() > 0.01
    again = np.asarray(first(images()))
    assert np.abs(start - again).max() > 0.01
    assert_array_equal(again, second(images()))


def test_draws_change_inside_a_compiled_function():
    layer = DiffAugment(seed=11)
    compiled = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 1))])
    first, second = compiled(images()), compiled(images())
    assert first.shape == (8, 32, 24, 1)
    assert np.abs(np.asarray(first) - second).max() > 0.01


def test_config_round_trip():
    layer = DiffAugment(brightness=0.1, contrast=0.2, translation=0.3, cutout=0.4, seed=5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is DiffAugment
    for name in ("brightness", "contrast", "translation", "cutout", "seed"):
        assert getattr(copy, name) == getattr(layer, name)
    assert_array_equal(copy(images()), layer(images()))


def test_saved_model_continues_the_draws_where_it_stood(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 1)), DiffAugment(seed=12)])
    first = np.asarray(model(images()))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    following = np.asarray(model(images()))
    assert np.abs(following - first).max() > 0.01
    assert_array_equal(copy(images()), following)


@pytest.mark.parametrize("strength", OFF)
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_strengths_outside_shares_are_refused(strength, value):
    with pytest.raises(ValueError, match=rf"{strength}={value}, expected a share from 0 to 1"):
        DiffAugment(**{strength: value})
