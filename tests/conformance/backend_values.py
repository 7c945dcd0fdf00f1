"""What every subject computes with the backend that is set, as `python backend_values.py FILE`.

The weights are the same with every backend (`with_fixed_weights`), and what trainers draw as well.
"""

import contextlib
import pathlib
import sys
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import keras
import numpy as np
import tensorflow as tf
from subjects import (
    LAYERS,
    LOSSES,
    METRICS,
    NETWORKS,
    TRAINERS,
    loss_values,
    one_of_each,
    with_fixed_weights,
)


def _compiled(function):
    """With JAX a compiled function: operations one by one are compiled one by one, for minutes."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)


def _outputs(layer, inputs, training):
    """What a layer or network returns, without a change of its state."""

    def call(values):
        state = list(zip(layer.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=state):
            return layer(inputs, training=training)

    return _compiled(call)([variable.value for variable in layer.variables])


def _layer(subject):
    layer, inputs = (subject.deterministic or subject.make)(), subject.ordinary()
    inputs = [keras.ops.convert_to_tensor(value) for value in inputs]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    layer.build(keras.tree.map_structure(lambda value: tuple(value.shape), inputs))
    with_fixed_weights(layer)
    return {str(training): _outputs(layer, inputs, training) for training in (True, False)}


def _loss(subject):
    loss = subject.make()
    return _compiled(lambda *inputs: loss_values(loss, *inputs))(*subject.ordinary())


def _metric(subject):
    metric = subject.make()
    state = [variable.value for variable in metric.variables]
    state = _compiled(metric.stateless_update_state)(state, *subject.ordinary())
    for variable, value in zip(metric.variables, state, strict=True):
        variable.assign(value)
    return {"result": metric.result()}


def _network(subject):
    inputs = [keras.ops.convert_to_tensor(value) for value in subject.ordinary()]
    return {"output": _outputs(subject.make(), *inputs, training=False)}


@contextlib.contextmanager
def _draws_of_numpy():
    """Draws that are the same with every backend: each of a shape is that shape's."""

    def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        values = mean + stddev * np.random.default_rng(0).normal(size=shape)
        return keras.ops.convert_to_tensor(values, dtype or "float32")

    def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        values = np.random.default_rng(1).uniform(minval, maxval, size=shape)
        return keras.ops.convert_to_tensor(values, dtype or "float32")

    with mock.patch.multiple(keras.random, normal=normal, uniform=uniform):
        yield


@_draws_of_numpy()
def _trainer(subject):
    """Terms of two steps, and the weights after them."""
    trainer = subject.make()
    trainer.compile(
        keras.optimizers.SGD(1e-2, momentum=0.9),
        keras.optimizers.SGD(1e-2),
        metrics=[subject.metric()],
        run_eagerly=keras.backend.backend() == "tensorflow",  # spares a trace
    )
    data = tuple(value for value in subject.data(4) if value is not None)
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(2)
    logs = trainer.fit(dataset, epochs=2, steps_per_epoch=1, shuffle=False, verbose=0).history
    return {
        "steps of the generator": trainer.optimizer.iterations,
        "steps of the discriminator": trainer.discriminator_optimizer.iterations,
        **{f"{name} {step}": logs[name][step] for name in logs for step in (0, 1)},
        **{f"weight {index}": value for index, value in enumerate(trainer.get_weights())},
    }


# Variants that take another way with each backend than the last of their class.
APART = [trainer for trainer in TRAINERS if trainer.name == "GAN[batch normalisation]"]

KINDS = (
    (LAYERS, _layer),
    (LOSSES, _loss),
    (METRICS, _metric),
    (NETWORKS, _network),
    ([*one_of_each(TRAINERS), *APART], _trainer),
)


def collected(subject):
    """Values of a subject, name to array."""
    (function,) = (function for subjects, function in KINDS if subject in subjects)
    return {k: np.asarray(keras.ops.convert_to_numpy(v)) for k, v in function(subject).items()}


if __name__ == "__main__":
    np.savez(
        sys.argv[1],
        **{
            f"{subject.name}|{name}": value
            for subjects, _ in KINDS
            for subject in subjects
            for name, value in collected(subject).items()
        },
    )
