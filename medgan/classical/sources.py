"""What every classical method asks of its sources, and the way from them to fused images."""

import numpy as np
from keras import ops

# Values this far outside [0, 1] are rounding, for instance of float16; beyond, a mistake.
SLACK = 1e-3


def check_shape(sources):
    """Refuses sources that are not pairs of grey images, as far as a graph knows their shape.

    Raises:
        ValueError: if the shape is not `(batch, height, width, 2)`.
    """
    shape = sources.shape
    if getattr(shape, "rank", 4) is None:  # a TensorFlow graph that knows nothing yet
        return
    if len(shape) != 4 or shape[-1] not in (2, None):
        raise ValueError(
            f"Received sources of shape {tuple(shape)}; expected (batch, height, width, 2). Stack "
            "the two registered grey images as channels."
        )


def check_values(sources):
    """Refuses NumPy sources that are no grey values in [0, 1].

    Raises:
        ValueError: if there are none, or integers, NaN, or values outside [0, 1].
    """
    if 0 in sources.shape:
        raise ValueError(
            f"Received sources of shape {sources.shape}, which hold no pixel; expected at least "
            "one pair of images."
        )
    if not np.issubdtype(sources.dtype, np.floating):
        raise ValueError(
            f"Received {sources.dtype} sources; expected floating point in [0, 1]. Divide 8-bit "
            "images by 255."
        )
    darkest, brightest = sources.min(), sources.max()
    # Written so that NaN, which compares false with everything, is refused as well.
    if not (darkest >= -SLACK and brightest <= 1 + SLACK):
        raise ValueError(
            f"Received sources from {darkest:g} to {brightest:g}; expected finite values in "
            "[0, 1]. Replace NaN, and divide 8-bit images by 255."
        )


def check_choice(setting, value, choices):
    """Refuses a setting that is none of its choices.

    Raises:
        ValueError: if it is not.
    """
    if value not in choices:
        texts = " or ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"Received {setting}={value!r}; expected {texts}.")


def check_count(setting, value):
    """Refuses a setting that is no whole number above zero.

    Raises:
        ValueError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"Received {setting}={value!r}; expected a whole number of at least 1.")


def fuse_each(rule, sources, smallest_side):
    """Fuses images one after the other with a rule on grey levels.

    Args:
        rule: callable from a pair `(height, width, 2)`, float64 in 0..255, to `(height, width)`.
        sources: `(batch, height, width, 2)` in [0, 1], NumPy array or tensor with values.
        smallest_side: sides that are shorter are refused.

    Returns:
        NumPy array `(batch, height, width, 1)`, float32, clipped to [0, 1].

    Raises:
        ValueError: if the sources have another shape or range, or are too small.
    """
    check_shape(sources)
    sources = np.asarray(ops.convert_to_numpy(sources))
    check_values(sources)
    height, width = sources.shape[1:3]
    if min(height, width) < smallest_side:
        raise ValueError(
            f"Received images of {height}x{width}; this method needs at least {smallest_side} "
            "pixels a side. Use larger images or crops."
        )
    # Times 255 in float32, 8-bit images are whole numbers again. Only so do magnitudes that are
    # equal compare as equal, however the computer rounds.
    grey = (sources.astype("float32") * np.float32(255)).astype("float64")
    fused = np.stack([rule(pair) for pair in grey]).astype("float32")
    return np.clip(fused / np.float32(255), 0, 1)[..., None]
