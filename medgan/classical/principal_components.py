"""Fusion by principal components (PCA)."""

import numpy as np

from medgan.classical.sources import fuse_each

# Variance in grey levels below which an image counts as constant: what rounding leaves.
CONSTANT = 1e-6


def principal_components(sources):
    """Weighted mean of the sources, with the weights of their first principal component.

    The weights are the magnitudes of the leading eigenvector of the 2x2 covariance over the
    pixels, divided by their sum: the source of higher variance counts more, and the weights stay
    positive where the sources are negatively correlated. Sources of equal variance without
    correlation (two constants among them), for which every vector is an eigenvector, are averaged.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import principal_components
        >>> ramp = np.linspace(0, 1, 4).reshape(1, 2, 2, 1)
        >>> fused = principal_components(np.concatenate([ramp, ramp / 3], axis=-1))
        >>> bool(np.allclose(fused, ramp * (3 / 4 + 1 / 4 / 3)))
        True

    Reference:
        Naidu and Raol, Pixel-level image fusion using wavelets and principal component analysis,
        2008.
    """
    return fuse_each(lambda pair: pair @ _weights(pair), sources, smallest_side=1)


def _weights(pair):
    first, second = (pair[..., channel] - pair[..., channel].mean() for channel in (0, 1))
    variances = np.mean(first * first), np.mean(second * second)
    covariance = np.mean(first * second)
    if abs(covariance) < CONSTANT and abs(variances[0] - variances[1]) < CONSTANT:
        return np.array([0.5, 0.5])
    # The angle of a 2x2 matrix's first eigenvector; the magnitude of the covariance gives the
    # magnitudes of its components.
    angle = np.arctan2(2 * abs(covariance), variances[0] - variances[1]) / 2
    vector = np.array([np.cos(angle), np.sin(angle)])
    return vector / vector.sum()
