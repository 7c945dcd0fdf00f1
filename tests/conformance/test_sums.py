"""Sums whose order depends on what is ready first would make equal runs unequal."""

import keras
import pytest
import tensorflow as tf
from subjects import TRAINERS, traced


def longest_sum(function, *inputs):
    """The largest number of summands of an `AddN` in a traced function and all that it calls."""
    graph = tf.function(function).get_concrete_function(*inputs).graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return max((node.attr["N"].i for node in nodes if node.op == "AddN"), default=0)


def used_three_times(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sin(x) + tf.cos(x) + tf.exp(x)
    return tape.gradient(y, x)


def test_a_tape_sums_what_is_used_three_times_at_once():
    assert longest_sum(used_three_times, tf.ones((4,))) == 3


@pytest.mark.parametrize("subject", traced(TRAINERS), ids=str)
def test_gradients_are_summed_in_twos(subject):
    trainer = subject.make()
    trainer.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
    assert longest_sum(trainer.train_step, subject.data(2)) <= 2
