import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import SpectralNormalization
from medgan.networks import modality_discriminator, patch_discriminator


def images(channels, height=32, width=32, count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, channels)).astype("float32")


def trainable_parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def kernels(model):
    return {
        layer.name: np.asarray(layer.layer.kernel)
        for layer in model.layers
        if isinstance(layer, SpectralNormalization)
    }


def test_parameters_are_those_of_the_specification():
    assert trainable_parameters(patch_discriminator()) == 166_625
    assert trainable_parameters(modality_discriminator()) == 2 * 166_625


@pytest.mark.parametrize(
    ("size", "logits"), [((256, 256), (62, 62)), ((16, 16), (2, 2)), ((48, 20), (10, 3))]
)
def test_there_is_a_logit_for_every_four_pixels_less_two(size, logits):
    single, double = patch_discriminator(width=2), modality_discriminator(width=2)
    assert single(images(1, *size, count=1)).shape == (1, *logits, 1)
    assert double(images(2, *size, count=1)).shape == (1, *logits, 2)
    assert double.output_shape == (None, None, None, 2)


@pytest.mark.parametrize(
    ("width", "channels", "parameters"),
    [
        # Kernels of 4x4 and biases: from c to 64, 128, 256, 512 channels and 1.
        (64, 1, 16 * (64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 128 + 256 + 512 + 1),
        (64, 2, 2_763_713),
        (4, 1, 16 * (4 + 4 * 8 + 8 * 16 + 16 * 32 + 32) + 4 + 8 + 16 + 32 + 1),
    ],
)
def test_the_discriminator_of_70_pixels_is_that_of_the_papers(width, channels, parameters):
    model = patch_discriminator(
        width=width, channels=channels, receptive_field=70, normalization="instance"
    )
    assert model.count_params() == parameters
    assert model.compute_output_shape((1, 256, 256, channels)) == (1, 30, 30, 1)


def test_published_counts_of_the_discriminator_of_70_pixels():
    for channels, millions in ((1, 2.763), (2, 2.764)):
        model = patch_discriminator(
            width=64, channels=channels, receptive_field=70, normalization="instance"
        )
        assert round(model.count_params() / 1e6, 3) == millions


@pytest.mark.parametrize("receptive_field", [16, 34, 70, 142, 286])
def test_a_logit_sees_as_many_pixels_as_it_says(receptive_field):
    # Instance normalisation would let every logit see the whole image.
    model = patch_discriminator(
        width=1, receptive_field=receptive_field, normalization="none", seed=0
    )
    # No kernel weight may be so small that a change is lost on the way.
    model.set_weights([np.full(weight.shape, 0.3) for weight in model.get_weights()])
    side = 32 * (receptive_field // 32 + 2)
    image = tf.ones((1, side, side, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = model(image)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.asarray(tape.gradient(middle, image))[0, :, :, 0] != 0
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    for pixels in (rows, columns):
        assert_array_equal(pixels, pixels[0] + np.arange(receptive_field))
        assert pixels[0] > 0 and pixels[-1] < side - 1  # the border did not hide any


@pytest.mark.parametrize(("receptive_field", "stride"), [(16, 2), (34, 4), (70, 8), (142, 16)])
def test_there_is_a_logit_for_every_stride_less_two(receptive_field, stride):
    model = patch_discriminator(width=1, receptive_field=receptive_field)
    assert model(images(1, 3 * stride, 5 * stride, count=1)).shape == (1, 1, 3, 1)
    with pytest.raises(ValueError, match=f"expected sides from {3 * stride} up"):
        model(images(1, 3 * stride - 1, 64, count=1))


def test_maps_between_the_first_and_the_last_are_normalised():
    model = patch_discriminator(width=2, receptive_field=70, normalization="instance", seed=0)
    names = [f"patch_convolution_{index}_normalization" for index in (2, 3, 4)]
    assert [layer.name for layer in model.layers if "normalization" in layer.name] == names
    for name in names:
        layer = model.get_layer(name)
        before, after = keras.Model(model.inputs[0], [layer.input, layer.output])(images(1))
        before = np.asarray(before, "float64")
        mean, variance = (f(before, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
        assert_allclose(after, (before - mean) / np.sqrt(variance + 1e-5), atol=1e-4)


@pytest.mark.parametrize("modality", [0, 1, 2])
def test_modality_moves_its_own_logits_only(modality):
    model = modality_discriminator(modalities=("ct", "mr", "pet"), width=2, seed=0)
    before = images(3)
    after = before.copy()
    after[..., modality] = 1 - after[..., modality]
    change = np.abs(np.asarray(model(after) - model(before))).max(axis=(0, 1, 2))
    assert change[modality] > 1e-3
    assert_array_equal(np.delete(change, modality), [0, 0])


def test_one_modality_is_enough():
    model = modality_discriminator(modalities=("mr",), width=2)
    assert model(images(1)).shape == (2, 6, 6, 1)


def test_layers_bear_the_names_of_the_modalities():
    names = kernels(modality_discriminator(modalities=("ct", "pet"), width=2))
    assert {name.split("_")[0] for name in names} == {"ct", "pet"}
    assert len(names) == 8


def test_inference_leaves_the_weights_alone():
    model = patch_discriminator(width=2, seed=0)
    before = model.get_weights()
    model(images(1), training=False)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("build", "channels"), [(patch_discriminator, 1), (modality_discriminator, 2)]
)
def test_saved_and_reloaded_network_computes_the_same(build, channels, tmp_path):
    model = build(width=2, seed=0)
    model(images(channels), training=True)
    model.save(tmp_path / "network.keras")
    copy = keras.saving.load_model(tmp_path / "network.keras")
    for training in (False, True):
        assert_allclose(
            copy(images(channels), training=training),
            model(images(channels), training=training),
            atol=1e-6,
        )


@pytest.mark.parametrize("build", [patch_discriminator, modality_discriminator])
def test_equal_seeds_give_equal_weights_and_different_seeds_different_ones(build):
    first, same, other = (build(width=2, seed=seed) for seed in (3, 3, 4))
    for a, b in zip(first.weights, same.weights, strict=True):
        assert_array_equal(a, b, err_msg=a.path)  # the start of the power iteration too
    for name, kernel in kernels(first).items():
        assert np.abs(kernel - kernels(other)[name]).max() > 1e-3


def test_judges_of_two_modalities_start_differently():
    start = kernels(modality_discriminator(width=2, seed=0))
    for index in range(1, 5):
        difference = start[f"ct_convolution_{index}"] - start[f"mr_convolution_{index}"]
        assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (patch_discriminator, {"width": 0}, "width=0, expected 1 or more"),
        (patch_discriminator, {"channels": 0}, "channels=0, expected 1 or more"),
        (modality_discriminator, {"width": 0}, "width=0, expected 1 or more"),
        (modality_discriminator, {"modalities": ()}, "no modalities, expected 1 or more"),
        (
            patch_discriminator,
            {"receptive_field": 72},
            "receptive_field=72, .* 16, 34, 70, 142, 286",
        ),
        (
            patch_discriminator,
            {"normalization": "batch"},
            "'batch', expected one of spectral, inst",
        ),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
