"""Do two machines train what one does, and does their training outlive the loss of one?

    python benchmarks/two_workers.py

Trains KGAN, a short recipe, four times: by one process on one device, by one process on two logical
CPUs (`strategy = "mirrored"`), by two processes on loopback (`--workers`), and by two of which one
is killed with -9 in the middle and both are started again with `--resume`. Prints, as JSON, the
largest differences of the networks' weights from those of the mirrored training, in how many
seconds the survivor ended, and what it said; and what two workers with different recipes say. The
exit code is 1 if a difference is above 1e-5, the survivor took more than a minute, the resumed
weights are not those of the uninterrupted pair, or different recipes are not refused.
Training rates are small: it is the arithmetic that is compared, not what chaos makes of rounding.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from kill_and_resume import SETTINGS, STAGES

CALL = """
import tensorflow as tf
devices = int({devices})
if devices > 1:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from medgan.tools.train import main
main()
"""
TOLERANCE = 1e-5


def words(steps, *more):
    """Words that begin a run with small rates."""
    settings = [
        *SETTINGS,
        "training.batch_size=4",
        f"teacher.steps={steps}",
        f"distillation.steps={steps}",
        *more,
    ]
    for table in ("teacher", "distillation"):
        settings += [
            f'{table}.optimizer={{type="SGD", learning_rate=1e-3, momentum=0.9, clipnorm=1.0}}',
            f'{table}.discriminator_optimizer={{type="SGD", learning_rate=1e-3}}',
        ]
    return ["kgan", *(word for setting in settings for word in ("--set", setting))]


def started(arguments, log, devices=1):
    """Starts `medgan-train`."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with open(log, "ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", CALL.format(devices=devices), *arguments, "--quiet"],
            stdout=stream,
            stderr=stream,
            env=environment,
        )


def succeeded(processes, logs):
    """Waits for processes that must end well."""
    for process, log in zip(processes, logs, strict=True):
        if process.wait(1200) != 0:
            raise SystemExit(f"Exit code {process.returncode}, see {log}")


def pair(root, name, arguments, more=((), ())):
    """Starts two workers, each with words of its own."""
    first = random.randint(20000, 40000)
    workers = f"127.0.0.1:{first},127.0.0.1:{first + 1}"
    logs = [root / f"{name}-{index}.log" for index in range(2)]
    processes = [
        started([*arguments, *more[index], "--workers", workers, "--worker-index", str(index)], log)
        for index, log in enumerate(logs)
    ]
    return processes, logs


def distance(one, other):
    """The largest difference between the weights of two runs."""
    import keras

    import medgan.layers  # noqa: F401  what the networks are made of

    largest = 0.0
    for stage in STAGES:
        weights = [keras.models.load_model(run / f"{stage}.keras").weights for run in (one, other)]
        for a, b in zip(*weights, strict=True):
            largest = max(largest, float(np.abs(a.numpy() - b.numpy()).max()))
    return largest


def main():
    """Trains, kills, resumes, compares, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30, help="steps of each stage")
    parser.add_argument("--keep", help="folder for the runs; by default a passing one")
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="medgan-workers-"))
    root.mkdir(parents=True, exist_ok=True)
    begin = words(arguments.steps)
    runs = {name: root / name for name in ("single", "mirrored", "workers", "killed")}
    for name, devices in (("single", 1), ("mirrored", 2)):
        log = root / f"{name}.log"
        setting = ["--set", f"training.strategy={name}", "--output", str(runs[name])]
        succeeded([started([*begin, *setting], log, devices)], [log])
    setting = ["--set", "training.strategy=multi_worker", "--output"]
    succeeded(*pair(root, "workers", [*begin, *setting, str(runs["workers"])]))

    other = ["--set", "networks.student.width=3", "--output", str(root / "refused")]
    processes, logs = pair(root, "refused", begin, [[], other])
    refused = [process.wait(300) for process in processes]
    why = logs[0].read_text().splitlines()[-1]

    run = runs["killed"]
    processes, logs = pair(root, "killed", [*begin, *setting, str(run)])
    while not (run / "checkpoints" / "student" / "previous.npz").exists():
        if any(process.poll() is not None for process in processes):
            raise SystemExit(f"A worker ended before it was killed, see {logs[0]}")
        time.sleep(0.05)
    processes[1].kill()
    killed = time.monotonic()
    code = processes[0].wait(300)
    seconds = time.monotonic() - killed
    said = logs[0].read_text().splitlines()[-1]
    succeeded(*pair(root, "killed", ["--resume", str(run)]))

    result = {
        "single_from_mirrored": distance(runs["mirrored"], runs["single"]),
        "workers_from_mirrored": distance(runs["mirrored"], runs["workers"]),
        "resumed_from_workers": distance(runs["workers"], run),
        "refused": {"exit_codes": refused, "said": why},
        "survivor": {"exit_code": code, "seconds": round(seconds, 1), "said": said},
    }
    print(json.dumps(result, indent=2))
    if not arguments.keep:
        shutil.rmtree(root)
    good = (
        result["single_from_mirrored"] <= TOLERANCE
        and result["workers_from_mirrored"] <= TOLERANCE
        and result["resumed_from_workers"] == 0
        and refused == [2, 2]
        and code == 1
        and seconds <= 60
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
