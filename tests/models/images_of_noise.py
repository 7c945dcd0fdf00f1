"""What the tests of trainers of images from noise share: tiny networks and a known problem."""

import keras
import numpy as np

NOISE = 3  # numbers that an image is made of
SIDE = 8


def generator(seed, noise=NOISE, side=SIDE, width=8):
    """Two dense layers from noise to grey images in [0, 1], with weights of a seed."""

    def dense(units, activation, index):
        initializer = keras.initializers.GlorotUniform(seed + index)
        return keras.layers.Dense(units, activation, kernel_initializer=initializer)

    z = keras.Input((noise,), name="noise")
    pixels = dense(side * side, "linear", 1)(dense(width, "tanh", 0)(z))
    image = keras.layers.Reshape((side, side, 1))(pixels)
    image = keras.layers.Activation("sigmoid", dtype="float32", name="image")(image)
    return keras.Model(z, image, name="generator")


def judge(seed, side=SIDE, width=4, normalization=None):
    """A strided convolution and a dense layer: images to one logit without bias."""
    image = keras.Input((side, side, 1), name="image")
    initializer = keras.initializers.GlorotUniform(seed)
    x = keras.layers.Conv2D(width, 4, 2, "same", kernel_initializer=initializer)(image)
    if normalization is not None:
        x = normalization(x)
    x = keras.layers.LeakyReLU(0.2)(x)
    initializer = keras.initializers.GlorotUniform(seed + 1)
    logit = keras.layers.Dense(
        1, use_bias=False, dtype="float32", kernel_initializer=initializer, name="logit"
    )
    return keras.Model(image, logit(keras.layers.Flatten()(x)), name="discriminator")


def noise_of(seed, rows, draws=1):
    """The noise that a trainer of this seed draws, in the order of its draws."""
    state = keras.random.SeedGenerator(seed)
    return [keras.random.normal((rows, NOISE), seed=state) for _ in range(draws)]


def grey_images(count, seed):
    """Images of one grey each, from N(0.7, 0.05): what a generator can know about them."""
    greys = np.random.default_rng(seed).normal(0.7, 0.05, size=(count, 1, 1, 1))
    return np.tile(greys, (1, SIDE, SIDE, 1)).astype("float32")


def told_of_grey(model, count=500):
    """Of generated images: mean grey, spread of their greys, and spread inside an image."""
    z = np.random.default_rng(9).normal(size=(count, NOISE)).astype("float32")
    images = model.predict(z, batch_size=count, verbose=0)
    greys = images.mean(axis=(1, 2, 3))
    return greys.mean(), greys.std(), images.std(axis=(1, 2, 3)).mean()
