"""What Keras asks of every loss: serialisation, and a plain `model.compile(loss=...)`."""

import inspect

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import losses

# Every argument away from its default, the target that belongs to (2, 48, 48, 2) sources,
# and what the model returns.
CASES = {
    "StructuralFusionLoss": (
        {"intensity": 1.0, "gradient": 2.0, "structure": 3.0, "correlation": 4.0},
        "sources",
    ),
    "IntensityDetailLoss": (
        {"intensity": 2.0, "detail": 3.0, "intensity_source": 1, "kind": "contrast"},
        "sources",
    ),
    "MetricAwareFusionLoss": (
        {
            "structure": 1.0,
            "correlation": 2.0,
            "edges": 4.0,
            "information": 5.0,
            "frequency": 6.0,
            "frequency_cap": 1.5,
            "overshoot": 7.0,
        },
        "sources",
    ),
    "TeacherImageLoss": ({"absolute": 1.0, "structure": 2.0}, "image"),
    "WaveletLoss": ({"levels": 3}, "image"),
    "SpatialSoftLabelLoss": ({"temperature": 2.0, "window": 8}, "image"),
    "SoftenedLabelLoss": ({"temperature": 2.0}, "image"),
    "DistillationLoss": (
        {
            "temperature": 2.0,
            "soft_label": 2.0,
            "spatial": 3.0,
            "absolute": 4.0,
            "structure": 5.0,
            "wavelet": 6.0,
        },
        "image",
    ),
    "AdaptedFeatureLoss": ({"layers": ["a", ["b", "c"]], "weight": 2.0}, "image"),
    "DiscriminatorFeatureLoss": ({"layers": ["a"], "weight": 2.0}, "image"),
    "KernelAlignmentLoss": ({"layers": ["a", ["b", "c"]], "weight": 2.0}, "embedding"),
    "RelationLoss": ({"distance": 2.0, "angle": 3.0, "alignment": 4.0}, "embedding"),
}


def build(name):
    return getattr(losses, name)(**CASES[name][0])


def network(kind):
    layers = [keras.Input((48, 48, 2)), keras.layers.Conv2D(1, 3, padding="same")]
    if kind == "embedding":
        layers[1:] = [keras.layers.Conv2D(3, 3), keras.layers.GlobalAveragePooling2D()]
    else:
        layers.append(keras.layers.Activation("sigmoid"))
    keras.utils.set_random_seed(0)
    return keras.Sequential(layers)


def data(kind):
    rng = np.random.default_rng(0)
    sources = rng.uniform(size=(3, 48, 48, 2)).astype("float32")
    targets = {
        "sources": sources,
        "image": sources.max(axis=-1, keepdims=True),
        "embedding": rng.normal(size=(3, 5)).astype("float32"),
    }
    return sources, targets[kind]


def test_every_keras_loss_of_the_package_is_tested_here():
    concrete = {
        name
        for name in losses.__all__
        if issubclass(getattr(losses, name), keras.losses.Loss)
        and not inspect.isabstract(getattr(losses, name))
    }
    assert concrete == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_serialisation_keeps_every_argument(name):
    arguments, kind = CASES[name]
    signature = inspect.signature(getattr(losses, name).__init__).parameters
    assert set(arguments) == set(signature) - {"self", "name", "kwargs"}
    assert all(value != signature[key].default for key, value in arguments.items())
    loss = getattr(losses, name)(**arguments, name="other", reduction="sum")
    config = keras.saving.serialize_keras_object(loss)
    assert config["registered_name"] == f"medgan>{name}"
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    for key, value in {**arguments, "name": "other", "reduction": "sum"}.items():
        assert getattr(copy, key) == value
    sources, target = data(kind)
    output = network(kind)(sources)
    assert_allclose(copy(target, output), loss(target, output))


@pytest.mark.parametrize("name", CASES)
def test_loss_serves_compile_in_a_graph(name):
    loss, kind = build(name), CASES[name][1]
    sources, target = data(kind)
    model = network(kind)
    before = model.get_weights()
    expected = float(loss(target, model(sources)))
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=loss)
    logs = model.train_on_batch(sources, target, return_dict=True)
    assert_allclose(logs["loss"], expected, rtol=1e-3)
    after = model.get_weights()
    assert all(np.isfinite(weights).all() for weights in after)
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["StructuralFusionLoss", "RelationLoss"])
def test_compiled_model_is_saved_with_its_loss(name, tmp_path):
    loss, kind = build(name), CASES[name][1]
    model = network(kind)
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.loss.get_config() == loss.get_config()
