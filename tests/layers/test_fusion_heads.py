import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import Blend, MaximumResidual

RNG = np.random.default_rng(0)
SOURCES = RNG.uniform(size=(2, 4, 5, 2)).astype("float32")
MAPS = RNG.normal(size=(2, 4, 5, 2)).astype("float32")


def maximum_by_hand(residual):
    return SOURCES.max(axis=-1, keepdims=True) + np.tanh(residual)


def blend_by_hand(maps):
    share = 1 / (1 + np.exp(-maps[..., :1]))
    return share * SOURCES[..., :1] + (1 - share) * SOURCES[..., 1:] + np.tanh(maps[..., 1:])


CASES = [(MaximumResidual, MAPS[..., :1], maximum_by_hand), (Blend, MAPS, blend_by_hand)]


@pytest.mark.parametrize(("head", "maps", "by_hand"), CASES)
def test_training_sees_the_unclipped_formula(head, maps, by_hand):
    expected = by_hand(maps)
    assert expected.min() < 0 and expected.max() > 1
    assert_allclose(head()([SOURCES, maps], training=True), expected, atol=1e-6)


@pytest.mark.parametrize(("head", "maps", "by_hand"), CASES)
def test_inference_clips_to_the_range_of_images(head, maps, by_hand):
    expected = np.clip(by_hand(maps), 0, 1)
    assert_allclose(head()([SOURCES, maps], training=False), expected, atol=1e-6)
    assert_allclose(head()([SOURCES, maps]), expected, atol=1e-6)


def test_maximum_residual_without_a_residual_is_the_maximum():
    fused = MaximumResidual()([SOURCES, np.zeros((2, 4, 5, 1), "float32")])
    assert_array_equal(fused, SOURCES.max(axis=-1, keepdims=True))


def test_blend_of_zeros_is_the_average():
    fused = Blend()([SOURCES, np.zeros((2, 4, 5, 2), "float32")])
    assert_allclose(fused, SOURCES.mean(axis=-1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(("head", "channels"), [(MaximumResidual, 1), (Blend, 2)])
def test_output_has_one_channel_and_the_sources_size(head, channels):
    inputs = [keras.Input((None, 8, 2)), keras.Input((None, 8, channels))]
    assert head()(inputs).shape == (None, None, 8, 1)
    assert head().compute_output_shape([i.shape for i in inputs]) == (None, None, 8, 1)


@pytest.mark.parametrize("head", [MaximumResidual, Blend])
def test_config_round_trip(head):
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(head(name="fused"))
    )
    assert type(copy) is head
    assert copy.name == "fused"
