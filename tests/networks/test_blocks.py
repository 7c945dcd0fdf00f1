import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.networks.blocks import UPSAMPLINGS, Blocks, centred, layer_seeds, unit_image


def draws(function, count=200):
    return [function() for _ in range(count)]


def test_layers_get_different_seeds_and_equal_networks_equal_ones():
    assert len(set(draws(layer_seeds(0)))) == 200
    assert draws(layer_seeds(3)) == draws(layer_seeds(3))
    assert not set(draws(layer_seeds(3))) & set(draws(layer_seeds(4)))


def test_without_a_seed_the_seed_of_keras_decides():
    first, second = draws(layer_seeds()), draws(layer_seeds())
    assert first != second
    keras.utils.set_random_seed(5)
    first = draws(layer_seeds())
    keras.utils.set_random_seed(5)
    assert draws(layer_seeds()) == first


def doubled(maps, upsampling, transposed_size=4, kernel=None, padding="reflection"):
    """What `upsampled` makes of maps, with one channel and a kernel."""
    make = Blocks(upsampling=upsampling, seed=0)
    inputs = keras.Input((None, None, maps.shape[-1]))
    options = {"transposed_size": transposed_size, "padding": padding}
    model = keras.Model(inputs, make.upsampled(inputs, 1, "up", **options))
    if kernel is not None:
        layer = model.get_layer("up")
        layer.kernel.assign(np.reshape(kernel, layer.kernel.shape))
    return np.asarray(model(maps))


@pytest.mark.parametrize(
    "upsampling, size", [("resize", 4), ("transposed", 3), ("transposed", 4), ("depth_to_space", 4)]
)
def test_sides_are_doubled(upsampling, size):
    maps = np.zeros((1, 5, 6, 2), "float32")
    assert doubled(maps, upsampling, size).shape == (1, 10, 12, 1)


def test_resizing_a_constant_map_leaves_it_constant():
    image = doubled(np.ones((1, 8, 8, 3), "float32"), "resize")
    assert np.abs(image).max() > 0.01
    assert_allclose(image, image.mean(), atol=1e-6)


def test_a_transposed_convolution_paints_a_checkerboard_on_a_constant_map():
    maps = np.ones((1, 8, 8, 1), "float32")
    # Even with equal taps: a pixel is reached by one, two or four of them.
    image = doubled(maps, "transposed", 3, np.ones((3, 3)))[0, 2:-2, 2:-2, 0]
    assert_allclose(image, np.tile([[1, 2], [2, 4]], (6, 6)), atol=1e-6)
    # Four taps a side reach each pixel twice, but drawn at random they do not sum to the same.
    image = doubled(maps, "transposed", 4)[0, 2:-2, 2:-2, 0]
    assert_allclose(image, np.tile(image[:2, :2], (6, 6)), atol=1e-6)
    assert image.std() > 0.3 * np.abs(image).max()


@pytest.mark.parametrize("size", [3, 4])
def test_a_transposed_convolution_is_placed_as_in_pytorch(size):
    maps = np.random.default_rng(0).normal(size=(1, 3, 4, 1)).astype("float32")
    kernel = np.random.default_rng(1).normal(size=(size, size)).astype("float32")
    # Padding 1 crops one row and column of what the taps reach: output[2 i + k - 1] += w[k] x[i].
    reached = np.zeros((2 * 3 + size, 2 * 4 + size))
    for row in range(3):
        for column in range(4):
            place = slice(2 * row, 2 * row + size), slice(2 * column, 2 * column + size)
            reached[place] += maps[0, row, column, 0] * kernel
    expected = reached[1:7, 1:9]
    assert_allclose(doubled(maps, "transposed", size, kernel)[0, :, :, 0], expected, atol=1e-5)


# The gradient of TensorFlow's own nearest resizing does not compile.
@pytest.mark.parametrize("upsampling", [*UPSAMPLINGS, "bilinear"])
def test_gradients_of_doubling_compile(upsampling):
    inputs = keras.Input((None, None, 2))
    if upsampling == "bilinear":
        outputs = keras.layers.UpSampling2D(2, interpolation="bilinear")(inputs)
    else:
        make = Blocks(upsampling=upsampling, seed=0)
        outputs = make.upsampled(inputs, 1, "up", padding="reflection")
    model = keras.Model(inputs, outputs)

    def gradient(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.reduce_sum(tf.square(model(maps) - 0.25))
        return tape.gradient(loss, maps)

    maps = tf.random.stateless_normal((1, 5, 4, 2), seed=(0, 0))
    plain = gradient(maps)
    assert np.abs(plain).min() > 0
    assert_allclose(tf.function(gradient, jit_compile=True)(maps), plain, rtol=1e-4, atol=1e-6)


def test_a_strided_convolution_is_placed_as_in_pytorch():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, Blocks().convolution(inputs, 1, 3, "down", strides=2, bias=False))
    image = np.random.default_rng(0).normal(size=(1, 6, 8, 1)).astype("float32")
    kernel = np.asarray(model.get_layer("down").kernel)[..., 0, 0]
    around = np.pad(image[0, :, :, 0], 1)
    expected = [
        [(around[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] * kernel).sum() for j in range(4)]
        for i in range(3)
    ]
    assert_allclose(model(image)[0, :, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize("normalization", ["instance", "batch", "layer"])
def test_maps_are_normalised_over_what_the_name_says(normalization):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, Blocks(normalization=normalization).normalized(inputs, "maps"))
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, float(variable.path.endswith("gamma"))))
    maps = np.random.default_rng(0).normal(2.0, 3.0, (2, 8, 6, 3)).astype("float32")
    axes = {"instance": (1, 2), "batch": (0, 1, 2), "layer": (1, 2, 3)}[normalization]
    mean, variance = maps.mean(axes, keepdims=True), maps.var(axes, keepdims=True)
    expected = (maps - mean) / np.sqrt(variance + 1e-5)
    assert_allclose(model(maps, training=True), expected, atol=1e-4)


def test_moving_statistics_follow_by_a_tenth_as_in_pytorch():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, Blocks(normalization="batch").normalized(inputs, "maps"))
    model(np.full((1, 2, 2, 1), 5.0, "float32"), training=True)
    (layer,) = model.layers[1:]
    assert_allclose(layer.moving_mean, [0.5], rtol=1e-6)


def test_kernels_start_as_normal_with_the_deviation_of_the_papers():
    inputs = keras.Input((None, None, 32))
    make = Blocks(seed=0)
    kernels = [
        np.asarray(keras.Model(inputs, layer).layers[-1].get_weights()[0])
        for layer in (
            make.convolution(inputs, 64, 3, "first"),
            make.convolution(inputs, 64, 3, "second"),
            make.dense(inputs, 512, "dense"),
        )
    ]
    # At least 16,384 draws: their deviation is known to 0.6 percent.
    assert_allclose([kernel.std() for kernel in kernels], 0.02, rtol=0.03)
    assert_allclose([kernel.mean() for kernel in kernels], 0, atol=1e-3)
    assert np.abs(kernels[0] - kernels[1]).max() > 0.02


def test_images_are_centred_and_come_back():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, [centred(inputs), unit_image(inputs)])
    image = np.linspace(0, 1, 12, dtype="float32").reshape(1, 3, 4, 1)
    low, high = model(image)
    assert_allclose(low, 2 * image - 1, atol=1e-6)
    assert_allclose(high, (np.tanh(image) + 1) / 2, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"normalization": "group"}, "normalization='group', expected one of instance, batch"),
        ({"upsampling": "bilinear"}, "upsampling='bilinear', expected one of resize, transposed"),
    ],
)
def test_unknown_choices_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Blocks(**arguments)
