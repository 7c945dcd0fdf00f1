"""Artefacts that a fusion adds: Nabf, Kumar's form of the measure of Petrovic and Xydeas."""

import math

from keras import ops

from medgan.ops.filters import grey, pair, sobel

STRENGTH = (0.9999, -19.0, 0.5)
ORIENTATION = (0.9995, -22.0, 0.5)
THRESHOLD = 2.0
SMALLEST_WEIGHT = 0.001
EXPONENT = 1.5


def _gradient(images):
    """Derivatives along x and y, in grey levels per pixel, and their length."""
    along_x, along_y = (derivative / 8 for derivative in sobel(images))
    return along_x, along_y, ops.sqrt(along_x * along_x + along_y * along_y)


def _sigmoid(values, constants):
    gain, slope, midpoint = constants
    return gain / (1 + ops.exp(slope * (values - midpoint)))


def _preserved(source, fused):
    """How much of the source's edge is left in the fused image, in [0, 1]."""
    weaker, stronger = ops.minimum(source[2], fused[2]), ops.maximum(source[2], fused[2])
    ratio = weaker / ops.maximum(stronger, 1e-12)
    # Edges are lines, not arrows: their angle lies between 0 and 90 degrees.
    cross = ops.abs(source[0] * fused[1] - source[1] * fused[0])
    angle = ops.arctan2(cross, ops.abs(source[0] * fused[0] + source[1] * fused[1]))
    alignment = 1 - angle / (math.pi / 2)
    return ops.sqrt(_sigmoid(ratio, STRENGTH) * _sigmoid(alignment, ORIENTATION))


def _weight(strength):
    return ops.where(strength >= THRESHOLD, strength * ops.sqrt(strength), SMALLEST_WEIGHT)


def fusion_artefacts(sources, fused):
    """Share of edges in the fused image that no source has (Nabf); lower is better.

    Counted where the fused image's edge is stronger than that of both sources, weighted by the
    strength of the sources' edges; Sobel gradients in grey levels per pixel, mirrored border;
    threshold 2, smallest weight .001, exponent 1.5; strength .9999, 19, .5; orientation .9995, 22,
    .5. What vanished from the fused image does not count: a blurred result scores near zero. One
    popular suite passes the images in another order, with quite different figures.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [0, 1]; 0 where the fused image is constant or equals a source.

    Reference:
        Kumar, Multifocus and multispectral image fusion based on pixel significance using discrete
        cosine harmonic wavelet transform, 2013, after Petrovic and Xydeas, Objective image fusion
        performance characterisation, 2005.
    """
    first, second = (_gradient(source) for source in pair(sources))
    fused = _gradient(grey(fused))
    first_weight, second_weight = _weight(first[2]), _weight(second[2])
    lost = (1 - _preserved(first, fused)) * first_weight
    lost = lost + (1 - _preserved(second, fused)) * second_weight
    new = ops.cast(fused[2] > ops.maximum(first[2], second[2]), "float32")
    return ops.sum(new * lost, axis=(1, 2)) / ops.sum(first_weight + second_weight, axis=(1, 2))
