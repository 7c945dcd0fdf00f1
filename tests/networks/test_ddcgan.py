import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.networks import ddcgan_discriminator, ddcgan_generator, multiply_accumulates


def images(side=16, channels=2, count=2):
    return np.random.default_rng(0).uniform(size=(count, side, side, channels)).astype("float32")


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_generator_is_counted_by_hand():
    model = ddcgan_generator()
    inputs = [2, 48, 96, 144, 192, 240, 240, 128, 64, 32]
    outputs = [48, 48, 48, 48, 48, 240, 128, 64, 32, 1]
    kernels = sum(9 * a * b for a, b in zip(inputs, outputs, strict=True))
    factors = 2 * sum(outputs[:-1])
    assert trainable_parameters(model) == kernels + sum(outputs) + factors
    # The kernel from 240 to 240 channels is applied twice.
    assert multiply_accumulates(model, (84, 84)) == (kernels + 9 * 240 * 240) * 84**2


def test_discriminators_are_counted_by_hand():
    # 84 pixels a side become 42, 21 and 11.
    one = 9 * (16 + 16 * 32 + 32 * 64) + (16 + 32 + 64) + 2 * (32 + 64) + 11 * 11 * 64 + 1
    assert trainable_parameters(ddcgan_discriminator()) == 2 * one
    assert trainable_parameters(ddcgan_discriminator(modalities=("mr",))) == one


def test_the_first_kernel_of_the_decoder_is_applied_twice():
    model = ddcgan_generator(width=2, seed=0)
    layer = model.get_layer("decode_1")
    first, second = (
        keras.Model(model.inputs[0], [node.input_tensors[0], node.output_tensors[0]])
        for node in layer._inbound_nodes
    )
    kernel, bias = (np.asarray(weight) for weight in layer.get_weights())
    outputs = []
    for taps in (first, second):
        before, after = (np.asarray(value) for value in taps(images()))
        place = before[:, 3:6, 4:7]
        expected = np.einsum("bhwc,hwcd->bd", place, kernel) + bias
        assert_allclose(after[:, 3, 4], expected, atol=1e-4)
        outputs.append((before, after))
    # What the second is given is the first one's output, cut off at 0; no normalisation between.
    assert_allclose(outputs[1][0][:, 1:-1, 1:-1], np.maximum(outputs[0][1], 0), atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (16, 9)])
def test_generator_keeps_the_size_and_the_range(size):
    model = ddcgan_generator(width=3, sources=3, seed=0)
    model.get_layer("before_head").bias.assign([1.5])
    fused = np.asarray(model(np.ones((2, *size, 3), "float32")))
    assert fused.shape == (2, *size, 1)
    assert fused.min() > 0.5 and fused.max() <= 1


def test_modality_moves_its_own_logit_only():
    model = ddcgan_discriminator(modalities=("ct", "mr", "pet"), width=2, image_size=16, seed=0)
    before = images(channels=3)
    for modality in range(3):
        after = before.copy()
        after[..., modality] = 1 - after[..., modality]
        change = np.abs(np.asarray(model(after) - model(before))).max(axis=0)
        assert change[modality] > 1e-5
        assert np.delete(change, modality).max() < 1e-6


def test_judges_of_two_modalities_start_differently():
    model = ddcgan_discriminator(width=2, image_size=16, seed=0)
    for label in ("convolution_1", "convolution_2", "convolution_3", "logit"):
        first, second = (model.get_layer(f"{name}_{label}").kernel for name in ("ct", "mr"))
        assert np.abs(np.asarray(first) - np.asarray(second)).max() > 1e-2


@pytest.mark.parametrize(
    "width, layer, deviation", [(8, "dense_4", 0.05), (16, "ct_convolution_3", 0.1)]
)
def test_kernels_start_as_the_authors_have_them(width, layer, deviation):
    build = ddcgan_generator if layer == "dense_4" else ddcgan_discriminator
    kernel = np.asarray(build(width=width, seed=0).get_layer(layer).kernel)
    # A normal cut off at two deviations has 0.8796 of its deviation.
    assert_allclose(kernel.std(), 0.8796 * deviation, rtol=0.03)
    assert 1.9 * deviation < np.abs(kernel).max() < 2 * deviation


def test_seeds_decide():
    for build in (ddcgan_generator, lambda **k: ddcgan_discriminator(image_size=16, **k)):
        first, same, other = (build(width=3, seed=seed) for seed in (3, 3, 4))
        for one, another in zip(first.weights, same.weights, strict=True):
            assert_array_equal(one, another)
        kernels = [weight.path.endswith("kernel") for weight in first.weights]
        for index in np.flatnonzero(kernels):
            assert np.abs(first.weights[index] - other.weights[index]).max() > 1e-3


@pytest.mark.parametrize(
    "build, arguments, message",
    [
        (ddcgan_generator, {"width": 0}, "width=0, expected 1 or more"),
        (ddcgan_generator, {"sources": 0}, "sources=0, expected 1 or more"),
        (ddcgan_discriminator, {"width": 0}, "width=0, expected 1 or more"),
        (ddcgan_discriminator, {"modalities": ()}, "no modalities, expected 1 or more"),
        (ddcgan_discriminator, {"image_size": 4}, "image_size=4, expected 5 or more"),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
