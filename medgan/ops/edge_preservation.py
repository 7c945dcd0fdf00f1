"""Edge preservation of a fused image: Qabf of Xydeas and Petrovic."""

import math

from keras import ops

from medgan.ops.filters import grey, pair, sobel

STRENGTH = (0.9994, -15.0, 0.5)
ORIENTATION = (0.9879, -22.0, 0.8)


def _sigmoid(values, constants):
    gain, slope, midpoint = constants
    return gain / (1 + ops.exp(slope * (values - midpoint)))


def _edges(images):
    """Edge strength and orientation in [-pi/2, pi/2]."""
    along_x, along_y = sobel(images, "constant")
    strength = ops.sqrt(along_x * along_x + along_y * along_y)
    vertical = along_x == 0
    angle = ops.arctan(-along_y / ops.where(vertical, 1.0, along_x))  # y points up, as in the codes
    return strength, ops.where(vertical, math.pi / 2, angle)


def _preserved(source, fused):
    strength, angle = source
    fused_strength, fused_angle = fused
    weaker = ops.minimum(strength, fused_strength)
    stronger = ops.maximum(strength, fused_strength)
    ratio = ops.where(
        strength == fused_strength, fused_strength, weaker / ops.maximum(stronger, 1e-12)
    )
    alignment = 1 - ops.abs(angle - fused_angle) / (math.pi / 2)
    return _sigmoid(ratio, STRENGTH) * _sigmoid(alignment, ORIENTATION)


def edge_preservation(sources, fused):
    """Share of the sources' edges, weighted by their strength, that the fused image keeps (Qabf).

    Sobel gradients with zero beyond the border; Gamma_g 0.9994, kappa_g -15, sigma_g 0.5;
    Gamma_a 0.9879, kappa_a -22, sigma_a 0.8. Like the reference codes it takes the strength itself
    as the ratio where both strengths are equal, and does not wrap the orientation.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [0, 1]; 0 where both sources are black. Any other constant image has an edge
        all the same: at the border, beyond which there is zero.

    Reference:
        Xydeas and Petrovic, Objective image fusion performance measure, 2000, eqs. 1 to 9.
    """
    first, second = (_edges(image) for image in pair(sources))
    fused = _edges(grey(fused))
    kept = _preserved(first, fused) * first[0] + _preserved(second, fused) * second[0]
    total = ops.sum(first[0] + second[0], axis=(1, 2))
    return ops.sum(kept, axis=(1, 2)) / ops.maximum(total, 1e-12)


def _smooth_edges(images, floor):
    along_x, along_y = sobel(images)
    return along_x, along_y, ops.sqrt(along_x * along_x + along_y * along_y + floor)


def _smoothly_preserved(source, fused):
    ratio = ops.minimum(source[2], fused[2]) / ops.maximum(source[2], fused[2])
    cosine = ops.abs(source[0] * fused[0] + source[1] * fused[1]) / (source[2] * fused[2])
    alignment = 1 - ops.arccos(ops.clip(cosine, 0.0, 0.9999)) / (math.pi / 2)
    return _sigmoid(ratio, STRENGTH) * _sigmoid(alignment, ORIENTATION)


def smooth_edge_preservation(sources, fused, floor=6.5):
    """`edge_preservation` with a gradient that is finite everywhere, for losses.

    Strength is `sqrt(gx^2 + gy^2 + floor)`, its ratio min / max, and the orientation comes from the
    absolute cosine between the gradients, clipped at 0.9999.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.
        floor: added to the squared strength, in squared grey levels; 6.5 is 1e-4 on [0, 1]. Below
            its root (2.5 grey levels) gradients count as flat, so that noise has no say.

    Returns:
        `(batch,)`, in [0, 1].
    """
    first, second = (_smooth_edges(image, floor) for image in pair(sources))
    fused = _smooth_edges(grey(fused), floor)
    kept = _smoothly_preserved(first, fused) * first[2]
    kept = kept + _smoothly_preserved(second, fused) * second[2]
    return ops.sum(kept, axis=(1, 2)) / ops.sum(first[2] + second[2], axis=(1, 2))
