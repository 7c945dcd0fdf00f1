import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from subjects import (
    LAYERS,
    LOSSES,
    METRICS,
    NETWORKS,
    TRAINERS,
    black_and_white,
    loss_values,
)

from medgan import precision

HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
POLICIES = ("mixed_float16", "mixed_bfloat16")
# Half precision keeps 11 or 8 bits. A network rounds in each of its layers: ten roundings are
# allowed. The farthest are terms that compare a teacher with a student (soft labels, relations):
# both rounded, and what is left of their difference is small. In bfloat16 those differ by up to
# 0.016, other terms by 0.009; single layers and whole networks by 0.009.
DISTANCE = {"mixed_float16": 0.005, "mixed_bfloat16": 0.04}

# What a trainer is given: black and white images, and wide ones, used to overflow.
IMAGES = {"ordinary": {}, "black and white": {"draw": black_and_white, "side": 64}}

halves = pytest.mark.parametrize("half", HALVES)
policies = pytest.mark.parametrize("policy", POLICIES)


def rounded(inputs, half):
    """Inputs in half precision, and the same numbers in float32."""
    low = [value.astype(HALVES[half]) for value in inputs]
    return [tf.constant(v) for v in low], [tf.constant(v.astype("float32")) for v in low]


# bfloat16 has the range of float32: what overflows in float16 is nothing special in it.
loss_inputs = pytest.mark.parametrize(
    "subject, kind, half",
    [
        pytest.param(subject, kind, half, id=f"{subject}-{kind}-{half}")
        for subject in LOSSES
        for kind in subject.inputs
        for half in (HALVES if kind == "ordinary" else ["float16"])
    ],
)


@loss_inputs
def test_a_loss_computes_in_float32_whatever_it_is_given(subject, kind, half):
    loss = subject.make()
    low, high = rounded(subject.inputs[kind](), half)
    values = loss_values(loss, *low)
    for name, expected in loss_values(loss, *high).items():
        assert values[name].dtype == "float32", name
        assert np.isfinite(values[name]).all(), name
        assert_allclose(values[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)


@loss_inputs
def test_gradients_of_a_loss_are_finite(subject, kind, half):
    loss = subject.make()
    low, high = rounded(subject.inputs[kind](), half)
    gradients = []
    for inputs in (low, high):
        with tf.GradientTape() as tape:
            tape.watch(inputs[1])
            total = sum(tf.reduce_mean(v) for v in loss_values(loss, *inputs).values())
        gradients.append(np.asarray(tape.gradient(total, inputs[1]), "float32"))
    assert np.isfinite(gradients[0]).all()
    step = float(ml_dtypes.finfo(HALVES[half]).eps)
    scale = np.abs(gradients[1]).max()
    assert_allclose(gradients[0], gradients[1], rtol=4 * step, atol=4 * step * scale + 1e-7)


@halves
@pytest.mark.parametrize("subject", METRICS, ids=str)
def test_a_metric_computes_in_float32_whatever_it_is_given(subject, half):
    low, high = rounded(subject.ordinary(), half)
    value, expected = subject.make()(*low), subject.make()(*high)
    assert value.dtype == "float32"
    assert np.isfinite(value)
    assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@policies
@pytest.mark.parametrize("subject", LAYERS, ids=str)
def test_a_layer_is_near_its_float32_self(subject, policy):
    inputs = subject.ordinary()
    inputs = list(inputs) if len(inputs) > 1 else inputs[0]
    layer = subject.make()
    with precision.policy(policy):
        low = subject.make()
    for either in (layer, low):
        either(inputs)  # has its weights now
    for variable, of_low in zip(layer.variables, low.variables, strict=True):
        of_low.assign(variable)  # the state of draws as well
    result = keras.ops.cast(low(inputs), "float32")
    assert np.isfinite(result).all()
    assert_allclose(result, layer(inputs), atol=DISTANCE[policy])


@policies
@pytest.mark.parametrize("subject", NETWORKS, ids=str)
def test_a_network_returns_float32_near_its_float32_self(subject, policy):
    inputs = subject.ordinary()
    with precision.policy(policy):
        network = subject.make()
    result = network(*inputs)
    assert result.dtype == "float32"
    assert np.isfinite(result).all()
    for variable in network.trainable_variables:
        assert variable.dtype == "float32"
    assert_allclose(result, subject.make()(*inputs), atol=DISTANCE[policy])


def compiled(subject, policy):
    """A trainer whose first steps do not overflow: with the usual scale the first are left out."""
    with precision.policy(policy):
        trainer = subject.make()
    trainer.compile(
        keras.optimizers.SGD(1e-3),
        keras.optimizers.SGD(1e-3),
        metrics=[subject.metric()],
        run_eagerly=True,
    )
    for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
        if scaled:
            optimizer.dynamic_scale.assign(8.0)
    return trainer


@pytest.fixture(scope="module")
def in_float32():
    """Logs of each trainer's first step, by trainer and kind of images."""
    return {
        (subject.name, kind): compiled(subject, "float32").train_on_batch(
            *subject.data(2, **images), return_dict=True
        )
        for subject in TRAINERS
        for kind, images in IMAGES.items()
    }


@policies
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("subject", TRAINERS, ids=str)
def test_a_trainer_is_near_its_float32_self(subject, kind, policy, in_float32):
    trainer = compiled(subject, policy)
    before = [variable.numpy() for variable in trainer.trainable_variables]
    data = subject.data(2, **IMAGES[kind])
    logs = trainer.train_on_batch(*data, return_dict=True)
    expected = in_float32[subject.name, kind]
    assert logs.keys() == expected.keys()
    for name, value in logs.items():
        assert np.isfinite(value), name
        assert_allclose(value, expected[name], rtol=DISTANCE[policy], err_msg=name)
    trainer.train_on_batch(*data)
    assert int(trainer.optimizer.iterations) == 2
    assert int(trainer.discriminator_optimizer.iterations) == 2 * trainer.discriminator_steps
    assert all(np.isfinite(weight).all() for weight in trainer.get_weights())
    after = [variable.numpy() for variable in trainer.trainable_variables]
    assert all(not np.array_equal(*pair) for pair in zip(before, after, strict=True))
