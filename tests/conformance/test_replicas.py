import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from subjects import METRICS, TRAINERS, one_of_each, traced

from medgan import precision
from medgan.layers import DiffAugment
from medgan.training_state import variables_of


def plain():
    """An optimizer whose steps show a gradient of another length."""
    return keras.optimizers.SGD(1e-2, momentum=0.9)


def clipped():
    """An optimizer that wants the sum over the replicas before it clips."""
    return keras.optimizers.SGD(1.0, momentum=0.9, clipnorm=0.1)


def scaled():
    """An optimizer that scales losses so little that no gradient of two images overflows.

    Where one overflows, the scale goes down, and the two trainings take other steps.
    """
    return keras.optimizers.LossScaleOptimizer(plain(), initial_scale=8)


def fitted(subject, strategy, optimizer, run_eagerly=False, policy="float32"):
    """A trainer after two steps of four images, and what it logged."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        with precision.policy(policy):
            trainer = subject.make(DiffAugment(seed=3))
        trainer.compile(
            optimizer(),
            plain() if optimizer is clipped else optimizer(),
            metrics=[subject.metric()],
            run_eagerly=run_eagerly or strategy is None,  # spares a trace
        )
    data = tuple(value for value in subject.data(8) if value is not None)
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(4, drop_remainder=True)
    return trainer, trainer.fit(dataset, shuffle=False, verbose=0).history


def flat(variables):
    """All numbers of variables in one vector."""
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(v)) for v in variables])


def learned(trainer):
    """What each player learns, in one vector."""
    return {
        "generator": flat(trainer.generator_variables),
        "discriminator": flat(trainer.discriminator_variables),
    }


@pytest.mark.parametrize(
    "subject, optimizer",
    [(TRAINERS[0], clipped), *traced(one_of_each(TRAINERS), plain)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_two_replicas_train_as_one(subject, optimizer, two_replicas):
    alone, logs = fitted(subject, None, optimizer)
    # One subject is traced here and the other below.
    shared, shared_logs = fitted(subject, two_replicas, optimizer, subject is TRAINERS[0])
    assert shared_logs.keys() == logs.keys()
    for name, value in logs.items():
        assert_allclose(shared_logs[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    first, second = variables_of(alone), variables_of(shared)
    assert len(first) == len(second)
    for (name, one), (_, other) in zip(first, second, strict=True):
        values = (keras.ops.convert_to_numpy(variable) for variable in (other, one))
        assert_allclose(*values, rtol=0, atol=1e-5, err_msg=name)
    # Both players went so far that half or twice the way would be seen.
    for player, start in learned(subject.make()).items():
        assert np.abs(learned(alone)[player] - start).max() > 1e-3, player


@pytest.mark.slow
def test_two_replicas_train_as_one_in_half_precision(two_replicas):
    subject = TRAINERS[0]
    alone, logs = fitted(subject, None, scaled, policy="mixed_float16")
    shared, shared_logs = fitted(subject, two_replicas, scaled, policy="mixed_float16")
    for trainer in (alone, shared):
        for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
            assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
            assert keras.ops.convert_to_numpy(optimizer.iterations) == 2
            assert keras.ops.convert_to_numpy(optimizer.dynamic_scale) == 8
        assert all(np.isfinite(flat([weight])).all() for weight in trainer.weights)
    assert shared_logs.keys() == logs.keys()
    for name, value in logs.items():
        assert_allclose(shared_logs[name], value, rtol=1e-3, err_msg=name)
    # Sums of gradients are rounded to 11 bits in another order: 1 % of the way, and 0.2 % measured.
    for player, start in learned(subject.make()).items():
        way = learned(alone)[player] - start
        distance = np.linalg.norm(learned(shared)[player] - learned(alone)[player])
        assert distance < 0.01 * np.linalg.norm(way), player


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
