"""Keras's Adam in one pass over the numbers, where TensorFlow computes on CPUs."""

import functools

import keras
import tensorflow as tf

from medgan.layers import on_cpu


def update_in_one_pass(optimizer):
    """Lets an Adam update each variable by the one operation that TensorFlow has for it.

    The arithmetic is Keras's, which takes a dozen operations for it, each over all numbers of a
    variable: for networks of millions of parameters and small batches a twentieth of the step.

    Args:
        optimizer: any optimizer, scaled or not. All but `keras.optimizers.Adam` without `amsgrad`
            stay as they are, and so does every optimizer elsewhere than on CPUs.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if type(optimizer) is keras.optimizers.Adam and not optimizer.amsgrad and on_cpu.pays():
        optimizer.update_step = functools.partial(_update, optimizer)


def _update(optimizer, gradient, variable, learning_rate):
    if isinstance(gradient, tf.IndexedSlices) or variable.dtype != tf.float32:
        keras.optimizers.Adam.update_step(optimizer, gradient, variable, learning_rate)
        return
    index = optimizer._get_variable_index(variable)
    step = tf.cast(keras.ops.convert_to_tensor(optimizer.iterations) + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(optimizer.beta_1, step),
        beta2_power=tf.pow(optimizer.beta_2, step),
        lr=tf.cast(learning_rate, tf.float32),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, tf.float32),
    )
