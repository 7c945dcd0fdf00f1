import json

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from subjects import LAYERS, LOSSES, METRICS, NETWORKS, TRAINERS, loss_values, one_of_each

from medgan.layers import DiffAugment
from medgan.training_state import variables_of


def said(value):
    """The JSON of an object's serialised form."""
    return json.dumps(keras.saving.serialize_keras_object(value), sort_keys=True)


def again(value):
    """An object from nothing but its JSON."""
    return keras.saving.deserialize_keras_object(json.loads(said(value)))


def arrays(values):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, values)


def assert_same(first, second):
    keras.tree.map_structure(assert_array_equal, arrays(first), arrays(second))


def call(layer, inputs, **kwargs):
    return layer(list(inputs) if len(inputs) > 1 else inputs[0], **kwargs)


# From a configuration.


@pytest.mark.parametrize("subject", LAYERS, ids=str)
def test_a_layer_comes_back_from_its_configuration(subject):
    layer, inputs = subject.make(), subject.ordinary()
    twin = again(layer)
    assert said(twin) == said(layer)
    expected = call(layer, inputs)
    call(twin, inputs)  # has its weights now
    twin.set_weights(layer.get_weights())
    if isinstance(layer, DiffAugment):
        layer, twin = again(layer), again(layer)  # the draws begin anew
        expected = call(layer, inputs)
    assert_same(call(twin, inputs), expected)


@pytest.mark.parametrize("subject", LOSSES, ids=str)
def test_a_loss_comes_back_from_its_configuration(subject):
    loss, inputs = subject.make(), subject.ordinary()
    twin = again(loss)
    assert said(twin) == said(loss)
    assert_same(loss_values(twin, *inputs), loss_values(loss, *inputs))


@pytest.mark.parametrize("subject", METRICS, ids=str)
def test_a_metric_comes_back_from_its_configuration(subject):
    metric, inputs = subject.make(), subject.ordinary()
    twin = again(metric)
    assert said(twin) == said(metric)
    assert_same(twin(*inputs), metric(*inputs))
    metric.reset_state()
    assert float(metric.result()) == 0


@pytest.mark.parametrize("subject", TRAINERS, ids=str)
def test_a_trainer_comes_back_from_its_configuration(subject):
    trainer = subject.make(DiffAugment(seed=3))
    twin = again(trainer)
    assert said(twin) == said(trainer)
    twin.set_weights(trainer.get_weights())
    inputs = subject.inputs(2)
    assert_same(twin(inputs), trainer(inputs))


# From a file.


@pytest.mark.parametrize("subject", LAYERS, ids=str)
def test_a_layer_comes_back_from_a_file(subject, tmp_path):
    arguments = subject.ordinary()
    inputs = [keras.Input(value.shape[1:]) for value in arguments]
    outputs = call(subject.make(), inputs)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "layer.keras")
    twin = keras.models.load_model(tmp_path / "layer.keras")
    for training in (True, False):
        expected = model(list(arguments), training=training)
        assert_same(twin(list(arguments), training=training), expected)


@pytest.mark.parametrize("subject", NETWORKS, ids=str)
def test_a_network_comes_back_from_a_file(subject, tmp_path):
    network, inputs = subject.make(), subject.ordinary()
    network.save(tmp_path / "network.keras")
    twin = keras.models.load_model(tmp_path / "network.keras")
    assert_same(twin(*inputs), network(*inputs))


def trained(subject, steps=1):
    """A trainer with both optimizers, after some steps."""
    trainer = subject.make(DiffAugment(seed=3))
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 2, 0.5)
    trainer.compile(
        keras.optimizers.Adam(schedule, use_ema=True),
        keras.optimizers.SGD(1e-2, momentum=0.9),
        metrics=[subject.metric()],
        run_eagerly=True,
    )
    for _ in range(steps):
        trainer.train_on_batch(*subject.data(2))
    return trainer


@pytest.mark.parametrize("subject", one_of_each(TRAINERS), ids=str)
def test_a_trainer_comes_back_from_a_file_and_takes_the_same_next_step(subject, tmp_path):
    trainer = trained(subject)
    trainer.save(tmp_path / "trainer.keras")
    twin = keras.models.load_model(tmp_path / "trainer.keras")
    assert int(twin.optimizer.iterations) == 1
    assert int(twin.discriminator_optimizer.iterations) == trainer.discriminator_steps
    for step in (1, 2):
        first, second = variables_of(trainer), variables_of(twin)
        assert len(first) == len(second)
        for (name, one), (_, other) in zip(first, second, strict=True):
            assert_array_equal(np.asarray(other.value), np.asarray(one.value), f"{name} {step}")
        for model in (trainer, twin) if step == 1 else ():
            model.train_on_batch(*subject.data(2))


@pytest.mark.parametrize("subject", one_of_each(TRAINERS), ids=str)
def test_a_loaded_trainer_is_compiled_as_it_was(subject, tmp_path):
    trainer = trained(subject, steps=0)
    trainer.save(tmp_path / "trainer.keras")
    twin = keras.models.load_model(tmp_path / "trainer.keras")
    assert said(twin.get_compile_config()) == said(trainer.get_compile_config())
