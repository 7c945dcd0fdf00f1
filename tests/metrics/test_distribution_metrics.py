import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan import metrics
from medgan.networks import scattering_encoder

METRICS = {
    "fid": metrics.FrechetDistance,
    "kid": metrics.KernelDistance,
    "precision": metrics.GenerativePrecision,
    "recall": metrics.GenerativeRecall,
    "density": metrics.Density,
    "coverage": metrics.Coverage,
}


def halves():
    """An encoder of two features: the means of the left and of the right half."""
    image = keras.Input((4, 4, 1))
    means = keras.layers.AveragePooling2D((4, 2))(image)
    return keras.Model(image, keras.layers.Flatten()(means))


def images(seed, count, scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.uniform(size=(count, 4, 4, 1))).astype("float32")


def features(batch):
    return batch[..., 0].reshape(len(batch), 4, 2, 2).mean(axis=(1, 3)).astype("float64")


def expected(real, generated):
    """The scores by NumPy."""
    real, generated = features(real), features(generated)
    n, m = len(real), len(generated)
    covariances = [np.cov(x, rowvar=False) for x in (real, generated)]
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real).sum()
    shift = real.mean(axis=0) - generated.mean(axis=0)
    kernels = [(x @ y.T / 2 + 1) ** 3 for x, y in ((real, real), (generated,) * 2)]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels]

    def distances(x, y):
        return np.linalg.norm(x[:, None] - y[None], axis=-1)

    def radii(x, k):
        return np.sort(distances(x, x), axis=1)[:, k]

    across = distances(real, generated)
    balls = across <= radii(real, 5)[:, None]
    return {
        "fid": shift @ shift + np.trace(sum(covariances)) - 2 * root,
        "kid": sum(within) - 2 * ((real @ generated.T / 2 + 1) ** 3).mean(),
        "precision": (across <= radii(real, 3)[:, None]).any(axis=0).mean(),
        "recall": (across <= radii(generated, 3)[None]).any(axis=1).mean(),
        "density": balls.sum() / (5 * m),
        "coverage": balls.any(axis=1).sum() / n,
    }


@pytest.mark.parametrize("name", METRICS)
def test_batches_of_different_sizes_make_one_set(name):
    real, generated = images(1, 17), images(2, 12, 0.9)
    metric = METRICS[name](halves(), capacity=20)
    metric.update_state(real[:3], generated[:10])
    metric.update_state(real[3:9], generated[10:11])
    metric.update_state(real[9:], generated[11:])
    assert_allclose(metric.result(), expected(real, generated)[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_graphs_with_unknown_batch_sizes_compute_the_same(name):
    real, generated = images(1, 15), images(2, 12, 0.9)
    metric = METRICS[name](halves(), capacity=20)
    unknown = tf.TensorSpec((None, 4, 4, 1))

    @tf.function(input_signature=(unknown, unknown))
    def step(real, generated):
        metric.update_state(real, generated)
        return metric.result()

    assert_array_equal(step(real[:1], generated[:1]), 0)  # too few
    value = step(real[1:], generated[1:])
    assert_allclose(value, expected(real, generated)[name], rtol=1e-3, atol=1e-5)


def test_images_beyond_the_capacity_are_ignored():
    real, generated = images(1, 30), images(2, 30, 0.9)
    metric = metrics.FrechetDistance(halves(), capacity=8)
    for start in (0, 5, 10):
        metric.update_state(real[start : start + 5], generated[start : start + 5])
    assert_allclose(metric.result(), expected(real[:8], generated[:8])["fid"], rtol=1e-3)


@pytest.mark.parametrize(("name", "smallest"), [("fid", 2), ("recall", 4), ("coverage", 6)])
def test_too_few_images_are_zero_and_reset_forgets(name, smallest):
    metric = METRICS[name](halves(), capacity=10)
    assert_array_equal(metric.result(), 0)
    metric.update_state(images(1, 10), images(1, smallest - 1))
    assert_array_equal(metric.result(), 0)
    metric.update_state(images(1, 1), images(1, 1) + 0.1)
    assert float(metric.result()) > 0
    metric.reset_state()
    assert_array_equal(metric.result(), 0)


def test_images_are_clipped():
    real, generated = images(1, 9), images(2, 9)
    values = []
    for excess in (0, 5):
        metric = metrics.FrechetDistance(halves(), capacity=9)
        metric.update_state(real, np.where(generated > 0.5, 1 + excess, generated))
        values.append(metric.result())
    assert_array_equal(*values)


@pytest.mark.parametrize("name", METRICS)
def test_metric_bears_the_short_name_and_survives_serialisation(name):
    assert METRICS[name](halves()).name == name
    metric = METRICS[name](halves(), capacity=9, name="other")
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == f"medgan>{METRICS[name].__name__}"
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is METRICS[name]
    assert (copy.name, copy.capacity) == ("other", 9)
    for each in (metric, copy):
        each.update_state(images(1, 9), images(2, 9))
    assert_allclose(copy.result(), metric.result())


def test_default_encoder_is_the_scattering_transform_also_after_serialisation():
    rng = np.random.default_rng(0)
    real, generated = rng.uniform(size=(2, 3, 25, 25, 1)).astype("float32")
    metric = metrics.FrechetDistance(capacity=3)
    copy = metrics.FrechetDistance.from_config(metric.get_config())
    encoder = scattering_encoder()
    given = metrics.FrechetDistance(encoder, capacity=3)
    for each in (metric, copy, given):
        each.update_state(real, generated)
    assert float(metric.result()) > 0
    assert_allclose([copy.result(), given.result()], 2 * [metric.result()], rtol=1e-5)


def test_encoders_without_vectors_and_small_capacities_are_refused():
    image = keras.Input((4, 4, 1))
    maps = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
    with pytest.raises(ValueError, match=r"output shape \(None, 2, 2, 2\), expected \(batch, feat"):
        metrics.KernelDistance(maps)
    with pytest.raises(ValueError, match="capacity=5, expected at least 6"):
        metrics.Coverage(halves(), capacity=5)


def test_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        metrics.DistributionMetric(halves())


def brighter():
    """A model from images to images."""
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, use_bias=False)])
    model.set_weights([np.full((1, 1, 1, 1), 0.9)])
    return model


def test_metric_stands_in_compile():
    model = brighter()
    metric = metrics.FrechetDistance(halves(), capacity=16)
    model.compile(loss="mae", metrics=[metric], jit_compile=False)
    sources, targets = images(1, 12), images(2, 12)
    seen = model.evaluate(sources, targets, batch_size=5, verbose=0, return_dict=True)
    assert_allclose(seen["fid"], expected(targets, np.float32(0.9) * sources)["fid"], rtol=1e-3)


def test_weights_of_images_are_refused():
    metric = metrics.KernelDistance(halves(), capacity=9)
    with pytest.raises(ValueError, match="Received a sample_weight for 'kid', expected None"):
        metric.update_state(images(1, 9), images(2, 9), sample_weight=np.ones(9))
    metric.update_state(images(1, 9), images(2, 9), sample_weight=None)
    assert float(metric.result()) != 0


def test_encoder_that_lost_its_weights_is_warned_of(caplog):
    def warnings():
        return [record for record in caplog.records if record.name.startswith("medgan")]

    metrics.FrechetDistance.from_config(metrics.FrechetDistance(halves()).get_config())
    metrics.FrechetDistance.from_config(metrics.FrechetDistance().get_config())
    assert not warnings()
    image = keras.Input((4, 4, 1))
    learned = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    metric = metrics.FrechetDistance(keras.Model(image, learned))
    assert not warnings()
    metrics.FrechetDistance.from_config(metric.get_config())
    (record,) = warnings()
    assert "Pass the encoder itself to FrechetDistance(encoder=...)." in record.getMessage()
