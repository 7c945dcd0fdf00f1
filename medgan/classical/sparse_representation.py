"""Fusion of sparse codes of patches."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from medgan.classical.dictionaries import cosine_dictionary
from medgan.classical.matching_pursuit import matching_pursuit
from medgan.classical.sources import check_choice, check_count, fuse_each


def sparse_representation(
    sources, *, dictionary=None, step=2, tolerance=0.1, atoms=16, mean="maximum"
):
    """Keeps the more active sparse code of every patch.

    Overlapping patches lose their mean and are coded by orthogonal matching pursuit; the code with
    the larger sum of magnitudes wins (the first source's where both are equal). It is decoded, a
    mean is added, and overlapping patches are averaged. Without a dictionary, that of cosines is
    taken: it needs no learning, and the result depends on no other image. `learn_dictionary` makes
    one from images.

    The code is an approximation: an image fused with itself comes back to within `tolerance`, and
    a little smoother where `atoms` do not suffice.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1], no side shorter than a patch (8 pixels).
        dictionary: `(patterns, pixels of a square patch)`; None takes `cosine_dictionary()`,
            8x8 pixels.
        step: pixels from one patch to the next, at most the patch's side. The time falls with its
            square. Yang and Li take 1, later toolboxes 2.
        tolerance: largest Euclidean length of what a code may leave of its patch; 0.1 of 8x8
            pixels is 3 grey levels of 255 a pixel. Patches flatter than that have an empty code.
        atoms: largest number of atoms for one patch, at most the pixels of a patch.
        mean: which mean a patch gets: `"maximum"` of both, so that bright and flat regions, such
            as bone, survive beside texture; or `"chosen"`, that of the patch whose code won (the
            brighter one where both codes are equal), as in the framework of Liu.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, are too small, or a setting is
            unknown or out of range.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import cosine_dictionary, sparse_representation
        >>> sources = np.random.default_rng(0).uniform(size=(1, 13, 18, 2))
        >>> sparse_representation(sources, dictionary=cosine_dictionary(4, 6)).shape
        (1, 13, 18, 1)

    Reference:
        Yang and Li, Multifocus image fusion and restoration with sparse representation, 2010;
        means apart from codes as in Liu, Liu and Wang, A general framework for image fusion based
        on multi-scale transform and sparse representation, 2015.
    """
    dictionary = cosine_dictionary() if dictionary is None else _unit(dictionary)
    patch = round(dictionary.shape[1] ** 0.5)
    check_choice("mean", mean, ("maximum", "chosen"))
    for setting, value, most in (("step", step, patch), ("atoms", atoms, patch * patch)):
        check_count(setting, value)
        if value > most:
            raise ValueError(f"Received {setting}={value}; expected at most {most}.")
    if not tolerance > 0:
        raise ValueError(f"Received tolerance={tolerance!r}; expected a number above 0.")

    def fuse(pair):
        height, width = pair.shape[:2]
        # Mirrored by what the last patch lacks.
        margins = [(0, -(side - patch) % step) for side in (height, width)]
        padded = np.pad(pair.astype("float32") / 255, (*margins, (0, 0)), mode="symmetric")
        patches = sliding_window_view(padded, (patch, patch), axis=(0, 1))[::step, ::step]
        rows, columns = patches.shape[:2]
        patches = patches.transpose(2, 0, 1, 3, 4).reshape(2, rows * columns, patch * patch)
        fused = _fuse_patches(patches, dictionary, tolerance, atoms, mean)
        image = _overlapped(fused.reshape(rows, columns, patch, patch), padded.shape[:2], step)
        return 255 * image[:height, :width]

    return fuse_each(fuse, sources, patch)


def _unit(dictionary):
    """A user's dictionary with atoms of unit length."""
    dictionary = np.asarray(dictionary, "float32")
    side = round(dictionary.shape[1] ** 0.5) if dictionary.ndim == 2 else 0
    if dictionary.ndim != 2 or 0 in dictionary.shape or side * side != dictionary.shape[1]:
        raise ValueError(
            f"Received a dictionary of shape {dictionary.shape}; expected (patterns, pixels of a "
            "square patch), such as (256, 64)."
        )
    if not np.isfinite(dictionary).all():
        raise ValueError("Received a dictionary with NaN or infinity; expected finite values.")
    return dictionary / np.maximum(np.linalg.norm(dictionary, axis=1, keepdims=True), 1e-12)


def _fuse_patches(patches, dictionary, tolerance, atoms, mean):
    """Fuses `(2, count, pixels)` to `(count, pixels)`."""
    means = patches.mean(axis=-1)
    decoded = patches - means[..., None]
    activity = np.zeros_like(means)
    # What would have an empty code is not worth the way there: half of a brain image.
    coded = np.einsum("ijk,ijk->ij", decoded, decoded) > tolerance**2
    decoded[~coded] = 0
    decoded[coded], activity[coded] = matching_pursuit(decoded[coded], dictionary, tolerance, atoms)
    first = activity[0] >= activity[1]
    fused = np.where(first[:, None], decoded[0], decoded[1])
    level = means.max(axis=0)
    if mean == "chosen":
        level = np.where(activity[0] == activity[1], level, np.where(first, *means))
    return fused + level[:, None]


def _overlapped(patches, size, step):
    """Mean at every pixel of the patches `(rows, columns, height, width)` that cover it."""
    rows, columns, height, width = patches.shape
    total, count = np.zeros(size, "float32"), np.zeros(size, "float32")
    for top in range(height):
        for left in range(width):
            place = np.s_[top : top + step * rows : step, left : left + step * columns : step]
            total[place] += patches[:, :, top, left]
            count[place] += 1
    return total / count
