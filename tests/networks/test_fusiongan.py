import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import SpectralNormalization
from medgan.networks import (
    fusiongan_discriminator,
    fusiongan_generator,
    multiply_accumulates,
)


def images(side=32, channels=2, count=2):
    return np.random.default_rng(0).uniform(size=(count, side, side, channels)).astype("float32")


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_generator_is_counted_by_hand():
    model = fusiongan_generator()
    kernels = 25 * 2 * 256 + 25 * 256 * 128 + 9 * 128 * 64 + 9 * 64 * 32 + 32
    biases, factors = 256 + 128 + 64 + 32 + 1, 2 * (256 + 128 + 64 + 32)
    assert trainable_parameters(model) == kernels + biases + factors
    # Nothing is padded but the input, by 6 pixels: 132 pixels a side become 128, 124, 122, 120.
    places = 128**2, 124**2, 122**2, 120**2, 120**2
    each = 25 * 2 * 256, 25 * 256 * 128, 9 * 128 * 64, 9 * 64 * 32, 32
    expected = sum(a * b for a, b in zip(places, each, strict=True))
    assert multiply_accumulates(model, (120, 120)) == expected


def test_discriminator_is_counted_by_hand():
    kernels = 9 * (1 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 6 * 6 * 256
    biases, factors = 32 + 64 + 128 + 256 + 1, 2 * (64 + 128 + 256)
    assert trainable_parameters(fusiongan_discriminator()) == kernels + biases + factors


def test_every_kernel_is_divided_by_its_norm():
    for model, count in (
        (fusiongan_generator(width=8), 5),
        (fusiongan_discriminator(width=2, image_size=32), 5),
    ):
        kernels = [weight for weight in model.trainable_weights if weight.path.endswith("kernel")]
        normalised = [layer for layer in model.layers if isinstance(layer, SpectralNormalization)]
        assert len(kernels) == len(normalised) == count


def test_kernels_start_as_small_as_the_authors_have_them():
    layer = fusiongan_generator(width=64, seed=0).get_layer("convolution_2").layer
    # A normal cut off at two deviations has 0.8796 of its deviation.
    assert_allclose(np.std(layer.kernel), 0.8796e-3, rtol=0.02)


@pytest.mark.parametrize("size", [(7, 9), (32, 20)])
def test_generator_keeps_the_size_and_the_range(size):
    model = fusiongan_generator(width=8, sources=3, seed=0)
    model.get_layer("before_head").layer.bias.assign([1.5])
    fused = np.asarray(model(np.ones((2, *size, 3), "float32")))
    assert fused.shape == (2, *size, 1)
    assert fused.min() > 0.5 and fused.max() <= 1


def test_a_pixel_sees_thirteen_a_side():
    model = fusiongan_generator(width=8, seed=0)
    image = tf.fill((1, 32, 32, 2), 0.6)
    with tf.GradientTape() as tape:
        tape.watch(image)
        pixel = model(image)[0, 16, 16, 0]
    seen = np.argwhere(tape.gradient(pixel, image)[0, :, :, 0])
    assert_array_equal(seen.min(axis=0), [10, 10])
    assert_array_equal(seen.max(axis=0), [22, 22])


def test_discriminator_gives_one_logit_an_image():
    logits = np.asarray(fusiongan_discriminator(width=2, channels=2, image_size=32)(images()))
    assert logits.shape == (2, 1)
    assert logits[0] != logits[1]


def test_seeds_decide():
    for build in (fusiongan_generator, lambda **k: fusiongan_discriminator(image_size=31, **k)):
        first, same, other = (build(width=8, seed=seed) for seed in (3, 3, 4))
        for one, another in zip(first.weights, same.weights, strict=True):
            assert_array_equal(one, another)
        kernels = [weight.path.endswith("kernel") for weight in first.weights]
        for index in np.flatnonzero(kernels):
            assert np.abs(first.weights[index] - other.weights[index]).max() > 1e-4


@pytest.mark.parametrize(
    "build, arguments, message",
    [
        (fusiongan_generator, {"width": 7}, "width=7, expected 8 or more"),
        (fusiongan_generator, {"sources": 0}, "sources=0, expected 1 or more"),
        (fusiongan_discriminator, {"width": 0}, "width=0, expected 1 or more"),
        (fusiongan_discriminator, {"channels": 0}, "channels=0, expected 1 or more"),
        (fusiongan_discriminator, {"image_size": 30}, "image_size=30, expected 31 or more"),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
