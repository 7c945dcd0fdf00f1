"""Pearson correlation: of a fused image with its sources (CC), and of differences (SCD)."""

from keras import ops

from medgan.ops.filters import grey, pair, safe_sqrt


def pearson(first, second, epsilon=1e-12):
    """Pearson correlation of every image of a batch with its partner.

    Args:
        first: `(batch, ...)`.
        second: like `first`.
        epsilon: added to the product of the variances. Raise it (1e-6 on [0, 1]) for a loss, whose
            gradient then stays small on flat images.

    Returns:
        `(batch,)`, in [-1, 1]; 0 where one of the two is constant.
    """
    axes = tuple(range(1, len(first.shape)))
    first = first - ops.mean(first, axis=axes, keepdims=True)
    second = second - ops.mean(second, axis=axes, keepdims=True)
    covariance = ops.mean(first * second, axis=axes)
    variances = ops.mean(first * first, axis=axes) * ops.mean(second * second, axis=axes)
    return covariance / safe_sqrt(variances + epsilon, epsilon)


def fusion_correlation(sources, fused):
    """Correlation of the fused image with its sources: the mean of both Pearson's r (CC).

    Args:
        sources: `(batch, height, width, 2)`, A and B.
        fused: `(batch, height, width, 1)`.

    Returns:
        `(batch,)`, in [-1, 1]; a constant source, or fused image, counts 0.
    """
    first, second = pair(sources)
    fused = grey(fused)
    return (pearson(first, fused) + pearson(second, fused)) / 2


def sum_of_correlations_of_differences(sources, fused, epsilon=1e-12):
    """How much of each source the fused image adds to the other one.

    `SCD = r(F - B, A) + r(F - A, B)`, in floating point: after truncation to unsigned bytes, as in
    some codes, the plain average scores 1.55 instead of 1.06. The overexposed sum `A + B` scores
    the maximum of 2; never read it without SSIM.

    Args:
        sources: `(batch, height, width, 2)`, A and B.
        fused: `(batch, height, width, 1)`.
        epsilon: see `pearson`.

    Returns:
        `(batch,)`, in [-2, 2].

    Reference:
        Aslantas and Bendes, A new image quality metric for image fusion, 2015, eqs. 1 to 3.
    """
    first, second = pair(sources)
    fused = grey(fused)
    return pearson(fused - second, first, epsilon) + pearson(fused - first, second, epsilon)
