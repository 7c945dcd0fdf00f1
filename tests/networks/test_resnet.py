import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.networks import multiply_accumulates, resnet_generator


def images(height=12, width=16, channels=1, count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, channels)).astype("float32")


def kernels(model):
    return {weight.path: np.asarray(weight) for weight in model.weights if len(weight.shape) == 4}


COLOUR = {"channels": 3, "output_channels": 3}


@pytest.mark.parametrize(
    "arguments, parameters, giga",
    [
        (COLOUR, 11.378e6, 56.80),
        ({}, 11.366e6, 55.98),
        ({"width": 16, "separable": True, **COLOUR}, 0.137e6, 1.41),
    ],
)
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_counts_are_the_published_ones(arguments, parameters, giga, upsampling):
    model = resnet_generator(upsampling=upsampling, **arguments)
    assert_allclose(model.count_params(), parameters, rtol=4e-3 if parameters < 1e6 else 1e-4)
    counted = multiply_accumulates(model, (256, 256), count_zeros=True) / 1e9
    assert_allclose(counted, giga, rtol=4e-3 if giga < 2 else 2e-4)


def test_every_layer_is_counted_by_hand():
    model = resnet_generator(width=2, blocks=3, channels=2, output_channels=1)
    ends = (49 * 2 * 2 + 2) + (49 * 2 * 1 + 1)
    halved = (9 * 2 * 4 + 4) + (9 * 4 * 8 + 8)
    residual = 3 * 2 * (9 * 8 * 8 + 8)
    doubled = (9 * 8 * 4 + 4) + (9 * 4 * 2 + 2)
    assert model.count_params() == ends + halved + residual + doubled


def test_batch_normalisation_has_factors_and_takes_the_biases():
    model = resnet_generator(width=2, blocks=1, normalization="batch")
    assert [layer.name for layer in model.layers if getattr(layer, "use_bias", False)] == [
        "before_head"
    ]
    # 2, 4, 8 channels down, 8 and 8 in the block, 4 and 2 up; factor and offset for each.
    factors = [w for w in model.trainable_weights if w.path.endswith(("gamma", "beta"))]
    assert sum(weight.shape[0] for weight in factors) == 2 * (2 + 4 + 8 + 8 + 8 + 4 + 2)


@pytest.mark.parametrize("upsampling", ["resize", "transposed", "depth_to_space"])
@pytest.mark.parametrize("separable", [False, True])
def test_an_image_keeps_its_size_and_stays_in_range(upsampling, separable):
    model = resnet_generator(
        width=2, blocks=2, channels=3, output_channels=2, separable=separable, upsampling=upsampling
    )
    # Large kernels, so that tanh reaches its ends.
    model.set_weights([30 * weight for weight in model.get_weights()])
    for height, width in ((8, 8), (12, 20)):
        image = np.asarray(model(images(height, width, 3)))
        assert image.shape == (2, height, width, 2)
        assert image.min() >= 0 and image.max() <= 1
    assert image.min() < 0.1 and image.max() > 0.9


@pytest.mark.parametrize("size", [(10, 12), (4, 12)])
def test_sides_that_do_not_fit_are_refused_in_words(size):
    with pytest.raises(ValueError, match=r"expected sides divisible by 4, from 8 up"):
        resnet_generator(width=2, blocks=1)(images(*size))


@pytest.mark.parametrize("separable", [False, True])
def test_the_network_is_what_is_written_by_hand(separable):
    model = resnet_generator(
        width=2, blocks=2, channels=2, separable=separable, upsampling="transposed", seed=0
    )

    def weights(label):
        return [weight.numpy() for weight in model.get_layer(label).weights]

    def padded(x, width, mode):
        return tf.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), mode)

    def convolved(x, label, width, mode="REFLECT", strides=1):
        kernel, bias = weights(label)
        return tf.nn.conv2d(padded(x, width, mode), kernel, strides, "VALID") + bias

    def normalised(x):
        mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5)

    def within_block(x, label):
        if not separable:
            return normalised(convolved(x, label, 1))
        kernel, bias = weights(f"{label}_depthwise")
        x = padded(x, 1, "REFLECT")
        x = tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "VALID") + bias
        return normalised(convolved(normalised(x), label, 0))

    def doubled(x, label):
        kernel, bias = weights(label)
        count, height, width, _ = x.shape
        # The gradient of a convolution that pads one row and column of zeros on each side.
        shape = count, 2 * height, 2 * width, kernel.shape[2]
        padding = (0, 0), (1, 1), (1, 1), (0, 0)
        return tf.nn.conv2d_transpose(x, kernel, shape, 2, padding) + bias

    x = tf.nn.relu(normalised(convolved(2 * images(channels=2) - 1, "stem", 3)))
    for label in ("down_2", "down_4"):
        x = tf.nn.relu(normalised(convolved(x, label, 1, "CONSTANT", 2)))
    for index in (1, 2):
        change = tf.nn.relu(within_block(x, f"block_{index}_first"))
        x = x + within_block(change, f"block_{index}_second")
    for label in ("up_2", "up_1"):
        x = tf.nn.relu(normalised(doubled(x, label)))
    expected = (np.tanh(convolved(x, "before_head", 3)) + 1) / 2
    assert np.std(expected) > 1e-2
    assert_allclose(model(images(channels=2)), expected, atol=1e-5)


def test_the_residual_blocks_add_to_what_they_are_given():
    model = resnet_generator(width=2, blocks=2, normalization="none", seed=0)
    for name, kernel in kernels(model).items():
        if "block_" in name:
            weight = next(weight for weight in model.weights if weight.path == name)
            weight.assign(np.zeros_like(kernel))
    names = "down_4_activation", "embedding"
    taps = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    before, after = taps(images())
    assert_array_equal(after, before)
    assert np.abs(after).max() > 0


def test_a_brighter_or_steeper_scan_gives_the_same_image():
    # Instance normalisation takes scale and offset of a whole image away, but for the border.
    model = resnet_generator(width=4, blocks=1, seed=0)
    first, second = model(images(32, 32)), model(0.5 * images(32, 32))
    inside = (slice(None), slice(8, -8), slice(8, -8))
    assert np.abs(first[inside] - second[inside]).max() < 0.01
    assert np.asarray(first[inside]).std() > 0.01


def test_seeds_decide_and_layers_start_differently():
    first, same, other = (
        kernels(resnet_generator(width=2, blocks=2, seed=seed)) for seed in (3, 3, 4)
    )
    for name, kernel in first.items():
        assert_array_equal(kernel, same[name])
        assert np.abs(kernel - other[name]).max() > 1e-3
    alike = [kernel for kernel in first.values() if kernel.shape == (3, 3, 8, 8)]
    assert len(alike) == 4
    for index, kernel in enumerate(alike):
        for another in alike[:index]:
            assert np.abs(kernel - another).max() > 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 0}, "width=0, expected 1 or more"),
        ({"blocks": 0}, "blocks=0, expected 1 or more"),
        ({"channels": 0}, "channels=0, expected 1 or more"),
        ({"output_channels": -1}, "output_channels=-1, expected 1 or more"),
        ({"upsampling": "bilinear"}, "upsampling='bilinear', expected one of resize, transposed"),
        ({"normalization": "layer"}, "normalization='layer', expected one of instance, batch"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        resnet_generator(**arguments)
