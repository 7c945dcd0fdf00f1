import os
import pathlib

import pytest
import tensorflow as tf

# Two devices on which a strategy can put replicas; nothing else asks for the second.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
# Tests trace many small graphs that run once or twice: optimising them costs more than it saves.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _shared(variable, default, needed):
    """A folder outside the repository; the test is skipped without it, or fails if it was named."""
    shared = pathlib.Path(__file__).resolve().parents[2] / "shared"
    root = pathlib.Path(os.environ.get(variable, shared / default)).expanduser()
    if not (root / needed).exists():
        reason = f"{root}: no {needed} in it; set {variable} to the folder that has it."
        if variable in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return root


@pytest.fixture(scope="session")
def two_replicas():
    """Two replicas on one CPU: one object for all tests, for in one process several collide."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def atlas():
    """The Harvard Whole Brain Atlas slices: MEDGAN_ATLAS, or ../shared/data/atlas."""
    return _shared("MEDGAN_ATLAS", "data/atlas", "CT-MRI")


@pytest.fixture(scope="session")
def oracle():
    """Golden scores with the fused images they belong to: MEDGAN_ORACLE, or ../shared/oracle."""
    return _shared("MEDGAN_ORACLE", "oracle", "fusion_metrics.csv")


@pytest.fixture(scope="session")
def tiny():
    """`--set` texts that make the recipe `kgan` run in seconds."""
    return [
        "data.count=6",
        "data.patients=3",
        "data.image_size=64",
        "data.crop=48",
        "networks.teacher.width=3",
        "networks.student.width=2",
        "networks.discriminator.width=2",
        "teacher.content_loss.type=StructuralFusionLoss",
        "distillation.content_loss.type=StructuralFusionLoss",
        "teacher.steps=3",
        "distillation.steps=3",
        "training.batch_size=3",
        "training.checkpoint_every=2",
        "training.validation_pairs=2",
        'training.validation_scores=["sf", "ssim", "scd"]',
        "training.best_score=ssim",
    ]


@pytest.fixture(scope="module")
def eagerly():
    """Trainings of a few steps: tracing them would cost more than it saves."""
    yield from _running_eagerly()


@pytest.fixture
def eager_steps():
    """The same for one test of a module."""
    yield from _running_eagerly()


def _running_eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
