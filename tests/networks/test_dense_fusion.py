import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.networks import dense_fusion_generator

HEADS = ["maximum_residual", "blend", "tanh"]


def sources(height=12, width=16, count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(count, height, width, 2)).astype("float32")


def shaken(model):
    """The model with small random weights everywhere, so that no head starts at zero."""
    rng = np.random.default_rng(1)
    model.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("width", "parameters"), [(32, 255_702), (16, 63_640), (8, 15_926), (4, 4_018)]
)
def test_parameters_are_those_of_the_specification(width, parameters):
    assert dense_fusion_generator(width=width, head="tanh").count_params() == parameters


@pytest.mark.parametrize(("head", "channels"), [("maximum_residual", 1), ("blend", 2)])
def test_heads_differ_from_tanh_only_in_the_channels_of_the_last_convolution(head, channels):
    model = dense_fusion_generator(width=4, head=head)
    # the last decoding layer has 4 channels: 3 * 3 * 4 weights and a bias for each output
    assert model.count_params() == 4_018 + (channels - 1) * 37


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("height", "width"), [(2, 2), (7, 13), (48, 32)])
def test_any_size_goes_through(head, height, width):
    model = dense_fusion_generator(width=2, head=head)
    fused = np.asarray(model(sources(height, width)))
    assert fused.shape == (2, height, width, 1)
    assert fused.min() >= 0 and fused.max() <= 1


def test_maximum_residual_starts_at_the_maximum():
    model = dense_fusion_generator(width=2, head="maximum_residual")
    for training in (False, True):
        fused = model(sources(), training=training)
        assert_array_equal(fused, sources().max(axis=-1, keepdims=True))


def test_blend_starts_at_the_average():
    fused = dense_fusion_generator(width=2, head="blend")(sources())
    assert_allclose(fused, sources().mean(axis=-1, keepdims=True), atol=1e-6)


def test_head_is_what_its_name_says():
    for head, channels in (("maximum_residual", 1), ("blend", 2), ("tanh", 1)):
        model = shaken(dense_fusion_generator(width=2, head=head))
        names = ("before_head", "fused")
        taps = keras.Model(model.input, [model.get_layer(name).output for name in names])
        before, fused = (np.asarray(value) for value in taps(sources(), training=True))
        assert before.shape == (2, 12, 16, channels)
        a, b = sources()[..., :1], sources()[..., 1:]
        share = 1 / (1 + np.exp(-before[..., :1]))
        expected = {
            "maximum_residual": np.maximum(a, b) + np.tanh(before),
            "blend": share * a + (1 - share) * b + np.tanh(before[..., 1:]),
            "tanh": (np.tanh(before) + 1) / 2,
        }[head]
        assert_allclose(fused, expected, atol=1e-6)


@pytest.mark.parametrize("dense_layers", [1, 2, 4])
def test_embedding_is_the_last_dense_map(dense_layers):
    model = dense_fusion_generator(width=3, dense_layers=dense_layers)
    assert model.get_layer("embedding").output.shape[-1] == 3 * (1 + dense_layers)
    assert model.get_layer("embedding").output is model.get_layer("decode_1_padding").input


@pytest.mark.parametrize("head", HEADS)
def test_saved_and_reloaded_network_computes_the_same(head, tmp_path):
    model = shaken(dense_fusion_generator(width=2, head=head, seed=0))
    model.save(tmp_path / "network.keras")
    copy = keras.saving.load_model(tmp_path / "network.keras")
    assert copy.name == "dense_fusion_generator"
    assert_allclose(copy(sources()), model(sources()), atol=1e-6)
    assert_allclose(copy(sources(), training=True), model(sources(), training=True), atol=1e-6)


def test_equal_seeds_give_equal_weights_and_different_seeds_different_ones():
    first, same, other = (dense_fusion_generator(width=4, seed=seed) for seed in (3, 3, 4))
    for a, b in zip(first.get_weights(), same.get_weights(), strict=True):
        assert_array_equal(a, b)
    kernels = [
        (a, b)
        for a, b in zip(first.get_weights(), other.get_weights(), strict=True)
        if a.ndim == 4 and a.any()
    ]
    assert len(kernels) == 8  # the head's starts at zero
    assert all(np.abs(a - b).max() > 0.01 for a, b in kernels)


def test_layers_start_differently():
    # Draws from one seed would be the same numbers, scaled to the fan-in of each layer.
    model = dense_fusion_generator(width=4, seed=0)
    kernels = [np.asarray(w) for w in model.trainable_weights if w.path.endswith("/kernel")]
    drawn = [kernel.ravel()[:72] / kernel.std() for kernel in kernels if kernel.any()]
    assert len(drawn) == 8
    similarity = np.corrcoef(drawn)
    assert np.abs(similarity - np.eye(8)).max() < 0.5


@pytest.mark.parametrize(("sources", "head"), [(1, "tanh"), (1, "maximum_residual"), (3, "tanh")])
def test_any_number_of_sources_makes_one_image(sources, head):
    model = dense_fusion_generator(width=4, head=head, sources=sources)
    assert model.count_params() == 4_018 + (sources - 2) * 9 * 4
    images = np.random.default_rng(0).uniform(size=(2, 6, 8, sources)).astype("float32")
    made = np.asarray(model(images))
    assert made.shape == (2, 6, 8, 1)
    if head == "maximum_residual":
        assert_array_equal(made, images)  # a decomposer starts at the fused image


def test_kernels_are_drawn_as_he_says():
    model = dense_fusion_generator(width=32, seed=0)
    kernel = np.asarray(model.get_layer("dense_4").kernel)
    fan_in = 9 * 4 * 32
    # 36,864 draws: the standard deviation of their standard deviation is about 0.4 percent
    assert_allclose(kernel.std(), np.sqrt(2 / fan_in), rtol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "max"}, r"head='max', expected one of maximum_residual, blend, tanh"),
        ({"width": 0}, r"width=0, expected 1 or more"),
        ({"dense_layers": -1}, r"dense_layers=-1, expected 1 or more"),
        ({"sources": 0}, r"sources=0, expected 1 or more"),
        ({"sources": 1, "head": "blend"}, r"sources=1 and head='blend', expected two sources"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dense_fusion_generator(**arguments)
