"""Guided-filter fusion (GFF)."""

import cv2
import numpy as np

from medgan.classical.sources import check_count, fuse_each

SMALLEST_SIDE = 3


def guided_filter(
    sources,
    *,
    base_size=31,
    base_radius=45,
    base_regularisation=0.3,
    detail_radius=7,
    detail_regularisation=1e-6,
):
    """Weighs a base and a detail layer of every source with maps that follow its edges.

    Each source is split by a box filter. Its saliency is the magnitude of its Laplacian, blurred;
    the more salient source (the first where both are equal) has weight 1 at a pixel, the other 0.
    Guided filters, with the source itself as the guide, soften these maps: widely for the base,
    finely for the detail. They are clipped to [0, 1], as in the authors' code, and made to sum
    to 1. Borders are mirrored, which the paper leaves open.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1], at least 3 pixels a side.
        base_size: side of the box that makes the base layer, odd.
        base_radius: radius of the guided filter for the base's weights; the window's side is
            twice that and one.
        base_regularisation: its epsilon, for guides in [0, 1].
        detail_radius: radius of the guided filter for the detail's weights.
        detail_regularisation: its epsilon.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, or are too small, or a setting is
            out of range.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import guided_filter
        >>> sources = np.random.default_rng(0).uniform(size=(1, 20, 25, 2))
        >>> guided_filter(sources, base_radius=5).shape
        (1, 20, 25, 1)

    Reference:
        Li, Kang and Hu, Image fusion with guided filtering, 2013; the filter is that of He, Sun
        and Tang, Guided image filtering, 2010.
    """
    counts = {"base_size": base_size, "base_radius": base_radius, "detail_radius": detail_radius}
    for setting, value in counts.items():
        check_count(setting, value)
    if base_size % 2 == 0:
        raise ValueError(f"Received base_size={base_size}; expected an odd number.")
    if not (base_regularisation > 0 and detail_regularisation > 0):
        raise ValueError(
            f"Received base_regularisation={base_regularisation!r} and "
            f"detail_regularisation={detail_regularisation!r}; expected numbers above 0."
        )

    def fuse(pair):
        pair = pair / 255
        base = _box(pair, base_size)
        choice = _choice(pair)
        base_weights = _weights(pair, choice, base_radius, base_regularisation)
        detail_weights = _weights(pair, choice, detail_radius, detail_regularisation)
        fused = base_weights * base + detail_weights * (pair - base)
        return 255 * (fused[..., 0] + fused[..., 1])

    return fuse_each(fuse, sources, SMALLEST_SIDE)


def _box(pair, size):
    return cv2.boxFilter(pair, -1, (size, size), borderType=cv2.BORDER_REFLECT)


def _choice(pair):
    """1 where a source is the more salient one, 0 elsewhere: `(height, width, 2)`."""
    edges = np.abs(cv2.Laplacian(pair, -1, ksize=1, borderType=cv2.BORDER_REFLECT))
    saliency = cv2.GaussianBlur(edges, (11, 11), 5)
    first = saliency[..., 0] >= saliency[..., 1]
    return np.stack([first, ~first], axis=-1).astype(pair.dtype)


def _weights(guide, choice, radius, regularisation):
    size = 2 * radius + 1
    mean_guide, mean_choice = _box(guide, size), _box(choice, size)
    covariance = _box(guide * choice, size) - mean_guide * mean_choice
    variance = _box(guide * guide, size) - mean_guide * mean_guide
    slope = covariance / (variance + regularisation)
    offset = mean_choice - slope * mean_guide
    weights = _box(slope, size) * guide + _box(offset, size)
    # The little that is added keeps two weights of 0 from dividing 0 by 0.
    weights = np.clip(weights, 0, 1) + 1e-12
    return weights / weights.sum(axis=-1, keepdims=True)
