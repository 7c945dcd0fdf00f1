"""Dictionaries of small patterns, from which patches of an image are composed."""

import numpy as np
from keras import ops
from numpy.lib.stride_tricks import sliding_window_view

from medgan.classical.sources import check_count, check_shape, check_values


def cosine_dictionary(patch_size=8, frequencies=16):
    """Over-complete dictionary of cosines, the same for all images.

    A discrete cosine transform of `frequencies` instead of `patch_size` frequencies an axis. The
    constant atom is left out, because the patches that are coded have no mean.

    Args:
        patch_size: side of a patch in pixels, at least 2.
        frequencies: number of frequencies along an axis; the dictionary is over-complete if that
            is more than `patch_size`.

    Returns:
        NumPy array `(frequencies ** 2 - 1, patch_size ** 2)` of unit vectors without mean, float32.

    Example:
        >>> from medgan.classical import cosine_dictionary
        >>> cosine_dictionary().shape
        (255, 64)

    Reference:
        Aharon, Elad and Bruckstein, K-SVD, 2006, where it is the one to compare with.
    """
    check_count("patch_size", patch_size)
    check_count("frequencies", frequencies)
    if min(patch_size, frequencies) < 2:
        raise ValueError(
            f"Received patch_size={patch_size} and frequencies={frequencies}; expected 2 or more."
        )
    positions, waves = np.arange(patch_size), np.arange(frequencies)
    cosines = np.cos(np.pi / frequencies * np.outer(waves, positions))
    cosines[1:] -= cosines[1:].mean(axis=1, keepdims=True)
    cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
    return np.kron(cosines, cosines)[1:].astype("float32")


def learn_dictionary(sources, *, atoms=256, patch_size=8, patches=20000, seed=0):
    """Learns a dictionary from patches of images, for instance those of the training patients.

    Patches are drawn at random, as many of each source, those that are nearly flat left out. The
    same images and seed give the same dictionary.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1], at least `patch_size` pixels a side.
        atoms: number of patterns.
        patch_size: side of a patch in pixels.
        patches: number of patches to learn from, at most.
        seed: any integer.

    Returns:
        NumPy array `(atoms, patch_size ** 2)` of unit vectors without mean, float32.

    Raises:
        ValueError: if the sources have another shape or range, are too small or flat, or a
            setting is out of range.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import learn_dictionary
        >>> sources = np.random.default_rng(0).uniform(size=(1, 24, 24, 2))
        >>> learn_dictionary(sources, atoms=20, patch_size=4, patches=200).shape
        (20, 16)

    Reference:
        Mairal, Bach, Ponce and Sapiro, Online dictionary learning for sparse coding, 2009.
    """
    for setting, value in {"atoms": atoms, "patch_size": patch_size, "patches": patches}.items():
        check_count(setting, value)
    check_shape(sources)
    sources = np.asarray(ops.convert_to_numpy(sources))
    check_values(sources)
    if min(sources.shape[1:3]) < patch_size:
        raise ValueError(
            f"Received images of {sources.shape[1]}x{sources.shape[2]}; expected at least "
            f"{patch_size} pixels a side, the size of a patch."
        )
    # scikit-learn takes a second to import, and no other method needs it.
    from sklearn.decomposition import MiniBatchDictionaryLearning

    windows = sliding_window_view(sources, (patch_size, patch_size), axis=(1, 2))
    rng = np.random.default_rng(seed)
    batch, rows, columns = windows.shape[:3]
    count = -(-patches // 2)
    chosen = [rng.integers(side, size=count) for side in (batch, rows, columns)]
    drawn = windows[chosen[0], chosen[1], chosen[2]].reshape(2 * count, -1)[:patches]
    drawn = drawn.astype("float64") - drawn.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(drawn, axis=1, keepdims=True)
    # A hundredth of full scale a pixel: below lie the background and its noise.
    uneven = norms[:, 0] > 0.01 * patch_size
    if uneven.sum() < atoms:
        raise ValueError(
            f"Received images in which {uneven.sum()} of {patches} patches are not flat; expected "
            f"at least {atoms}, one for each atom. Give more images or ask for fewer atoms."
        )
    learner = MiniBatchDictionaryLearning(
        n_components=atoms,
        alpha=0.15,
        max_iter=5,
        batch_size=256,
        random_state=seed,
    )
    learnt = learner.fit((drawn / norms)[uneven]).components_
    learnt = learnt - learnt.mean(axis=1, keepdims=True)
    # An atom that no patch used may be zero; it stays so and is never chosen.
    lengths = np.maximum(np.linalg.norm(learnt, axis=1, keepdims=True), 1e-12)
    return (learnt / lengths).astype("float32")
