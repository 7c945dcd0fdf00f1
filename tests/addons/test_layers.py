import keras
import numpy as np
import pytest

from medgan import addons

MAKERS = {
    "GroupNormalization": lambda: addons.GroupNormalization(
        groups=2, epsilon=0.1, beta_regularizer="l2", gamma_constraint="non_neg"
    ),
    "InstanceNormalization": lambda: addons.InstanceNormalization(axis=2, center=False),
    "SpectralNormalization": lambda: addons.SpectralNormalization(
        keras.layers.Conv2D(3, 2, activation="relu"), power_iterations=2
    ),
    "WeightNormalization": lambda: addons.WeightNormalization(
        keras.layers.Conv2DTranspose(3, 2), data_init=False
    ),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def network(make):
    return keras.Sequential([keras.Input((5, 4, 4)), make(), keras.layers.Dense(1)])


@pytest.mark.parametrize("name", MAKERS)
def test_layer_is_found_under_the_name_in_the_files(name):
    assert keras.saving.get_registered_object(f"Addons>{name}") is getattr(addons, name)


@pytest.mark.parametrize("name", MAKERS)
def test_config_makes_the_same_layer(name):
    layer = MAKERS[name]()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("name", MAKERS)
def test_new_model_learns_and_comes_back_from_its_file(name, tmp_path, eager_steps):
    keras.utils.set_random_seed(0)
    model = network(MAKERS[name])
    x = noise(16, 5, 4, 4)
    y = network(MAKERS[name]).predict(x, verbose=0)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    before = [weight.numpy() for weight in model.layers[0].trainable_weights]
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=8, batch_size=8, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.7 * first
    for weight, old in zip(model.layers[0].trainable_weights, before, strict=True):
        assert np.abs(weight.numpy() - old).max() > 1e-3, weight.path
    model.save(tmp_path / "model.keras")
    again = addons.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_computes_the_same_to_its_precision(name):
    x = noise(2, 5, 4, 4)
    full = network(MAKERS[name])
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = network(MAKERS[name])
    finally:
        keras.config.set_dtype_policy(policy)
    half.set_weights(full.get_weights())
    output = half(x)
    assert output.dtype == "float16"
    np.testing.assert_allclose(output, full(x), atol=0.01, rtol=0.01)
    assert {weight.dtype for weight in half.weights} == {"float32"}


def test_statistics_of_large_numbers_do_not_overflow_in_half_precision():
    x = (1000 * noise(1, 8, 8, 2) + 3000).astype("float16")
    output = np.asarray(addons.InstanceNormalization(dtype="float16")(x), "float64")
    exact = x.astype("float64")
    exact = (exact - exact.mean((1, 2))) / exact.std((1, 2))
    np.testing.assert_allclose(output, exact, atol=0.01)


def test_group_normalization_is_what_numpy_makes_of_each_group():
    x = noise(2, 3, 4, 6)
    output = addons.GroupNormalization(groups=3, epsilon=0.5)(x)
    groups = x.reshape(2, 12, 3, 2)
    mean, variance = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
    expected = ((groups - mean) / np.sqrt(variance + 0.5)).reshape(x.shape)
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_spectral_normalization_brings_the_largest_singular_value_to_one():
    layer = addons.SpectralNormalization(keras.layers.Dense(4))
    for _ in range(30):
        layer(noise(1, 6), training=True)
    assert np.linalg.norm(layer.layer.kernel.numpy(), 2) == pytest.approx(1, abs=1e-3)


def test_spectral_normalization_leaves_the_kernel_alone_in_inference():
    layer = addons.SpectralNormalization(keras.layers.Dense(4))
    layer(noise(1, 6))
    before = [weight.numpy() for weight in layer.weights]
    layer(noise(1, 6), training=False)
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_spectral_normalization_of_an_embedding_normalises_its_table():
    layer = addons.SpectralNormalization(keras.layers.Embedding(5, 3))
    for _ in range(30):
        layer(np.array([[0, 4]]), training=True)
    assert np.linalg.norm(layer.layer.embeddings.numpy(), 2) == pytest.approx(1, abs=1e-3)


def test_weight_normalization_begins_as_the_plain_layer():
    layer = addons.WeightNormalization(keras.layers.Conv2D(3, 2))
    x = noise(2, 5, 4, 2)
    np.testing.assert_allclose(layer(x), layer.layer(x), atol=1e-6)


def test_weight_normalization_has_kernels_of_length_g():
    layer = addons.WeightNormalization(keras.layers.Dense(3, use_bias=False))
    layer.build((None, 4))
    layer.g.assign([1.0, 2.0, 3.0])
    kernel = np.asarray(layer(np.eye(4, dtype="float32")))  # the layer's matrix itself
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), [1, 2, 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: addons.GroupNormalization(axis=0), "axis=0, which is the batch"),
        (lambda: addons.GroupNormalization(groups=0), "groups=0, expected 1 or more, or -1"),
        (lambda: addons.GroupNormalization(groups=3), "4 channels for groups=3"),
        (lambda: addons.InstanceNormalization(axis=-2), "or a positive axis, such as 2"),
        (
            lambda: addons.SpectralNormalization(keras.layers.Dense(1), power_iterations=0),
            "power_iterations=0, expected 1",
        ),
        (
            lambda: addons.SpectralNormalization(keras.layers.ReLU()),
            "expected a layer with a kernel or embeddings",
        ),
        (lambda: addons.WeightNormalization(keras.layers.ReLU()), "expected a layer with a kernel"),
        (lambda: addons.WeightNormalization(keras.layers.LSTM(2)), "the recurrent layer"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make().build((None, 5, 4, 4))


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="expected a known number of channels on axis -1"):
        addons.InstanceNormalization().build((None, 4, 4, None))


def test_spectral_normalization_is_not_trained_by_jax(monkeypatch):
    layer = addons.SpectralNormalization(keras.layers.Dense(4))
    layer(noise(1, 6))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(NotImplementedError, match="KERAS_BACKEND=tensorflow"):
        layer(noise(1, 6), training=True)
