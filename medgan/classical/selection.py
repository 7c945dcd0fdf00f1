"""Which of two coefficients enters a fused pyramid or wavelet transform."""

import cv2
import numpy as np

from medgan.classical.sources import check_choice

COARSE_RULES = {
    "average": lambda first, second: (first + second) / 2,
    "maximum": np.maximum,
}


def check_coarse_rule(setting, rule):
    """Refuses a rule for the coarsest level that does not exist."""
    check_choice(setting, rule, COARSE_RULES)


def stronger(first, second, consistent=False):
    """The coefficient of larger magnitude; the first source's where both are equal.

    Args:
        first: `(height, width)`.
        second: like `first`.
        consistent: whether the choice follows the majority of the 3x3 neighbourhood (borders
            repeated), so that no coefficient stands alone.

    Returns:
        `(height, width)`.

    Reference:
        Li, Manjunath and Mitra, Multisensor image fusion using the wavelet transform, 1995
        (consistency verification).
    """
    choice = np.abs(first) >= np.abs(second)
    if consistent:
        choice = cv2.medianBlur(choice.astype("uint8"), 3).astype(bool)
    return np.where(choice, first, second)
