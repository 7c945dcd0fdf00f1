"""What the canonical networks are made of: convolutions, normalisations, ways to double a map.

The traps on the way from PyTorch, where these networks were written, are settled here once: where a
strided convolution pads, where a transposed one crops, momentum and epsilon of batch statistics.
"""

import random

import keras
import numpy as np

from medgan.layers import (
    DepthToSpace,
    DoublingConv2DTranspose,
    HalvingConv2D,
    InstanceNormalization,
    NarrowConv2D,
    ReflectionPadding2D,
    SpectralNormalization,
)

NORMALIZATIONS = ("instance", "batch", "layer", "spectral", "none")
UPSAMPLINGS = ("resize", "transposed", "depth_to_space")


def layer_seeds(seed=None):
    """Seeds for the layers of a network: one for each, all from one.

    Args:
        seed: an integer from 0 up; None draws one, which `keras.utils.set_random_seed` determines.

    Returns:
        Function without arguments that returns another integer at every call.

    Example:
        >>> from medgan.networks.blocks import layer_seeds
        >>> first, second = layer_seeds(1), layer_seeds(1)
        >>> [first(), first()] == [second(), second()], first() == first()
        (True, False)
    """
    generator = np.random.default_rng(random.randrange(2**31) if seed is None else seed)
    return lambda: int(generator.integers(2**31))


def check_sizes(**sizes):
    """Raises a `ValueError` about the first size that is below 1."""
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"Received {argument}={value}, expected 1 or more.")


def check_choice(argument, value, choices):
    """Raises a `ValueError` if a value is none of the choices."""
    if value not in choices:
        raise ValueError(f"Received {argument}={value!r}, expected one of {', '.join(choices)}.")


def halvings(image_size, smallest=8):
    """How often a side can be halved down to 4.

    Raises:
        ValueError: if the side is no power of two, or smaller than the smallest.
    """
    if image_size < smallest or image_size & (image_size - 1):
        raise ValueError(
            f"Received image_size={image_size}, expected a power of two from {smallest} up."
        )
    return image_size.bit_length() - 3


def normal(seed):
    """Initial kernels of DCGAN, pix2pix and CycleGAN."""
    return keras.initializers.RandomNormal(stddev=0.02, seed=seed)


class Blocks:
    """Makes the layers of one network, whose choices are made once.

    Args:
        normalization: one of `NORMALIZATIONS`; `"spectral"` normalises kernels instead of maps.
        upsampling: one of `UPSAMPLINGS`.
        initializer: function from a seed to the initializer of a kernel, N(0, 0.02) by default.
        seed: seed of all initial weights.

    Raises:
        ValueError: if a choice is unknown.
    """

    def __init__(
        self,
        *,
        normalization="none",
        upsampling="resize",
        initializer=None,
        seed=None,
    ):
        check_choice("normalization", normalization, NORMALIZATIONS)
        check_choice("upsampling", upsampling, UPSAMPLINGS)
        self.normalization = normalization
        self.upsampling = upsampling
        self._initializer = normal if initializer is None else initializer
        self.next_seed = layer_seeds(seed)

    def initializer(self):
        """Initial kernels; another draw at every call."""
        return self._initializer(seed=self.next_seed())

    def convolution(
        self, features, channels, size, label, *, strides=1, padding="zeros", bias=True, dtype=None
    ):
        """A convolution behind `padded`."""
        layer = keras.layers.Conv2D
        if size == 3 and strides == 2 and padding == "zeros":
            layer = HalvingConv2D  # pads
        else:
            features = padded(features, size, label, padding)
            if size > 4 and channels <= 4 and strides == 1:  # an image at the end
                layer = NarrowConv2D
        return self._linear(
            layer(
                channels,
                size,
                strides=strides,
                use_bias=bias,
                kernel_initializer=self.initializer(),
                dtype=dtype,
                name=label,
            )
        )(features)

    def dense(self, features, units, label, *, bias=True, dtype=None):
        """A dense layer."""
        return self._linear(
            keras.layers.Dense(
                units,
                use_bias=bias,
                kernel_initializer=self.initializer(),
                dtype=dtype,
                name=label,
            )
        )(features)

    def _linear(self, layer):
        if self.normalization != "spectral":
            return layer
        return SpectralNormalization(layer, seed=self.next_seed(), name=layer.name)

    def depthwise(self, features, size, label, *, padding="zeros"):
        """A convolution of each channel on its own, behind `padded`."""
        features = padded(features, size, label, padding)
        return keras.layers.DepthwiseConv2D(
            size, depthwise_initializer=self.initializer(), name=label
        )(features)

    def upsampled(
        self, features, channels, label, *, transposed_size=4, padding="zeros", bias=True
    ):
        """A map of twice the height and width.

        `"resize"` repeats pixels and convolves 3x3, `"depth_to_space"` convolves 3x3 to four times
        the channels and lays them out. `"transposed"` is the papers' transposed convolution, of
        size 3 (padding 1, output padding 1) or 4 (padding 1) in PyTorch's terms: its taps overlap
        unevenly, so that it paints checkerboards until training has balanced them.
        """
        if self.upsampling == "resize":
            features = keras.layers.UpSampling2D(2, name=f"{label}_resize")(features)
            return self.convolution(features, channels, 3, label, padding=padding, bias=bias)
        if self.upsampling == "depth_to_space":
            features = self.convolution(
                features, 4 * channels, 3, label, padding=padding, bias=bias
            )
            return DepthToSpace(2, name=f"{label}_pixels")(features)
        options = {
            "use_bias": bias,
            "kernel_initializer": self.initializer(),
            "name": label,
        }
        if transposed_size == 3:  # "same" would crop the last row and column; PyTorch the first
            return DoublingConv2DTranspose(channels, **options)(features)
        return keras.layers.Conv2DTranspose(
            channels, transposed_size, strides=2, padding="same", **options
        )(features)

    def normalized(self, features, label):
        """Normalised maps; the features themselves where kernels are, or nothing is."""
        name = f"{label}_normalization"
        if self.normalization == "instance":
            return InstanceNormalization(name=name)(features)
        if self.normalization == "layer":
            return keras.layers.GroupNormalization(1, epsilon=1e-5, name=name)(features)
        if self.normalization == "batch":
            return self.batch_normalized(features, name)
        return features

    def batch_normalized(self, features, name):
        """Batch normalisation with PyTorch's momentum and epsilon, factors around 1."""
        return keras.layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02, seed=self.next_seed()),
            name=name,
        )(features)

    def activated(self, features, label, negative_slope=0.0, name=None):
        """ReLU, or LeakyReLU; named after the label, if not otherwise."""
        name = name or f"{label}_activation"
        if negative_slope == 0:
            return keras.layers.ReLU(name=name)(features)
        return keras.layers.LeakyReLU(negative_slope, name=name)(features)


def padded(features, size, label, padding):
    """Room for a convolution of a size, the same on each side as in PyTorch.

    Keras's own "same" pads a strided convolution on one side only.

    Args:
        features: maps.
        size: side of the kernel.
        label: name of the convolution.
        padding: `"zeros"`, `"reflection"`, or None for no padding.

    Returns:
        Maps with `(size - 1) // 2` more rows and columns on each side.
    """
    width = (size - 1) // 2
    if padding is None or width == 0:
        return features
    layers = {"zeros": keras.layers.ZeroPadding2D, "reflection": ReflectionPadding2D}
    return layers[padding](width, name=f"{label}_padding")(features)


def centred(images, name="centred"):
    """Images in [0, 1] as values in [-1, 1]."""
    return keras.layers.Rescaling(2.0, offset=-1.0, name=name)(images)


def unit_image(features, name="output_image"):
    """An image in [0, 1]: `tanh / 2 + 1 / 2`, float32 whatever the network computes in."""
    features = keras.layers.Activation("tanh", name="tanh", dtype="float32")(features)
    return keras.layers.Rescaling(0.5, offset=0.5, name=name, dtype="float32")(features)
