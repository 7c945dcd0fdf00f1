"""A step of two players in TensorFlow, on one replica or on several."""

import keras
import tensorflow as tf
from keras import ops

from medgan.models.adam_in_one_pass import update_in_one_pass


def train_step(model, data):
    """Updates both players, the discriminator first as a rule; returns the epoch's means."""
    batch = model.as_batch(data)
    variables = model.generator_variables
    share = _share_of_replica(batch)
    with tf.GradientTape() as tape:
        images = model.synthesize(batch, training=True)
        if not model.generator_first:
            with tape.stop_recording():
                judged = _discriminator_steps(model, batch, images, share)
        terms = model.generator_terms(batch, images)
        loss = sum(terms.values())
        scaled = model.optimizer.scale_loss(share * loss)
    _apply(model.optimizer, _gradients(tape, scaled, variables), variables)
    if model.generator_first:
        judged = _discriminator_steps(model, batch, images, share)
    return _for_strategy(model.epoch_means(batch, images, loss, {**terms, **judged}))


def test_step(model, data):
    """Losses and metrics of a batch, nothing learned."""
    batch = model.as_batch(data)
    images = model.synthesize(batch, training=False)
    terms = model.generator_terms(batch, images)
    return _for_strategy(model.evaluation_means(batch, images, terms))


def _discriminator_steps(model, batch, images, share):
    """All steps of the discriminator on the images without gradient; the terms of the last."""
    variables = model.discriminator_variables
    optimizer = model.discriminator_optimizer
    stopped = {name: ops.stop_gradient(image) for name, image in images.items()}
    for _ in range(model.discriminator_steps):
        with tf.GradientTape() as tape:
            terms = model.discriminator_terms(batch, stopped)
            scaled = optimizer.scale_loss(share * sum(terms.values()))
        _apply(optimizer, _gradients(tape, scaled, variables), variables)
    return terms


def _gradients(tape, target, variables):
    """The tape's gradients, summed in an order that does not depend on what is ready first.

    Where a tensor is used three times or more, a tape sums with `AddN`, which begins with whichever
    buffer it may overwrite, so that equal runs end with different roundings. Sums of two commute.
    """
    if tf.executing_eagerly():  # one operation after the other
        return tape.gradient(target, variables)
    own = [variable.value for variable in variables]
    in_twos = tf.AggregationMethod.EXPERIMENTAL_TREE
    return tf.gradients(target, own, aggregation_method=in_twos)


def _share_of_replica(batch):
    """Optimizers sum the gradients of replicas: each loss counts as its share of all images."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return 1.0
    size = ops.cast(ops.shape(batch["x"])[0], "float32")
    return size / tf.distribute.get_replica_context().all_reduce("SUM", size)


def _apply(optimizer, gradients, variables):
    """Applies gradients; on several replicas as one replica with all images would.

    Keras's optimizers clip, and look for infinities, before they sum over the replicas, and under
    loss scaling they sum inside a branch, where two optimizers get into each other's way. So the
    sum comes first, and theirs is left out.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        (optimizer.inner_optimizer if scaled else optimizer)._all_reduce_sum_gradients = list
        there = [index for index, gradient in enumerate(gradients) if gradient is not None]
        variables = [variables[index] for index in there]
        # `tf.gradients` leaves open where they lie; between workers the sum wants to know.
        own = [tf.identity(gradients[index]) for index in there]
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", own)
    else:
        update_in_one_pass(optimizer)
    optimizer.apply(gradients, variables)


def _for_strategy(logs):
    """Between workers Keras 3.15 reduces logs over their first axis: give them one."""
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return {name: ops.reshape(value, (1,)) for name, value in logs.items()}
    return logs
