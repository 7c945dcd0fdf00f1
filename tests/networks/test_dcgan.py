import itertools

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import SpectralNormalization
from medgan.networks import dcgan_discriminator, dcgan_generator, multiply_accumulates


def noise(size=6, count=3):
    return np.random.default_rng(0).normal(size=(count, size)).astype("float32")


def images(side=16, channels=1, count=3):
    return np.random.default_rng(0).uniform(size=(count, side, side, channels)).astype("float32")


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def counted(widths, first, last, taps=16):
    """Weights of convolutions between maps, and two factors for each normalised channel."""
    inner = sum(taps * a * b + 2 * b for a, b in itertools.pairwise(widths))
    return first + inner + last


@pytest.mark.parametrize("upsampling, taps", [("transposed", 16), ("resize", 9)])
@pytest.mark.parametrize(
    "image_size, widths",
    [
        (64, [1024, 512, 256, 128]),  # figure 1 of the paper
        (256, [512, 512, 512, 512, 256, 128]),
    ],
)
def test_generator_is_counted_by_hand(image_size, widths, upsampling, taps):
    model = dcgan_generator(image_size=image_size, channels=3, upsampling=upsampling)
    first = 100 * 16 * widths[0] + 2 * widths[0]
    last = taps * widths[-1] * 3 + 3
    assert trainable_parameters(model) == counted(widths, first, last, taps)
    places = [16 * 4**step for step in range(1, len(widths) + 1)]
    pairs = zip([*widths, 3], [*widths[1:], 3], places, strict=False)
    products = sum(taps * a * b * place for a, b, place in pairs)
    zeros = multiply_accumulates(model, count_zeros=True)
    assert zeros == 100 * 16 * widths[0] + products


@pytest.mark.parametrize(
    "image_size, widths",
    [(64, [64, 128, 256, 512]), (256, [64, 128, 256, 512, 512, 512])],
)
def test_discriminator_is_counted_by_hand(image_size, widths):
    model = dcgan_discriminator(image_size=image_size, channels=3)
    first = 16 * 3 * 64 + 64
    assert trainable_parameters(model) == counted(widths, first, 16 * 512 + 1)


@pytest.mark.parametrize("image_size", [8, 32])
@pytest.mark.parametrize("upsampling", ["resize", "transposed", "depth_to_space"])
def test_images_have_the_size_that_was_asked_for_and_stay_in_range(image_size, upsampling):
    model = dcgan_generator(
        image_size=image_size, width=2, channels=2, latent_size=6, upsampling=upsampling, seed=0
    )
    model.get_layer("before_head").kernel.assign(100 * model.get_layer("before_head").kernel.value)
    made = np.asarray(model(noise(), training=True))
    assert made.shape == (3, image_size, image_size, 2)
    assert made.min() >= 0 and made.max() <= 1
    assert made.min() < 0.1 and made.max() > 0.9


def test_generators_maps_are_those_of_the_paper():
    model = dcgan_generator(image_size=64, width=2, latent_size=6, seed=0)
    shapes = [model.get_layer(name).output.shape[1:] for name in ("stem_map", "up_1", "up_2")]
    assert shapes == [(4, 4, 32), (8, 8, 16), (16, 16, 8)]
    normalised = [layer for layer in model.layers if "normalization" in layer.name]
    assert len(normalised) == 4
    assert model.get_layer("embedding").output.shape[1:] == (32, 32, 4)
    smallest = dcgan_generator(image_size=8, width=2, latent_size=6)
    assert smallest.get_layer("embedding").output.shape[1:] == (4, 4, 4)


@pytest.mark.parametrize(
    "normalization, classes",
    [
        ("batch", {keras.layers.BatchNormalization}),
        ("layer", {keras.layers.GroupNormalization}),
        ("spectral", {SpectralNormalization}),
        ("none", set()),
    ],
)
def test_discriminator_normalises_what_it_says(normalization, classes):
    model = dcgan_discriminator(
        image_size=16, width=2, channels=2, normalization=normalization, seed=0
    )
    found = {type(layer) for layer in model.layers if "Normalization" in type(layer).__name__}
    assert found == classes
    logits = model(images(channels=2), training=True)
    assert logits.shape == (3, 1)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("normalization", ["layer", "spectral", "none"])
def test_images_do_not_see_each_other(normalization):
    # What a gradient penalty per image asks for; with batch statistics it is not so.
    def change(normalization):
        model = dcgan_discriminator(image_size=16, width=4, normalization=normalization, seed=0)
        others = images()
        others[1:] = 1 - others[1:]
        # A copy each, for a call in training moves the power iteration.
        state = model.get_weights()
        first = np.asarray(model(images(), training=True))
        model.set_weights(state)
        return np.abs(first - np.asarray(model(others, training=True)))[0, 0]

    assert change(normalization) < 1e-6
    assert change("batch") > 1e-4


def test_spectral_kernels_bound_the_slope():
    model = dcgan_discriminator(image_size=16, width=4, normalization="spectral", seed=0)
    for _ in range(30):
        model(images(), training=True)
    for layer in model.layers:
        if isinstance(layer, SpectralNormalization):
            kernel = np.asarray(layer.layer.kernel)
            matrix = kernel.reshape(-1, kernel.shape[-1])
            size = np.linalg.svd(matrix, compute_uv=False)[0]
            vector = np.asarray(layer.vector)
            assert_allclose(np.linalg.norm(matrix @ vector), size, rtol=0.02)


def test_seeds_decide():
    for build in (dcgan_generator, dcgan_discriminator):
        first, same, other = (build(image_size=8, width=2, seed=seed) for seed in (3, 3, 4))
        for one, another in zip(first.weights, same.weights, strict=True):
            assert_array_equal(one, another)
        kernels = [
            np.abs(np.asarray(one) - np.asarray(another)).max()
            for one, another in zip(first.weights, other.weights, strict=True)
            if len(one.shape) == 4
        ]
        assert min(kernels) > 0.01


@pytest.mark.parametrize(
    "build, arguments, message",
    [
        (dcgan_generator, {"image_size": 48}, "image_size=48, expected a power of two from 8 up"),
        (dcgan_generator, {"image_size": 4}, "image_size=4, expected a power of two from 8 up"),
        (dcgan_generator, {"width": 0}, "width=0, expected 1 or more"),
        (dcgan_generator, {"latent_size": 0}, "latent_size=0, expected 1 or more"),
        (dcgan_generator, {"upsampling": "bicubic"}, "upsampling='bicubic', expected one of resi"),
        (dcgan_discriminator, {"image_size": 100}, "image_size=100, expected a power of two"),
        (dcgan_discriminator, {"channels": 0}, "channels=0, expected 1 or more"),
        (dcgan_discriminator, {"normalization": "group"}, "normalization='group', expected one"),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
