"""The wavelet scattering transform: features of images that nobody had to learn."""

import keras
import numpy as np
from keras import ops

from medgan.layers import CellMeans, ReflectionPadding2D

WINDOW = 7  # taps of a wavelet
SMALLEST_SIDE = 25  # of images, for the default scales
FLOOR = 0.01  # coefficients far below it, in grey values of [0, 1], count as nothing


def scattering_encoder(*, scales=4, orientations=4, cells=2, channels=1, name="scattering_encoder"):
    """Wavelet scattering: an encoder for distances between sets of images, without any learning.

    The modulus of Morlet wavelets at every scale (first order), and of the wavelets of all coarser
    scales on those maps (second order): which structures there are, and how they are arranged. To
    these comes the modulus of the diagonal second difference of the finest scale, where noise,
    blur and checkerboards show first. First order and grey values are averaged over `cells` x
    `cells` parts of the image, second order over all of it; then `log(1 + mean / 0.01)`. There are
    168 features with the default arguments. Filters are fixed: no download, no seed, no weights to
    train; float32 under any policy.

    What it is worth (`python benchmarks/encoders.py`: 130 MR slices of 7 patients, halves of them
    against each other): FID and KID rise strictly with blur, noise, checkerboard, ghost, cut-outs
    and gamma. The mildest blur, noise or checkerboard moves FID by about 3 to 4 standard deviations
    of what another choice of patients does; networks with random weights and pixels do not see
    them, pixels even reward blur. Mild ghosts, cut-outs and changes of contrast (0.1 to 0.4) drown
    in the differences between patients. Anatomy it does not know: of smooth warps it sees the
    resampling, not how far they go. It compares runs on the same data; it replaces no reader.

    Args:
        scales: octaves of wavelets; each doubles the structures' size.
        orientations: directions of wavelets, from 0 to 180 degrees.
        cells: rows and columns of the grid; 1 forgets where things are.
        channels: channels of the images. Each has features of its own; what goes on between
            channels is not seen.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1], at least
        `3 * 2^(scales - 1) + 1` pixels a side (25), to `(batch, features)`, at least 0.

    Raises:
        ValueError: if an argument is below 1.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import scattering_encoder
        >>> scattering_encoder()(np.zeros((2, 32, 40, 1))).shape
        TensorShape([2, 168])

    Reference:
        Bruna and Mallat, Invariant Scattering Convolution Networks, 2013. As a cascade of one
        octave each, with windows of 7 pixels; grid and diagonal difference are ours.
    """
    sizes = {"scales": scales, "orientations": orientations, "cells": cells, "channels": channels}
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"Received {argument}={value}, expected 1 or more.")
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    new = channels * orientations
    carried, placed, averaged = images, [images, _diagonal(images)], []
    for scale in range(scales):
        if scale:
            carried = _halved(carried, scale)
        modulus = _modulus(carried, orientations, scale)
        placed.append(modulus[..., :new])
        if scale:
            averaged.append(modulus[..., new:])
        if scale < scales - 1:
            carried = _joined([carried, modulus[..., :new]], f"carried_{scale}")
    means = [
        CellMeans(count, dtype="float32", name=f"{label}_{index}")(maps)
        for label, count, group in (("cell_means", cells, placed), ("means", 1, averaged))
        for index, maps in enumerate(group)
    ]
    features = ops.log1p(_joined(means, "coefficients") / FLOOR)
    return keras.Model(images, features, name=name)


def _joined(parts, label):
    return keras.layers.Concatenate(dtype="float32", name=label)(parts)


def _halved(maps, scale):
    """Binomial blur `[1, 2, 1] / 4` and every second pixel."""
    for strides in (1, 2):
        maps = keras.layers.AveragePooling2D(
            2, strides, padding="same", dtype="float32", name=f"halved_{scale}_{strides}"
        )(maps)
    return maps


def _fixed(maps, part, multiplier, label):
    window = FixedKernel.window(part)
    maps = ReflectionPadding2D(window // 2, dtype="float32", name=f"{label}_padding")(maps)
    return keras.layers.DepthwiseConv2D(
        window,
        depth_multiplier=multiplier,
        use_bias=False,
        depthwise_initializer=FixedKernel(part),
        trainable=False,
        dtype="float32",
        name=label,
    )(maps)


def _modulus(maps, orientations, scale):
    even, odd = (_fixed(maps, part, orientations, f"{part}_{scale}") for part in ("even", "odd"))
    return ops.sqrt(even * even + odd * odd)


def _diagonal(images):
    return ops.abs(_fixed(images, "diagonal", 1, "diagonal"))


@keras.saving.register_keras_serializable(package="medgan")
class FixedKernel(keras.initializers.Initializer):
    """A kernel of the scattering transform, for a depthwise convolution.

    As an initializer it comes back from a configuration alone, without a weights file.

    Args:
        part: `"even"` or `"odd"`, the parts of complex Morlet wavelets, or `"diagonal"`, the
            second difference along rows and columns.
    """

    def __init__(self, part):
        self.part = part

    @staticmethod
    def window(part):
        """Rows and columns of a kernel."""
        return 3 if part == "diagonal" else WINDOW

    def __call__(self, shape, dtype=None):
        """Returns `(window, window, channels, multiplier)`, the same for every channel."""
        if self.part == "diagonal":
            kernel = np.outer([1, -2, 1], [1, -2, 1])[..., None] / 4
        else:
            wavelets = morlet_wavelets(shape[-1])
            kernel = wavelets.real if self.part == "even" else wavelets.imag
        kernel = np.broadcast_to(kernel[:, :, None], shape)
        return ops.convert_to_tensor(kernel.astype(dtype or "float32"))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"part": self.part}


def morlet_wavelets(orientations):
    """Complex Morlet wavelets of the finest scale, without a mean.

    Wave number 3/4 pi; a Gaussian envelope of standard deviation 0.8 along the wave and of
    `0.2 orientations` pixels, at least 0.8, across it; the envelope's weights sum to one.

    Args:
        orientations: number of directions, evenly from 0 to 180 degrees.

    Returns:
        NumPy array `(7, 7, orientations)`, complex.
    """
    offsets = np.arange(WINDOW) - WINDOW // 2
    rows, columns = offsets[:, None, None], offsets[None, :, None]
    angles = np.pi * np.arange(orientations) / orientations
    along = columns * np.cos(angles) + rows * np.sin(angles)
    across = rows * np.cos(angles) - columns * np.sin(angles)
    width = max(0.8, 0.2 * orientations)
    envelope = np.exp(-((along / 0.8) ** 2 + (across / width) ** 2) / 2)
    envelope /= envelope.sum(axis=(0, 1))
    wave = np.exp(0.75j * np.pi * along)
    return envelope * (wave - (envelope * wave).sum(axis=(0, 1)))
