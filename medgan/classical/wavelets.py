"""Fusion of wavelet transforms, decimated (DWT) and stationary (SWT)."""

import numpy as np
import pywt

from medgan.classical.selection import COARSE_RULES, check_coarse_rule, stronger
from medgan.classical.sources import check_count, fuse_each


def dwt(sources, *, wavelet="db2", levels=4, low="average", consistent=True):
    """Keeps the stronger coefficient of every band of a discrete wavelet transform.

    The default is what the literature compares with most: db2, four levels, coefficients of larger
    magnitude (the first source's where both are equal) under a 3x3 consistency check, averaged
    low pass. The transform is not shift-invariant: edges ring where the choice changes.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].
        wavelet: name of a discrete wavelet of PyWavelets.
        levels: number of levels; fewer where the image is too small for them.
        low: rule of the low pass, `"average"` or `"maximum"`.
        consistent: whether a choice follows the majority of its 3x3 neighbours in its band.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, are too small for one level (two
            pixels less than twice the wavelet's taps: 6 a side for db2), or a setting is unknown.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import dwt
        >>> sources = np.random.default_rng(0).uniform(size=(1, 20, 25, 2))
        >>> dwt(sources, wavelet="haar", levels=2).shape
        (1, 20, 25, 1)

    Reference:
        Li, Manjunath and Mitra, Multisensor image fusion using the wavelet transform, 1995.
    """
    wavelet = _checked(wavelet, levels, low)

    def fuse(pair):
        bands = pywt.wavedec2(
            pair.transpose(2, 0, 1), wavelet, "symmetric", _possible(levels, pair, wavelet)
        )
        fused = pywt.waverec2(_fuse(bands, low, consistent), wavelet, "symmetric")
        return fused[: pair.shape[0], : pair.shape[1]]

    return fuse_each(fuse, sources, _smallest_side(wavelet))


def swt(sources, *, wavelet="db2", levels=3, low="average"):
    """Keeps the stronger coefficient of every band of a stationary wavelet transform.

    As many coefficients as pixels in every band: shifting the sources shifts the result, and it
    rings less than that of `dwt`. The image is mirrored at its borders as far as the filters
    reach, because the transform joins opposite sides; the result is cut to size.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].
        wavelet: name of a discrete wavelet of PyWavelets.
        levels: number of levels, each of which costs as much again and doubles the margin; fewer
            where the image is too small for them.
        low: rule of the low pass, `"average"` or `"maximum"`.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, are too small for one level (two
            pixels less than twice the wavelet's taps: 6 a side for db2), or a setting is unknown.

    Example:
        >>> import numpy as np
        >>> from medgan.classical import swt
        >>> swt(np.full((1, 9, 12, 2), 0.25), levels=1).round(6).max().item()
        0.25

    Reference:
        Rockinger, Image sequence fusion using a shift-invariant wavelet transform, 1997.
    """
    wavelet = _checked(wavelet, levels, low)

    def fuse(pair):
        height, width = pair.shape[:2]
        depth = _possible(levels, pair, wavelet)
        reach = (wavelet.dec_len - 1) * (2**depth - 1)
        margins = [(reach, reach + -(side + 2 * reach) % 2**depth) for side in (height, width)]
        padded = np.pad(pair.transpose(2, 0, 1), ((0, 0), *margins), mode="symmetric")
        bands = pywt.swt2(padded, wavelet, depth, axes=(1, 2), trim_approx=True)
        fused = pywt.iswt2(_fuse(bands, low, consistent=False), wavelet)
        return fused[reach : reach + height, reach : reach + width]

    return fuse_each(fuse, sources, _smallest_side(wavelet))


def _fuse(bands, low, consistent):
    """Fuses the coefficient lists of PyWavelets, whose arrays hold both sources first."""
    coarse, *details = bands
    return [
        COARSE_RULES[low](*coarse),
        *(tuple(stronger(*band, consistent) for band in level) for level in details),
    ]


def _checked(wavelet, levels, low):
    check_count("levels", levels)
    check_coarse_rule("low", low)
    if wavelet not in pywt.wavelist(kind="discrete"):
        raise ValueError(
            f"Received wavelet={wavelet!r}; expected a discrete wavelet of PyWavelets, such as "
            '"haar", "db2" or "sym4". pywt.wavelist(kind="discrete") names them all.'
        )
    return pywt.Wavelet(wavelet)


def _smallest_side(wavelet):
    return 2 * (wavelet.dec_len - 1)


def _possible(levels, pair, wavelet):
    return min(levels, pywt.dwt_max_level(min(pair.shape[:2]), wavelet.dec_len))
