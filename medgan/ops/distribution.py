"""Distances between two sets of images, from their features: is it the same distribution?"""

import keras
from keras import ops

# Squared distances below this share of the squared norms are rounding alone, and count as 0.
RESOLUTION = 1e-6


def frechet_distance(real, generated):
    """Frechet distance of two Gaussians with the means and covariances of the sets (FID).

    `|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)`. The last trace is the sum of the singular
    values of `X1 X2'`, where `X` holds the centred features over the root of `n - 1`: no matrix
    root, so nothing breaks with fewer images than features.

    With few images it is biased upwards, by more the more features there are: compare only equal
    numbers of images, and below 200 read `kernel_distance`.

    Args:
        real: `(images, features)`, one row for each real image, 2 or more.
        generated: `(images, features)`, as many features, 2 or more rows.

    Returns:
        Scalar, at least 0; 0 for equal sets.

    Raises:
        ValueError: if the sets are no matrices of equal width, or known to be too small.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import frechet_distance
        >>> features = np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 5.0]])
        >>> round(float(frechet_distance(features, features + [3.0, 4.0])), 3)
        25.0

    Reference:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium, 2017, eq. 6. Biased covariances (over n) differ by a factor of 1 - 1/n.
    """
    real, generated = _sets(real, generated, 2, 2)
    shift = ops.mean(real, axis=0) - ops.mean(generated, axis=0)
    first, second = _factor(real), _factor(generated)
    product = ops.matmul(first, ops.transpose(second))
    overlap = ops.sum(ops.svd(product, compute_uv=False))
    spread = ops.sum(first * first) + ops.sum(second * second)
    return ops.maximum(ops.sum(shift * shift) + spread - 2 * overlap, 0.0)


def kernel_distance(real, generated):
    """Unbiased squared maximum mean discrepancy with the kernel `(x.y / features + 1)^3` (KID).

    Its expectation does not depend on the number of images, so that it is what to read where there
    are few; of one distribution it is 0 on average, and half of the time below.

    Args:
        real: `(images, features)`, 2 or more rows. Features of the order of 1, or the kernel is
            nearly linear (far smaller) or cubic alone (far larger).
        generated: `(images, features)`, 2 or more rows.

    Returns:
        Scalar, of either sign.

    Raises:
        ValueError: if the sets are no matrices of equal width, or known to be too small.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import kernel_distance
        >>> zeros, ones = np.zeros((2, 3)), np.ones((2, 3))  # kernels 1 and (1 + 1)^3 = 8
        >>> float(kernel_distance(zeros, ones))  # 1 + 8 - 2 * 1
        7.0

    Reference:
        Binkowski et al., Demystifying MMD GANs, 2018, eq. 4 and section 4; over all images instead
        of an average over random subsets.
    """
    real, generated = _sets(real, generated, 2, 2)
    within = _mean_of_others(_cubic(real, real)) + _mean_of_others(_cubic(generated, generated))
    return within - 2 * ops.mean(_cubic(real, generated))


def precision_recall(real, generated, neighbours=3):
    """Share of generated images that look real, and share of real images that are within reach.

    An image lies in a set if it is no farther from one of the set's images than this one's
    `neighbours`-th nearest fellow. Precision falls with artefacts, recall with missing variety.

    Args:
        real: `(images, features)`, more rows than neighbours.
        generated: `(images, features)`, more rows than neighbours. Equal numbers in both sets, if
            values shall be compared.
        neighbours: which neighbour marks the radius.

    Returns:
        Two scalars in [0, 1].

    Raises:
        ValueError: if the sets are no matrices of equal width, or known to be too small.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import precision_recall
        >>> real, generated = np.array([[0.0], [1.0], [9.0]]), np.array([[0.4], [0.5], [0.6]])
        >>> [round(float(share), 2) for share in precision_recall(real, generated, neighbours=1)]
        [1.0, 0.0]

    Reference:
        Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models,
        2019, eqs. 1 and 2; 3 neighbours are theirs.
    """
    real, generated = _sets(real, generated, neighbours + 1, neighbours + 1)
    across = _squared_distances(real, generated)
    in_real = across <= _radii(real, neighbours)[:, None]
    in_generated = across <= _radii(generated, neighbours)[None, :]
    return _share(ops.any(in_real, axis=0)), _share(ops.any(in_generated, axis=1))


def density_coverage(real, generated, neighbours=5):
    """How densely generated images lie among real ones, and the share of these that they reach.

    Density counts in how many real images' balls a generated one lies, over `neighbours`; coverage
    is the share of balls with a generated image inside. Both ask about real neighbourhoods only,
    so that no outlier of the generator widens them, as it does with `precision_recall`.

    Args:
        real: `(images, features)`, more rows than neighbours.
        generated: `(images, features)`, 1 or more rows. Equal numbers in both sets, if values
            shall be compared.
        neighbours: which neighbour marks the radius of a ball.

    Returns:
        Density, at least 0, about 1 for one distribution, and more where it is concentrated; and
        coverage in [0, 1], `1 - 2^-neighbours` on average for one distribution.

    Raises:
        ValueError: if the sets are no matrices of equal width, or known to be too small.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import density_coverage
        >>> real, generated = np.array([[0.0], [1.0], [9.0]]), np.array([[0.4], [0.5], [0.6]])
        >>> [round(float(v), 2) for v in density_coverage(real, generated, neighbours=1)]
        [2.0, 0.67]

    Reference:
        Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, 2020, eqs. 4
        and 5. A ball holds its surface, as with Kynkaanniemi; their code leaves it out.
    """
    real, generated = _sets(real, generated, neighbours + 1, 1)
    inside = _squared_distances(real, generated) <= _radii(real, neighbours)[:, None]
    balls = ops.sum(ops.cast(inside, real.dtype), axis=0)
    return ops.mean(balls) / neighbours, _share(ops.any(inside, axis=1))


def nearest(real, generated):
    """The training image that each generated image is most like, and how much too like it is.

    The distance stands in relation to what is usual, the (lower) median distance of a training
    image from its nearest fellow. A generator that invents has ratios like those of held-out images
    (give these as `generated` to know them); copies of training images have ratios near 0.

    Args:
        real: `(images, features)` of the training images, 2 or more rows.
        generated: `(images, features)`.

    Returns:
        Two tensors of a value for each generated image: the row of the nearest real image, and the
        ratio, at least 0. Where most training images are there twice the usual distance is 0, and
        ratios are 0 or huge.

    Raises:
        ValueError: if the sets are no matrices of equal width, or known to be too small.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import nearest
        >>> index, ratio = nearest(np.array([[0.0], [2.0], [4.0]]), np.array([[3.9], [2.0]]))
        >>> np.array(index).tolist(), np.array(ratio).round(3).tolist()
        ([2, 1], [0.05, 0.0])
    """
    real, generated = _sets(real, generated, 2, 1)
    across = _squared_distances(real, generated)
    usual = ops.sort(_radii(real, 1))
    usual = ops.sqrt(ops.take(usual, (ops.shape(usual)[0] - 1) // 2))
    ratio = ops.sqrt(ops.min(across, axis=0)) / ops.maximum(usual, 1e-12)
    return ops.argmin(across, axis=0), ratio


def _sets(real, generated, least_real, least_generated):
    """Both as float32, or as float64 where both are; checked as far as the shapes are known."""
    real, generated = ops.convert_to_tensor(real), ops.convert_to_tensor(generated)
    shapes = tuple(real.shape), tuple(generated.shape)
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"Received features of shapes {shapes[0]} and {shapes[1]}, expected two matrices "
            "(images, features) of one encoder. Encode the images first."
        )
    least = {"real": least_real, "generated": least_generated}
    for (kind, needed), shape in zip(least.items(), shapes, strict=True):
        if shape[0] is not None and shape[0] < needed:
            raise ValueError(
                f"Received {shape[0]} {kind} images, expected at least {needed}. Give more images."
            )
    types = {keras.backend.standardize_dtype(features.dtype) for features in (real, generated)}
    dtype = "float64" if types == {"float64"} else "float32"
    return ops.cast(real, dtype), ops.cast(generated, dtype)


def _factor(features):
    """A matrix `F` with `F' F` the covariance of the features, and no more rows than needed."""
    count = ops.cast(ops.shape(features)[0], features.dtype)
    centred = (features - ops.mean(features, axis=0)) / ops.sqrt(count - 1)
    images, width = features.shape
    if images is not None and images <= width:
        return centred
    return ops.qr(centred)[1]  # `F' F` is that of the triangle, which is at most square


def _cubic(first, second):
    """Kernel between all pairs, less the 1 that cancels in the discrepancy."""
    product = ops.matmul(first, ops.transpose(second)) / first.shape[1]
    return product * (product * (product + 3) + 3)


def _mean_of_others(kernel):
    """Mean over pairs of different images."""
    count = ops.cast(ops.shape(kernel)[0], kernel.dtype)
    return (ops.sum(kernel) - ops.sum(ops.diagonal(kernel))) / (count * (count - 1))


def _squared_distances(first, second):
    """Between all rows of the one and of the other set, `(first, second)`."""
    # About a common centre the squares are small, and so is what their difference loses.
    centre = ops.mean(first, axis=0)
    first, second = first - centre, second - centre
    squares = ops.sum(first * first, axis=1)[:, None] + ops.sum(second * second, axis=1)[None, :]
    distances = squares - 2 * ops.matmul(first, ops.transpose(second))
    return ops.where(distances > RESOLUTION * squares, distances, ops.zeros_like(distances))


def _radii(features, neighbours):
    """Squared distance of each row from its nearest, second nearest, ... fellow."""
    distances = ops.sort(_squared_distances(features, features), axis=1)  # itself comes first
    last = ops.shape(distances)[1] - 1
    return ops.take(distances, ops.minimum(neighbours, last), axis=1)


def _share(flags):
    return ops.mean(ops.cast(flags, "float32"))
