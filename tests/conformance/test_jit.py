import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from subjects import LAYERS, LOSSES, METRICS, NETWORKS, TRAINERS, loss_values, one_of_each

from medgan.metrics import DistributionMetric


def jitted(function):
    return tf.function(function, jit_compile=True)


def assert_same(first, second):
    keras.tree.map_structure(
        lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), first, second
    )


@pytest.mark.parametrize("subject", one_of_each(LAYERS), ids=str)
def test_a_compiled_layer_is_the_layer(subject):
    layer, inputs = (subject.deterministic or subject.make)(), subject.ordinary()
    inputs = list(inputs) if len(inputs) > 1 else inputs[0]
    expected = layer(inputs)
    assert_same(jitted(layer)(inputs), expected)


@pytest.mark.parametrize("subject", LOSSES, ids=str)
def test_a_compiled_loss_is_the_loss(subject):
    loss, inputs = subject.make(), subject.ordinary()
    compiled = jitted(lambda *inputs: loss_values(loss, *inputs))
    assert_same(compiled(*inputs), loss_values(loss, *inputs))


# The result of a distribution metric has shapes that depend on the number of images.
@pytest.mark.parametrize("subject", one_of_each(METRICS), ids=str)
def test_a_compiled_metric_is_the_metric(subject):
    metric, twin, inputs = subject.make(), subject.make(), subject.ordinary()
    metric.update_state(*inputs)
    jitted(twin.update_state)(*inputs)
    result = twin.result if isinstance(twin, DistributionMetric) else jitted(twin.result)
    assert_same(result(), metric.result())


@pytest.mark.parametrize("subject", one_of_each(NETWORKS), ids=str)
def test_a_compiled_network_is_the_network(subject):
    network, inputs = subject.make(), subject.ordinary()
    assert_same(jitted(network)(*inputs), network(*inputs))


# XLA takes long to compile a step: the base is the same for all, and JAX compiles each with XLA.
@pytest.mark.slow
@pytest.mark.parametrize("subject", TRAINERS[:1], ids=str)
def test_a_compiled_step_is_the_step(subject):
    logs, weights = [], []
    for how in ({"jit_compile": True}, {"run_eagerly": True}):
        trainer = subject.make()
        trainer.compile(
            keras.optimizers.SGD(1e-2, momentum=0.9),
            keras.optimizers.SGD(1e-2),
            metrics=[subject.metric()],
            **how,
        )
        logs.append(trainer.train_on_batch(*subject.data(2), return_dict=True))
        weights.append(trainer.get_weights())
    assert logs[0].keys() == logs[1].keys()
    assert_same(*({name: np.asarray(value) for name, value in log.items()} for log in logs))
    assert_same(*weights)
