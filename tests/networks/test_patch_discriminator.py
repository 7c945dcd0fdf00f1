import keras
import numpy as np
import pytest
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


def test_logit_sees_34_pixels_a_side():
    model = patch_discriminator(width=2, seed=0)
    image = np.zeros((1, 64, 64, 1), "float32")
    changed = np.repeat(image, 64, axis=0)
    for column in range(64):
        changed[column, :, column] = 1
    middle = np.asarray(model(changed) - model(image))[:, :, 7].any(axis=(1, 2))
    assert middle.sum() == 34
    assert_array_equal(
        np.flatnonzero(np.diff(middle.astype(int))), np.flatnonzero(middle)[[0, -1]] - [1, 0]
    )


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
        (patch_discriminator, {"width": 0}, "width=0 and channels=1, expected 1 or more"),
        (patch_discriminator, {"channels": 0}, "channels=0, expected 1 or more"),
        (modality_discriminator, {"width": 0}, "width=0 .* expected 1 or more"),
        (modality_discriminator, {"modalities": ()}, "0 modalities, expected 1 or more"),
    ],
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
