import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import ScaledNoise
from medgan.networks import fastgan_generator


def noise(size=6, count=3):
    return np.random.default_rng(0).normal(size=(count, size)).astype("float32")


@pytest.fixture(scope="module")
def generator():
    return fastgan_generator(image_size=64, width=0.02, latent_size=6, seed=0)


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_every_layer_is_counted_by_hand():
    channels = {4: 256, 8: 512, 16: 512, 32: 256, 64: 128, 128: 64, 256: 32}
    # Twice the channels for the gate; factor and offset of the normalisation for each of these.
    stem = 256 * 16 * 2 * 256 + 2 * 2 * 256
    sides = [8, 16, 32, 64, 128, 256]
    blocks = sum(
        9 * channels[side // 2] * 2 * channels[side] + 1 + 2 * 2 * channels[side] for side in sides
    )
    excitations = sum(
        (small + 1) + (small * (small // 2) + small // 2) + (small // 2 * large + large)
        for small, large in ((channels[side // 16], channels[side]) for side in sides[3:])
    )
    image = 9 * 32 * 3 + 3
    expected = stem + blocks + excitations + image
    assert trainable_parameters(fastgan_generator(channels=3)) == expected


@pytest.mark.parametrize("image_size", [8, 32, 128])
def test_images_have_the_size_that_was_asked_for_and_stay_in_range(image_size):
    model = fastgan_generator(image_size=image_size, width=0.02, channels=2, latent_size=6, seed=0)
    kernel = model.get_layer("before_head").kernel
    kernel.assign(500 * kernel.value)
    made = np.asarray(model(noise(), training=True))
    assert made.shape == (3, image_size, image_size, 2)
    assert made.min() >= 0 and made.max() <= 1
    assert made.min() < 0.1 and made.max() > 0.9


def test_the_same_noise_vector_gives_the_same_image_in_inference(generator):
    for layer in generator.layers:
        if isinstance(layer, ScaledNoise):
            layer.factor.assign(0.5)
    assert_allclose(generator(noise()), generator(noise()), atol=1e-6)
    first, second = (np.asarray(generator(noise(), training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4


def test_places_start_with_length_one(generator):
    start = keras.Model(generator.inputs[0], generator.get_layer("stem_length").output)
    assert_allclose(np.linalg.norm(start(noise()), axis=-1), 1, atol=1e-4)


def test_a_coarse_map_scales_the_channels_of_one_sixteen_times_as_large(generator):
    names = "stem_length", "up_64_excitation", "up_64_gated", "up_64_excited"
    taps = keras.Model(generator.inputs[0], [generator.get_layer(name).output for name in names])
    small, factors, before, after = (np.asarray(value) for value in taps(noise()))
    assert_allclose(after, factors * before, atol=1e-6)
    # By hand: attention over the 16 places, two layers, sigmoid.
    weights = {
        name: [np.asarray(w) for w in generator.get_layer(f"up_64_excitation_{name}").weights]
        for name in ("attention", "hidden", "factors")
    }
    places = small.reshape(3, 16, -1)
    logits = places @ weights["attention"][0][0, 0] + weights["attention"][1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    mean = (shares * places).sum(axis=1)
    hidden = mean @ weights["hidden"][0] + weights["hidden"][1]
    hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
    expected = 1 / (1 + np.exp(-(hidden @ weights["factors"][0] + weights["factors"][1])))
    assert_allclose(factors[:, 0, 0], expected, atol=1e-5)


def test_a_map_is_multiplied_by_the_sigmoid_of_its_other_half(generator):
    names = "up_8_normalization", "up_8_gated"
    taps = keras.Model(generator.inputs[0], [generator.get_layer(name).output for name in names])
    both, gated = (np.asarray(value) for value in taps(noise()))
    half = gated.shape[-1]
    assert both.shape[-1] == 2 * half
    assert_allclose(gated, both[..., :half] / (1 + np.exp(-both[..., half:])), atol=1e-6)


def test_bilinear_doubling_is_repetition_behind_a_binomial_blur():
    maps = np.random.default_rng(0).normal(size=(1, 5, 4, 2)).astype("float32")
    repeated = maps.repeat(2, axis=1).repeat(2, axis=2)
    around = np.pad(repeated, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]) / 4
    expected = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    doubled = keras.layers.UpSampling2D(2, interpolation="bilinear")(maps)
    assert_allclose(doubled, expected, atol=1e-6)


def test_seeds_decide_weights_and_noise():
    first, same, other = (
        fastgan_generator(image_size=8, width=0.02, latent_size=6, seed=seed) for seed in (3, 3, 4)
    )
    for one, another in zip(first.weights, same.weights, strict=True):
        assert_array_equal(one, another)
    for model in (first, same):
        model.get_layer("up_8_noise").factor.assign(1.0)
    assert_allclose(first(noise(), training=True), same(noise(), training=True), atol=1e-6)
    difference = np.asarray(first.get_layer("up_8").kernel) - np.asarray(
        other.get_layer("up_8").kernel
    )
    assert np.abs(difference).max() > 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_size": 96}, "image_size=96, expected a power of two from 8 up"),
        ({"width": 0}, "width=0, expected a number above 0"),
        ({"channels": 0}, "channels=0, expected 1 or more"),
        ({"latent_size": 0}, "latent_size=0, expected 1 or more"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fastgan_generator(**arguments)
