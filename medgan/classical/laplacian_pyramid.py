"""Fusion of Laplacian pyramids."""

import math

import cv2

from medgan.classical.selection import COARSE_RULES, check_coarse_rule, stronger
from medgan.classical.sources import check_count, fuse_each

SMALLEST_SIDE = 4


def laplacian(sources, *, levels=4, base="maximum"):
    """Keeps the stronger detail on every level of a Laplacian pyramid.

    Both sources are taken apart with OpenCV's 5x5 Gaussian (`pyrDown`, `pyrUp`; borders mirrored).
    On every level the detail of larger magnitude wins, the first source's where both are equal;
    the rest is fused by the rule `base`. A maximum keeps bone and bright tissue at full
    brightness; an average, as in the first papers, halves what one source alone shows.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1], at least 4 pixels a side.
        levels: number of levels of detail. Where the image is so small that less than two pixels
            would remain a side, there are fewer.
        base: rule of the coarsest level, `"maximum"` or `"average"`.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, are too small, or a setting is
            unknown.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import laplacian
        >>> sources = np.random.default_rng(0).uniform(size=(1, 20, 24, 2))
        >>> laplacian(sources, levels=3).shape
        (1, 20, 24, 1)

    Reference:
        Burt and Adelson, The Laplacian pyramid as a compact image code, 1983; Burt and Kolczynski,
        Enhanced image capture through fusion, 1993.
    """
    check_count("levels", levels)
    check_coarse_rule("base", base)

    def fuse(pair):
        shorter = min(pair.shape[:2])
        return _fuse(pair, min(levels, int(math.log2(shorter)) - 1), COARSE_RULES[base])

    return fuse_each(fuse, sources, SMALLEST_SIDE)


def _enlarged(image, like):
    height, width = like.shape[:2]
    return cv2.pyrUp(image, dstsize=(width, height))


def _fuse(pair, levels, base_rule):
    details = []
    for _ in range(levels):
        smaller = cv2.pyrDown(pair)
        first, second = cv2.split(pair - _enlarged(smaller, pair))
        details.append(stronger(first, second))
        pair = smaller
    fused = base_rule(pair[..., 0], pair[..., 1])
    for detail in reversed(details):
        fused = _enlarged(fused, detail) + detail
    return fused
