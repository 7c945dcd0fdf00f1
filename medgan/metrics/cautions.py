"""Cautions: signs that a fusion score was gained by something else than fusion.

Every single score can be gamed, mostly without intent: by a stretched or lifted output, by
sharpening, by returning one source. The limits below let pixel rules, pyramids and networks that
clip their output pass, measured on CT and MR of the Harvard Whole Brain Atlas.
"""

import numpy as np

DARK = 3.0  # grey levels up to which a source counts as background
FOREGROUND = 20.0  # grey levels above which the head begins, as in `medgan.ops.head_mask`
LIFTED = 2.0  # grey levels; what clips its output has 0
BRIGHTER = 8.0  # grey levels; a pyramid exceeds the brighter source by 4 to 5
SHARPER = 1.02  # times the spatial frequency; a pyramid has 0.93, the maximum 0.83
UNCHANGED = 1.0  # grey levels of mean difference in the head
CONSTANT = 1.0  # grey levels between the darkest and the brightest pixel
LUMINANCE_CONSTANT = (0.01 * 255) ** 2  # of SSIM


def _between(foreground, axis):
    """Marks what lies between the first and the last foreground pixel of every line."""
    length = foreground.shape[axis]
    first = np.expand_dims(foreground.argmax(axis), axis)
    last = length - 1 - np.expand_dims(np.flip(foreground, axis).argmax(axis), axis)
    place = np.arange(length).reshape([-1 if axis == other else 1 for other in range(3)])
    return foreground.any(axis, keepdims=True) & (first <= place) & (place <= last)


def _head(sources):
    """The head as `medgan.ops.head_mask` finds it; sources `(2, height, width)` in 0..255."""
    foreground = sources > FOREGROUND
    return (_between(foreground, 1) & _between(foreground, 2)).any(axis=0)


def _sharpness(sources, fused):
    """SF of the result over that of the sources' stronger differences; 0 if these are flat."""
    own = stronger = 0.0
    for axis in (0, 1):
        first, second = (np.square(np.diff(source, axis=axis)) for source in sources)
        stronger += np.mean(np.maximum(first, second))
        own += np.mean(np.square(np.diff(fused, axis=axis)))
    return np.sqrt(own / stronger) if stronger > 0 else 0.0


def _mean(values):
    return float(np.mean(values)) if values else 0.0


class Cautions:
    """Looks at the results of one method, image by image, and says what is suspicious.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import Cautions
        >>> sources = np.random.default_rng(0).integers(0, 256, (32, 32, 2))
        >>> cautions = Cautions()
        >>> cautions.add(sources, sources[..., 1:])
        >>> [sentence[:40] for sentence in cautions.sentences()]
        ['The results are the second source, uncha']
    """

    def __init__(self):
        self._count = 0
        self._constant = 0
        self._stretched = 0
        # Of every image that has such a thing:
        self._lift = []  # of the background, in grey levels
        self._loss = []  # of SSIM by it
        self._excess = []  # over the brighter source, in the head
        self._distances = []  # from both sources, in the head
        self._contrast = []  # between the sources, in the head
        self._sharpness = []

    def add(self, sources, fused):
        """Looks at one result.

        Args:
            sources: `(height, width, 2)`, in 0..255.
            fused: `(height, width, 1)`, in 0..255.

        Raises:
            ValueError: if the shapes are others.
        """
        sources, fused = np.asarray(sources, "float32"), np.asarray(fused, "float32")
        if sources.shape[-1:] != (2,) or fused.shape != (*sources.shape[:2], 1):
            raise ValueError(
                f"Received sources of shape {sources.shape} and a result of {fused.shape}, "
                "expected (height, width, 2) and (height, width, 1) of the same size. Pass one "
                "image at a time, grey, the sources as channels."
            )
        sources, fused = np.moveaxis(sources, -1, 0).copy(), fused[..., 0]
        self._count += 1
        if fused.max() - fused.min() <= CONSTANT < sources.max() - sources.min():
            self._constant += 1
            return  # Nothing else is worth saying about it.
        brighter = sources.max(axis=0)
        head = _head(sources)
        lift = self._look_at_background((brighter <= DARK) & ~head, sources, brighter, fused)
        if head.any():
            # What the background says once is not said of the head again.
            above = fused[head] - brighter[head] - max(lift, 0.0)
            self._excess.append(np.mean(np.maximum(above, 0.0)))
            first, second = (source[head] for source in sources)
            inside = fused[head]
            self._distances.append([np.abs(inside - source).mean() for source in (first, second)])
            self._contrast.append(np.abs(first - second).mean())
        self._sharpness.append(_sharpness(sources, fused))

    def _look_at_background(self, background, sources, brighter, fused):
        """Returns by how much the background is lifted, 0 without any."""
        full = fused.min() <= 0 and fused.max() >= 255
        sources_full = sources.min() <= 0 and sources.max() >= 255
        if not background.any():
            self._stretched += full and not sources_full
            return 0.0
        # The median: neither a halo around the head nor noise, clipped at 0, lifts a background.
        lift = float(np.median(fused[background] - brighter[background]))
        fading = 1 - LUMINANCE_CONSTANT / (lift**2 + LUMINANCE_CONSTANT)
        self._lift.append(lift)
        self._loss.append(background.mean() * fading)
        # Only something darker than the background makes stretching lift it.
        self._stretched += full and (not sources_full or lift > LIFTED)
        return lift

    def sentences(self):
        """Returns one sentence per caution: what was measured, what it does, what to do.

        Returns:
            List of texts; empty if nothing is suspicious, or nothing was added.
        """
        said = [
            self._say_constant(),
            self._say_unchanged(),
            self._say_lifted(),
            self._say_stretched(),
            self._say_brighter(),
            self._say_sharper(),
        ]
        return [sentence for sentence in said if sentence]

    def _say_constant(self):
        if not self._constant:
            return None
        return (
            f"{self._constant} of {self._count} results are constant, so that their scores mean "
            "nothing: look at the network, or at whether 0..1 was saved as 0..255."
        )

    def _say_unchanged(self):
        if not self._distances or _mean(self._contrast) <= 2 * UNCHANGED:
            return None
        distances = np.mean(self._distances, axis=0)
        nearer = int(np.argmin(distances))
        if distances[nearer] > UNCHANGED:
            return None
        return (
            f"The results are the {('first', 'second')[nearer]} source, unchanged but for "
            f"{distances[nearer]:.1f} grey levels on average: VIF, MI and SSIM reward that, yet "
            "nothing was fused; look at the score against the other source."
        )

    def _say_lifted(self):
        lift = _mean(self._lift)
        if lift <= LIFTED:
            return None
        return (
            f"The background, black in both sources, is lifted by {lift:.1f} grey levels, which "
            f"costs up to {_mean(self._loss):.2f} of SSIM and says nothing about the head: read "
            "SSIM head, and save the output clipped, with its 0 at 0."
        )

    def _say_stretched(self):
        if 2 * self._stretched <= self._count:
            return None
        return (
            f"{self._stretched} of {self._count} results fill 0..255 exactly where their sources "
            "would not, as stretching to minimum and maximum does: that moves SF, SD and SSIM; "
            "save the output clipped, never stretched."
        )

    def _say_brighter(self):
        excess = _mean(self._excess)
        if excess <= BRIGHTER:
            return None
        return (
            f"In the head the results are brighter than both sources, by {excess:.1f} grey levels "
            "on average: overexposure and raised contrast buy SCD, SF and SD; read SSIM and VIF "
            "with them, and look for structures that are clipped away."
        )

    def _say_sharper(self):
        sharpness = _mean(self._sharpness)
        if sharpness <= SHARPER:
            return None
        return (
            f"SF is {100 * (sharpness - 1):.0f} % above that of the stronger of both sources' "
            "differences at every pixel: sharpening, ringing or noise buys SF and AG; read Qabf "
            "and Nabf with them."
        )
