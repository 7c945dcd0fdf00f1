import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.networks import multiply_accumulates, unet_generator

COLOUR = {"channels": 3, "output_channels": 3}


def images(height=16, width=16, channels=1, count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, channels)).astype("float32")


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "width, normalization, millions, giga",
    [(64, "instance", 54.41, 18.14), (16, "batch", 3.404, 1.219)],
)
def test_counts_are_the_published_ones(width, normalization, millions, giga):
    model = unet_generator(
        width=width, normalization=normalization, upsampling="transposed", **COLOUR
    )
    assert_allclose(trainable_parameters(model) / 1e6, millions, rtol=2e-4)
    counted = multiply_accumulates(model, (256, 256), count_zeros=True) / 1e9
    assert_allclose(counted, giga, rtol=5e-4)


@pytest.mark.parametrize("upsampling, taps", [("resize", 9), ("transposed", 16)])
def test_every_layer_is_counted_by_hand(upsampling, taps):
    model = unet_generator(width=2, depth=5, channels=3, output_channels=2, upsampling=upsampling)
    widths = [2, 4, 8, 16, 16]
    down = sum(16 * a * b + b for a, b in zip([3, *widths], widths, strict=False))
    # What comes from the way down doubles the channels, but for the innermost.
    inputs, outputs = [16, 2 * 16, 2 * 8, 2 * 4, 2 * 2], [16, 8, 4, 2, 2]
    up = sum(taps * a * b + b for a, b in zip(inputs, outputs, strict=True))
    assert model.count_params() == down + up


def test_three_doublings_after_the_innermost_drop_values_at_depth_8():
    def dropped(depth):
        layers = unet_generator(width=1, depth=depth).layers
        return [layer.name for layer in layers if isinstance(layer, keras.layers.Dropout)]

    assert dropped(8) == ["up_6_dropout", "up_5_dropout", "up_4_dropout"]
    assert dropped(6) == ["up_4_dropout"]
    assert dropped(5) == []


def test_values_are_dropped_in_training_only():
    model = unet_generator(width=2, depth=6, seed=0)
    image = images(64, 64)
    assert_allclose(model(image), model(image), atol=1e-6)
    assert np.abs(model(image, training=True) - model(image, training=True)).max() > 1e-4
    plain = unet_generator(width=2, depth=6, dropout=0.0, seed=0)
    assert_allclose(plain(image, training=True), plain(image), atol=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("upsampling", ["resize", "transposed", "depth_to_space"])
def test_an_image_keeps_its_size_and_stays_in_range(depth, upsampling):
    model = unet_generator(
        width=2, depth=depth, channels=3, output_channels=2, upsampling=upsampling, seed=0
    )
    model.set_weights([30 * weight for weight in model.get_weights()])
    for height, width in ((32, 32), (32, 64)):
        image = np.asarray(model(images(height, width, 3)))
        assert image.shape == (2, height, width, 2)
        assert image.min() >= 0 and image.max() <= 1
    assert image.min() < 0.1 and image.max() > 0.9


@pytest.mark.parametrize("size", [(12, 16), (16, 20)])
def test_sides_that_do_not_fit_are_refused_in_words(size):
    with pytest.raises(ValueError, match=r"expected sides divisible by 8, from 8 up"):
        unet_generator(width=2, depth=3)(images(*size))


def test_the_network_is_what_is_written_by_hand():
    model = unet_generator(width=2, depth=3, channels=2, upsampling="transposed", seed=0)
    padding = (0, 0), (1, 1), (1, 1), (0, 0)

    def weights(label):
        return [weight.numpy() for weight in model.get_layer(label).weights]

    def halved(x, label):
        kernel, bias = weights(label)
        return tf.nn.conv2d(x, kernel, 2, padding) + bias

    def doubled(x, label):
        kernel, bias = weights(label)
        count, height, width, _ = x.shape
        shape = count, 2 * height, 2 * width, kernel.shape[2]
        return tf.nn.conv2d_transpose(x, kernel, shape, 2, padding) + bias

    def normalised(x):
        mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5)

    first = halved(2 * images(16, 24, 2) - 1, "down_1")
    second = normalised(halved(tf.nn.leaky_relu(first, 0.2), "down_2"))
    innermost = halved(tf.nn.leaky_relu(second, 0.2), "down_3")
    x = normalised(doubled(tf.nn.relu(innermost), "up_2"))
    x = normalised(doubled(tf.nn.relu(tf.concat([second, x], -1)), "up_1"))
    x = doubled(tf.nn.relu(tf.concat([first, x], -1)), "before_head")
    expected = (np.tanh(x) + 1) / 2
    assert np.std(expected) > 1e-2
    assert_allclose(model(images(16, 24, 2)), expected, atol=1e-5)


def test_maps_are_normalised_but_the_first_the_innermost_and_the_image():
    names = [layer.name for layer in unet_generator(width=1, depth=4).layers]
    normalised = {name for name in names if name.endswith("_normalization")}
    labels = ("down_2", "down_3", "up_3", "up_2", "up_1")
    assert normalised == {f"{label}_normalization" for label in labels}


def test_the_innermost_map_is_the_embedding():
    model = unet_generator(width=2, depth=4, seed=0)
    embedding = keras.Model(model.inputs[0], model.get_layer("embedding").output)
    assert embedding(images(16, 32)).shape == (2, 1, 2, 16)


def test_seeds_decide_and_layers_start_differently():
    first, same, other = (unet_generator(width=2, depth=6, seed=seed) for seed in (3, 3, 4))
    pairs = zip(first.trainable_weights, same.trainable_weights, strict=True)
    for one, another in pairs:
        assert_array_equal(one, another)
    image = images(64, 64)
    # Dropout too.
    assert_allclose(first(image, training=True), same(image, training=True), atol=1e-6)
    assert np.abs(first(image) - other(image)).max() > 1e-3
    alike = [np.asarray(w) for w in first.weights if tuple(w.shape) == (4, 4, 16, 16)]
    assert len(alike) == 2
    assert np.abs(alike[0] - alike[1]).max() > 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 0}, "width=0, expected 1 or more"),
        ({"depth": 1}, "depth=1, expected 2 or more"),
        ({"dropout": 1.0}, "dropout=1.0, expected a share from 0 to below 1"),
        ({"upsampling": "bilinear"}, "upsampling='bilinear', expected one of resize, transposed"),
        ({"normalization": "layer"}, "normalization='layer', expected one of instance, batch"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        unet_generator(**arguments)
