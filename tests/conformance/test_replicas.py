import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from subjects import METRICS, TRAINERS, one_of_each

from medgan.layers import DiffAugment
from medgan.training_state import variables_of


def fitted(subject, strategy):
    """A trainer after two steps of four images, and what it logged."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        trainer = subject.make(DiffAugment(seed=3))
        trainer.compile(
            keras.optimizers.SGD(1e-2, momentum=0.9, clipnorm=0.1),
            keras.optimizers.SGD(1e-2, momentum=0.9),
            metrics=[subject.metric()],
            run_eagerly=strategy is None,  # spares a trace
        )
    data = tuple(value for value in subject.data(8) if value is not None)
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(4, drop_remainder=True)
    return trainer, trainer.fit(dataset, shuffle=False, verbose=0).history


@pytest.mark.parametrize("subject", one_of_each(TRAINERS), ids=str)
def test_two_replicas_train_as_one(subject, two_replicas):
    alone, logs = fitted(subject, None)
    shared, shared_logs = fitted(subject, two_replicas)
    assert shared_logs.keys() == logs.keys()
    for name, value in logs.items():
        assert_allclose(shared_logs[name], value, rtol=1e-5, err_msg=name)
    first, second = variables_of(alone), variables_of(shared)
    assert len(first) == len(second)
    for (name, one), (_, other) in zip(first, second, strict=True):
        values = (keras.ops.convert_to_numpy(variable) for variable in (other, one))
        assert_allclose(*values, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("subject", one_of_each(METRICS), ids=str)
def test_two_replicas_measure_as_one(subject, two_replicas):
    alone = subject.make()
    with two_replicas.scope():
        shared = subject.make()
    inputs = subject.ordinary()
    for start in (0, 1):  # twice: the second batch comes on top of the first
        batch = [value[start::2] for value in inputs]
        alone.update_state(*batch)
        halves = [
            two_replicas.experimental_distribute_values_from_function(
                lambda context, value=value: tf.constant(
                    np.split(value, 2)[context.replica_id_in_sync_group]
                )
            )
            for value in batch
        ]
        two_replicas.run(shared.update_state, args=halves)
    assert_allclose(shared.result(), alone.result(), rtol=1e-5)
    shared.reset_state()
    assert float(shared.result()) == 0
