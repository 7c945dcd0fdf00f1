import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.networks import dense_fusion_generator, multiply_accumulates

IMAGE = keras.Input((None, None, 2))
POOL = keras.layers.GlobalAveragePooling2D()


@pytest.mark.parametrize(("width", "giga"), [(32, 16.8), (16, 4.17), (8, 1.04), (4, 0.263)])
def test_generators_cost_what_the_specification_says(width, giga):
    model = dense_fusion_generator(width=width, head="tanh")
    assert_allclose(multiply_accumulates(model) / 1e9, giga, rtol=0.01)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Conv2D(3, 3), 2 * 3 * 9 * (8 * 6)),
        (keras.layers.Conv2D(4, 3, groups=2, padding="same"), 1 * 4 * 9 * (10 * 8)),
        (keras.layers.Conv2D(3, 4, strides=2, padding="same"), 2 * 3 * 16 * (5 * 4)),
        (keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same"), 2 * 3 * 16 * (10 * 8)),
        (keras.layers.DepthwiseConv2D(3, padding="same"), 2 * 9 * (10 * 8)),
        (keras.layers.SeparableConv2D(5, 3, padding="same"), (2 * 9 + 2 * 5) * (10 * 8)),
        (keras.layers.SpectralNormalization(keras.layers.Conv2D(3, 3)), 2 * 3 * 9 * (8 * 6)),
        (keras.layers.Dense(7), 2 * 7 * (10 * 8)),
        (keras.layers.LeakyReLU(), 0),
    ],
)
def test_layer_by_hand(layer, expected):
    assert multiply_accumulates(keras.Model(IMAGE, layer(IMAGE)), (10, 8)) == expected


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_zeros_between_inputs_are_counted_on_demand(padding):
    layer = keras.layers.Conv2DTranspose(3, 3, strides=2, padding=padding)
    model = keras.Model(IMAGE, layer(IMAGE))
    assert multiply_accumulates(model, (10, 8)) == 2 * 3 * 9 * (10 * 8)
    assert multiply_accumulates(model, (10, 8), count_zeros=True) == 2 * 3 * 9 * (20 * 16)
    outer = keras.Model(IMAGE, model(IMAGE))
    assert multiply_accumulates(outer, (10, 8), count_zeros=True) == 2 * 3 * 9 * (20 * 16)


def test_what_a_network_fixes_itself_is_not_asked_for():
    fixed = keras.Input((6, None, 2))
    model = keras.Model(fixed, keras.layers.Conv2D(3, 1)(fixed))
    assert multiply_accumulates(model, (10, 8)) == 2 * 3 * (6 * 8)
    noise = keras.Input((5,))
    assert multiply_accumulates(keras.Model(noise, keras.layers.Dense(7)(noise))) == 5 * 7


def test_layers_add_up_and_dense_layers_count_once():
    features = keras.layers.Conv2D(3, 1)(IMAGE)
    model = keras.Model(IMAGE, keras.layers.Dense(7)(POOL(features)))
    assert multiply_accumulates(model, (10, 8)) == 2 * 3 * 80 + 3 * 7


def test_networks_inside_networks_are_counted():
    inner = keras.Model(IMAGE, keras.layers.Conv2D(3, 3)(IMAGE))
    outer = keras.Model(IMAGE, keras.layers.Conv2D(1, 1)(inner(IMAGE)))
    assert multiply_accumulates(outer, (10, 8)) == 2 * 3 * 9 * 48 + 3 * 48


def test_counting_leaves_the_network_as_it_was():
    model = dense_fusion_generator(width=2, head="tanh", seed=0)
    image = np.random.default_rng(0).uniform(size=(1, 9, 7, 2)).astype("float32")
    before, names = np.asarray(model(image)), [layer.name for layer in model.layers]
    multiply_accumulates(model, (16, 16))
    assert_array_equal(model(image), before)
    assert [layer.name for layer in model.layers] == names
    assert model.input_shape == (None, None, None, 2)


def test_what_is_no_network_over_one_image_is_refused():
    two = [keras.Input((4, 4, 1)), keras.Input((4, 4, 1))]
    pair = keras.Model(two, keras.layers.Add()(two))
    for model in (keras.layers.Conv2D(1, 1), pair):
        with pytest.raises(ValueError, match=r"expected a functional keras\.Model with one input"):
            multiply_accumulates(model)
