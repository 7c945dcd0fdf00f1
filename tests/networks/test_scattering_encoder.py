import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from medgan.networks import scattering_encoder
from medgan.networks.scattering_encoder import morlet_wavelets


def images(count=2, height=32, width=40, channels=1):
    rng = np.random.default_rng(0)
    noise = rng.uniform(size=(count, height, width, channels))
    return ndimage.gaussian_filter(noise, (0, 1, 1, 0)).astype("float32")


def wavelet(angle, orientations):
    """A Morlet wavelet, written down once more."""
    y, x = np.mgrid[-3:4, -3:4]
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    gauss = np.exp(-(u**2) / 1.28 - v**2 / (2 * max(0.8, 0.2 * orientations) ** 2))
    gauss /= gauss.sum()
    wave = np.exp(2.35619449j * u)
    return gauss * (wave - np.sum(gauss * wave))


def moduli(image, orientations):
    kernels = [wavelet(np.pi * i / orientations, orientations) for i in range(orientations)]
    return [
        np.hypot(
            ndimage.correlate(image, kernel.real, mode="mirror"),
            ndimage.correlate(image, kernel.imag, mode="mirror"),
        )
        for kernel in kernels
    ]


def halved(image):
    """[1, 2, 1] / 4 as two means of neighbours, of which every second is kept."""
    for step in (1, 2):
        grown = np.pad(image, ((0, 1), (0, 1)), constant_values=np.nan)
        windows = [grown[:-1, :-1], grown[1:, :-1], grown[:-1, 1:], grown[1:, 1:]]
        image = np.nanmean(windows, axis=0)[::step, ::step]
    return image


def quarters(image):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    halves = (image[:height], image[height:])
    return [part.mean() for half in halves for part in (half[:, :width], half[:, width:])]


def test_features_are_those_of_a_scattering_transform_written_with_scipy():
    image, orientations = images(1, 24, 32)[0, ..., 0].astype("float64"), 3
    kernel = np.outer([1, -2, 1], [1, -2, 1]) / 4
    expected = [quarters(image), quarters(np.abs(ndimage.correlate(image, kernel, mode="mirror")))]
    placed, averaged, carried, first = [], [], [], image
    for scale in range(2):
        if scale:
            first, carried = halved(first), [halved(each) for each in carried]
        new = moduli(first, orientations)
        placed.append(np.transpose([quarters(each) for each in new]).ravel())
        averaged += [moduli(each, orientations) for each in carried]
        carried = carried + new
    means = [each.mean() for group in averaged for each in group]
    coefficients = np.concatenate([*expected, *placed, means])
    encoder = scattering_encoder(scales=2, orientations=orientations)
    features = np.asarray(encoder(image[None, ..., None]))[0]
    assert features.shape == (4 + 4 + 2 * 3 * 4 + 9,)
    assert_allclose(features, np.log1p(coefficients / 0.01), rtol=1e-4)


@pytest.mark.parametrize("orientations", [4, 8])
def test_wavelets_have_no_mean_and_the_wave_number_of_their_scale(orientations):
    wavelets = morlet_wavelets(orientations)
    assert_allclose(wavelets.sum(axis=(0, 1)), np.zeros(orientations), atol=1e-12)
    spectrum = np.abs(np.fft.fft2(wavelets[..., 0], (64, 64)))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert row == 0
    assert_allclose(2 * np.pi * column / 64, 0.75 * np.pi, atol=0.2)


def test_flat_images_have_grey_values_and_nothing_else():
    features = np.asarray(scattering_encoder()(np.full((1, 32, 32, 1), 0.25)))[0]
    assert_allclose(features[:4], np.log1p(25) * np.ones(4), rtol=1e-5)
    assert_allclose(features[4:], np.zeros(164), atol=1e-3)


def test_a_grating_answers_in_its_own_scale_and_direction():
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * np.arange(64) / 5)  # along x, nearly 3/4 pi at scale 1
    features = np.asarray(scattering_encoder(cells=1)(np.tile(stripes, (64, 1))[None, ..., None]))[
        0
    ]
    first = features[2:18].reshape(4, 4)  # scales, orientations
    assert np.unravel_index(first.argmax(), first.shape) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "features"),
    [
        ({}, 4 * 18 + 96),
        ({"cells": 1}, 18 + 96),
        ({"scales": 3, "orientations": 8}, 4 * 26 + 3 * 64),
        ({"channels": 3}, 3 * 168),
    ],
)
def test_number_of_features(arguments, features):
    assert scattering_encoder(**arguments).output_shape == (None, features)


def test_channels_are_encoded_one_by_one():
    colour = images(channels=2)
    both = np.asarray(scattering_encoder(channels=2)(colour))
    single = [np.asarray(scattering_encoder()(colour[..., i : i + 1])) for i in (0, 1)]
    assert_allclose(np.sort(both), np.sort(np.concatenate(single, axis=1)), rtol=1e-5)


def test_any_size_goes_through_a_graph():
    encoder = scattering_encoder()
    graph = tf.function(encoder, input_signature=[tf.TensorSpec((None, None, None, 1))])
    for height, width in ((25, 25), (31, 50)):
        batch = images(2, height, width)
        assert np.isfinite(graph(batch)).all()
        assert_allclose(graph(batch), encoder(batch), rtol=1e-4, atol=1e-5)


def test_saved_copied_and_rebuilt_encoders_compute_the_same(tmp_path):
    encoder = scattering_encoder()
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    rebuilt = keras.Model.from_config(encoder.get_config())  # without its weights
    for copy in (loaded, rebuilt, scattering_encoder()):
        assert copy.name == "scattering_encoder"
        assert_array_equal(copy(images()), encoder(images()))
    assert encoder.trainable_variables == []


def test_encoder_computes_in_float32_under_any_policy():
    expected = scattering_encoder()(images())
    keras.config.set_dtype_policy("mixed_float16")
    try:
        features = scattering_encoder()(images())
    finally:
        keras.config.set_dtype_policy("float32")
    assert features.dtype == "float32"
    assert_array_equal(features, expected)


def test_noise_and_blur_move_features_apart_the_more_there_is():
    encoder, batch = scattering_encoder(), images(1, 64, 64)
    noise = np.random.default_rng(1).normal(size=batch.shape)
    clean = np.asarray(encoder(batch))
    noisy = [np.linalg.norm(encoder(batch + s * noise) - clean) for s in (0.01, 0.02, 0.04)]
    blurred = [
        np.linalg.norm(encoder(ndimage.gaussian_filter(batch, (0, s, s, 0))) - clean)
        for s in (0.5, 1.0, 2.0)
    ]
    assert 0 < noisy[0] < noisy[1] < noisy[2]
    assert 0 < blurred[0] < blurred[1] < blurred[2]


@pytest.mark.parametrize("argument", ["scales", "orientations", "cells", "channels"])
def test_bad_arguments_are_refused(argument):
    with pytest.raises(ValueError, match=f"{argument}=0, expected 1 or more"):
        scattering_encoder(**{argument: 0})
