"""How fast our fusion scores are beside NumPy, SciPy and scikit-image, in one process.

    python benchmarks/metrics.py                      # 16 phantoms of 256x256
    python benchmarks/metrics.py --root DIR --json    # DIR with CT/ and MRI/
    python benchmarks/metrics.py --memory 1000        # peak memory of scoring 1000 pairs

Both sides score the same fused images (the pixel-wise maximum) with every score of
`FUSION_SCORES`. The reference takes one image after the other, as the field's codes do; ours takes
the batch as one compiled function. The rounds of both alternate, and the median counts. Whatever
differs between both by more than 0.1 % is named. The reference runs on one core, as its libraries
do; ours uses the cores that TensorFlow finds.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import numpy as np
from reference_fmi import fmi
from reference_metrics import REFERENCE

from medgan.data import evaluation_batches, paired_folders, phantoms
from medgan.metrics import FUSION_SCORES, score_fusion, score_images

KEYS = tuple(FUSION_SCORES)
WITHOUT_FMI = tuple(key for key in KEYS if key != "fmi")
PEERS = {**REFERENCE, "fmi": fmi}


def brightest(sources):
    """The pixel-wise maximum."""
    return np.max(sources, axis=-1, keepdims=True)


def seconds(work):
    """Wall time of a call, and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def reference(sources, fused, keys):
    """Every score by the peers, image by image."""
    grey = np.round(255.0 * np.concatenate([sources, fused], axis=-1).astype("float64"))
    return {key: np.array([PEERS[key](*np.moveaxis(i, -1, 0)) for i in grey]) for key in keys}


def compare(sources, rounds):
    """Times both sides, whole and score by score."""
    fused = brightest(sources)
    count = len(sources)

    def ours(keys):
        return score_images("fusion", sources, fused, keys)

    first, _ = seconds(lambda: ours(KEYS))
    ours(WITHOUT_FMI)
    times = {"ours": [], "ours without fmi": [], "reference": [], "reference without fmi": []}
    for _ in range(rounds):
        spent, values = seconds(lambda: ours(KEYS))
        times["ours"].append(spent)
        times["ours without fmi"].append(seconds(lambda: ours(WITHOUT_FMI))[0])
        less, peers = seconds(lambda: reference(sources, fused, WITHOUT_FMI))
        spent, of_fmi = seconds(lambda: reference(sources, fused, ("fmi",)))
        peers.update(of_fmi)
        times["reference"].append(less + spent)
        times["reference without fmi"].append(less)
    single = {}
    for key in KEYS:
        ours((key,))
        own = statistics.median(seconds(lambda key=key: ours((key,)))[0] for _ in range(5))
        peer, _ = seconds(lambda key=key: reference(sources, fused, (key,)))
        gap = np.abs(values[key] - peers[key]) / np.maximum(np.abs(peers[key]), 1e-3)
        single[key] = {
            "ours_ms": 1000 * own / count,
            "reference_ms": 1000 * peer / count,
            "ratio": peer / own,
            "largest_relative_difference": float(gap.max()),
        }
    ours_ms, ours_less_ms, reference_ms, reference_less_ms = (
        1000 * statistics.median(spent) / count for spent in times.values()
    )
    return {
        "images": count,
        "size": list(sources.shape[1:3]),
        "rounds": rounds,
        "ours_ms_per_image": ours_ms,
        "reference_ms_per_image": reference_ms,
        "ratio": reference_ms / ours_ms,
        "ratio_without_fmi": reference_less_ms / ours_less_ms,
        "first_call_seconds": first,
        "scores": single,
    }


def memory(count):
    """Peak memory of scoring many pairs, which are drawn as noise: values do not matter here."""
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (count, 256, 256, 2), "uint8")
    batches = (stored[start : start + 16] / np.float32(255) for start in range(0, count, 16))
    spent, _ = seconds(lambda: score_fusion(brightest, batches))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"pairs": count, "seconds": spent, "peak_gibibytes": peak}


def main():
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="folder with CT/ and MRI/; built-in phantoms without it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="PAIRS", help="measure memory instead")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    machine = {"cores": os.cpu_count(), "machine": platform.processor() or platform.machine()}
    if arguments.memory:
        result = {**memory(arguments.memory), **machine}
        words = "{pairs} pairs: {seconds:.0f} s, peak {peak_gibibytes:.2f} GiB, {cores} cores"
        print(json.dumps(result) if arguments.json else words.format(**result))
        return
    pairs = paired_folders(arguments.root) if arguments.root else phantoms(arguments.batch, 4, 256)
    chosen = pairs.select(np.linspace(0, len(pairs) - 1, arguments.batch).astype(int))
    sources = next(iter(evaluation_batches(chosen, arguments.batch)))
    result = {**compare(np.asarray(sources), arguments.rounds), **machine}
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{'score':16} {'ours':>9} {'reference':>10} {'ratio':>7}  ms per image")
    for key, line in result["scores"].items():
        far = line["largest_relative_difference"]
        remark = f"  differs by {far:.2%}" if far > 1e-3 else ""
        numbers = f"{line['ours_ms']:9.2f} {line['reference_ms']:10.2f} {line['ratio']:7.1f}"
        print(f"{key:16} {numbers}{remark}")
    whole = "{ours_ms_per_image:9.2f} {reference_ms_per_image:10.2f} {ratio:7.1f}"
    print(f"{'whole suite':16} {whole.format(**result)}")
    print(f"{'without FMI':16} {result['ratio_without_fmi']:28.1f}")
    print(f"first call (tracing) {result['first_call_seconds']:.1f} s, {result['cores']} cores")


if __name__ == "__main__":
    main()
