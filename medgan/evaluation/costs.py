"""What a method costs: parameters, multiply-accumulates, CPU latency."""

import time

import numpy as np

from medgan.latency import median_milliseconds
from medgan.networks import multiply_accumulates

SLOW_SECONDS = 0.2


def cost_of(function, image, parameters=0, macs=None):
    """Measures a method on one image.

    Args:
        function: from sources `(1, height, width, channels)` to a result.
        image: `(height, width, channels)`, in [0, 1].
        parameters: its number of weights.
        macs: its multiply-accumulates for this image; None where nobody counted.

    Returns:
        `{"parameters", "macs", "milliseconds"}`; the median of 20 calls, of 3 where one takes
        longer than a fifth of a second.
    """
    import tensorflow as tf

    with tf.device("/CPU:0"):
        np.asarray(function(image[None]))  # compiles
        start = time.perf_counter()
        np.asarray(function(image[None]))
        slow = time.perf_counter() - start > SLOW_SECONDS
        runs = {"runs": 3, "warm_up": 0} if slow else {}
        milliseconds = median_milliseconds(lambda: np.asarray(function(image[None])), **runs)
    return {"parameters": parameters, "macs": macs, "milliseconds": round(milliseconds, 2)}


def countable_macs(network, size):
    """Multiply-accumulates of a network, or None where they cannot be counted."""
    try:
        return multiply_accumulates(network, size)
    except ValueError:
        return None


def short(count):
    """A count in words of three digits, such as "1.04 G"."""
    if count is None:
        return "unknown"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)


def cost_texts(cost):
    """Parameters, multiply-accumulates and milliseconds for a table."""
    if cost is None:
        return ["-"] * 3
    milliseconds = f"{cost['milliseconds']:.1f}"
    return [f"{cost['parameters']:,}", short(cost["macs"]), milliseconds]
