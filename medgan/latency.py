"""How long a network takes for one image, measured the same way everywhere."""

import statistics
import time


def median_milliseconds(call, runs=20, warm_up=3):
    """Median wall time of a call.

    Args:
        call: function without arguments that returns when its work is done.
        runs: number of counted calls.
        warm_up: number of calls before, not counted.

    Returns:
        Milliseconds.
    """
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
