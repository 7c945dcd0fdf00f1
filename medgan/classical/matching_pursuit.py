"""Orthogonal matching pursuit of many signals at once."""

import numpy as np

# So few signals are coded together that what belongs to them stays in the processor's cache.
CHUNK = 512


def matching_pursuit(signals, dictionary, tolerance, atoms):
    """Approximates each signal by as few atoms of a dictionary as it takes.

    Greedy: the atom that correlates best with what is left enters, then the signal is projected
    onto all that have entered (by Gram-Schmidt, all signals side by side), until what is left is
    short enough.

    Args:
        signals: `(count, size)`, float32.
        dictionary: `(patterns, size)` of unit vectors, float32.
        tolerance: largest Euclidean length of what may be left.
        atoms: largest number of atoms for one signal.

    Returns:
        The approximations, `(count, size)`, and the sums of the coefficients' magnitudes (the
        L1 norms of the codes), `(count,)`; both float32.

    Example:
        >>> import numpy as np
        >>> from medgan.classical.matching_pursuit import matching_pursuit
        >>> axes = np.eye(3, dtype="float32")
        >>> signals = np.array([[3, -2, 0.5]], "float32")
        >>> approximations, sums = matching_pursuit(signals, axes, tolerance=1.0, atoms=3)
        >>> approximations.tolist(), sums.tolist()
        ([[3.0, -2.0, 0.0]], [5.0])

    Reference:
        Pati, Rezaiifar and Krishnaprasad, Orthogonal matching pursuit, 1993.
    """
    approximations, sums = np.empty_like(signals), np.empty(len(signals), "float32")
    for start in range(0, len(signals), CHUNK):
        part = slice(start, start + CHUNK)
        approximations[part], sums[part] = _pursue(signals[part], dictionary, tolerance, atoms)
    return approximations, sums


def _pursue(signals, dictionary, tolerance, atoms):
    count = len(signals)
    # Orthonormal basis of each active signal's atoms, the triangle that turns it into the atoms
    # (ones on the diagonal where no atom entered), and the coefficients in the basis.
    basis = []
    triangle = np.broadcast_to(np.eye(atoms, dtype="float32"), (count, atoms, atoms)).copy()
    coefficients = np.zeros((count, atoms), "float32")
    left = signals.copy()
    active, residual = np.arange(count), signals.copy()
    for step in range(atoms):
        unfinished = np.einsum("ij,ij->i", residual, residual) > tolerance**2
        if not unfinished.all():
            left[active] = residual
            active, residual = active[unfinished], residual[unfinished]
            basis = [vectors[unfinished] for vectors in basis]
        if not len(active):
            break
        correlations = residual @ dictionary.T
        direction = dictionary[np.abs(correlations, out=correlations).argmax(axis=1)]
        for earlier, vectors in enumerate(basis):
            shared = np.einsum("ij,ij->i", vectors, direction)
            triangle[active, earlier, step] = shared
            direction -= shared[:, None] * vectors
        length = np.sqrt(np.einsum("ij,ij->i", direction, direction))
        # An atom that lies in the span of the others brings nothing but rounding.
        new = length > 1e-3
        length = np.where(new, length, 1)
        direction *= (new / length)[:, None]
        triangle[active, step, step] = length
        basis.append(direction)
        coefficient = np.einsum("ij,ij->i", direction, residual)
        coefficients[active, step] = coefficient
        residual -= coefficient[:, None] * direction
    left[active] = residual
    for step in reversed(range(atoms)):
        coefficients[:, step] /= triangle[:, step, step]
        coefficients[:, :step] -= triangle[:, :step, step] * coefficients[:, step : step + 1]
    return signals - left, np.abs(coefficients).sum(axis=1)
