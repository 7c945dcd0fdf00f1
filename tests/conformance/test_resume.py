import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal
from subjects import TRAINERS

from medgan import precision
from medgan.callbacks import Checkpoint
from medgan.layers import DiffAugment
from medgan.training_state import variables_of


def made(subject, policy, seed):
    """A trainer with everything that a step moves; each seed has other draws and weights."""
    with precision.policy(policy):
        trainer = subject.make(DiffAugment(seed=seed))
    for variable in trainer.weights:
        if variable.trainable:
            variable.assign(variable + 1e-3 * seed)
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 3, 0.5)
    trainer.compile(
        keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=0.9),
        keras.optimizers.Adam(1e-3, clipnorm=1.0),
        run_eagerly=True,
    )
    return trainer


def batches(subject, first_step):
    """Each step's batch is a function of its number."""
    data = tuple(value for value in subject.data(8) if value is not None)
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(2)
    return dataset.repeat().skip(first_step)


def fitted(subject, policy, seed, epochs, directory):
    trainer = made(subject, policy, seed)
    checkpoint = Checkpoint(directory)
    trainer.fit(
        batches(subject, checkpoint.first_step),
        epochs=epochs,
        steps_per_epoch=2,
        shuffle=False,
        verbose=0,
        callbacks=[checkpoint],
    )
    return trainer


@pytest.mark.parametrize(
    "subject, policy",
    [
        (TRAINERS[0], "mixed_float16"),  # everything of float32, and two loss scales
        (TRAINERS[-1], "float32"),
        # A pool of images, which exchanges some after the checkpoint.
        *[(subject, "float32") for subject in TRAINERS if subject.name == "CycleGAN"],
        (TRAINERS[-1], "mixed_bfloat16"),
        *[(trainer, "float32") for trainer in TRAINERS if trainer.name == "WGANGP"],  # draws
    ],
    ids=str,
)
def test_resumed_equals_uninterrupted_bit_for_bit(subject, policy, tmp_path):
    whole = fitted(subject, policy, 3, 2, tmp_path / "whole")
    fitted(subject, policy, 3, 1, tmp_path / "parts")
    resumed = fitted(subject, policy, 5, 2, tmp_path / "parts")
    first, second = variables_of(whole), variables_of(resumed)
    assert len(first) == len(second)
    for (name, one), (_, other) in zip(first, second, strict=True):
        assert_array_equal(np.asarray(other.value), np.asarray(one.value), name)
