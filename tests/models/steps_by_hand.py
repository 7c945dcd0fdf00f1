"""What tests of trainers share: tiny networks, and a step of plain gradient descent on a tape."""

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.networks import patch_discriminator

GENERATOR_RATE, DISCRIMINATOR_RATE = 0.1, 0.2


def images(count=2, channels=1, seed=0, side=16):
    """Uniform images in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=(count, side, side, channels)).astype("float32")


def generator(seed, channels=1, width=3, name="generator"):
    """Two 3x3 convolutions from `channels` to one, in [0, 1], with weights of a seed."""

    def convolution(filters, activation, index):
        initializer = keras.initializers.GlorotUniform(seed + index)
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation=activation, kernel_initializer=initializer
        )

    layers = [convolution(width, "tanh", 0), convolution(1, "sigmoid", 1)]
    return keras.Sequential([keras.Input((None, None, channels)), *layers], name=name)


def judge(seed, channels=1, width=2):
    """A patch discriminator."""
    return patch_discriminator(width=width, channels=channels, seed=seed)


def compiled(model, generator_rate=GENERATOR_RATE, discriminator_rate=DISCRIMINATOR_RATE):
    """Compiles a trainer with gradient descent for both players, eagerly."""
    optimizers = keras.optimizers.SGD(generator_rate), keras.optimizers.SGD(discriminator_rate)
    model.compile(*optimizers, run_eagerly=True)
    return model


def descend(tape, loss, networks, rate):
    """One step of gradient descent on a loss that a tape has recorded."""
    variables = [variable for network in networks for variable in network.trainable_variables]
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_sub(rate * gradient)


def values(networks):
    """Weights of networks, as arrays."""
    return [keras.ops.convert_to_numpy(weight) for n in networks for weight in n.weights]


def assert_same_weights(networks, by_hand, atol=2e-6):
    """Weights of networks are those of others."""
    for ours, theirs in zip(values(networks), values(by_hand), strict=True):
        assert_allclose(ours, theirs, atol=atol)


def assert_moved(networks, start, atol=1e-4):
    """Weights went so far from where they were that the comparison of steps means something."""
    moved = zip(values(networks), values(start), strict=True)
    assert max(np.abs(now - before).max() for now, before in moved) > atol


def absolute(first, second):
    """Mean absolute difference."""
    return tf.reduce_mean(tf.abs(first - second))


def squared(first, second):
    """Mean squared difference."""
    return tf.reduce_mean(tf.square(first - second))


def assert_only_the_intended_networks_move(make, data, of_generator, of_discriminator):
    """A rate of 0 for one player leaves its networks alone, and the other's move, every one."""
    for rates in ((GENERATOR_RATE, 0.0), (0.0, DISCRIMINATOR_RATE)):
        model = compiled(make(), *rates)
        before = {}
        for network in (*of_generator(model), *of_discriminator(model)):
            before[id(network)] = [np.array(v) for v in network.trainable_variables]
        model.train_on_batch(*data)
        for networks, rate in zip((of_generator, of_discriminator), rates, strict=True):
            for network in networks(model):
                pairs = zip(before[id(network)], network.trainable_variables, strict=True)
                moved = any(np.any(old != np.array(new)) for old, new in pairs)
                assert moved == (rate > 0), network.name


def discs(count, seed, side=16):
    """Bright discs of any brightness on dark ground, `(count, side, side, 1)` in [0, 1]."""
    rows, columns = np.mgrid[:side, :side]
    draws = np.random.default_rng(seed)
    found = np.empty((count, side, side, 1), "float32")
    for image in found:
        row, column = draws.uniform(4, side - 4, 2)
        inside = (rows - row) ** 2 + (columns - column) ** 2 < (side / 3) ** 2
        image[..., 0] = np.where(inside, draws.uniform(0.6, 0.9), draws.uniform(0.1, 0.3))
    return found


class PoolByHand:
    """A pool of images as CycleGAN's code has it, with the draws of `ImagePool`."""

    def __init__(self, capacity, seed):
        self.capacity = capacity
        self.draws = keras.random.SeedGenerator(seed)
        self.stored = []
        self.swaps = 0

    def __call__(self, batch):
        """Returns as many images as came in, one after the other."""
        batch = np.array(batch)
        coins = np.array(keras.random.uniform((len(batch),), seed=self.draws))
        places = np.array(keras.random.randint((len(batch),), 0, self.capacity, seed=self.draws))
        returned = []
        for image, coin, place in zip(batch, coins, places, strict=True):
            if len(self.stored) < self.capacity:
                self.stored.append(image)
                returned.append(image)
            elif coin > 0.5:
                returned.append(self.stored[place])
                self.stored[place] = image
                self.swaps += 1
            else:
                returned.append(image)
        return np.stack(returned)
