"""Does a run that was killed with -9, again and again, end with the weights of one that was not?

    python benchmarks/kill_and_resume.py --kills 20

Trains a short recipe once without interruption. Then trains it again, kills the process at a
random moment (every second time in the very moment in which a checkpoint is being written), resumes
it with `medgan-train --resume`, and so on; when a run comes to its end it is compared and a new one
begins, until there were enough kills. Compared bit for bit are all variables of every stage's last
and best checkpoint (weights, both optimizers, seeds), the weights of its network and of the best
one, what is said of the best one, and the lines of `metrics.jsonl`. The exit code is 1 if anything
differs.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

CALL = "from medgan.tools.train import main; main()"
STAGES = ("teacher", "student", "student_without_teacher")
SETTINGS = (
    "data.count=6",
    "data.patients=3",
    "data.image_size=64",
    "data.crop=48",
    "networks.teacher.width=3",
    "networks.student.width=2",
    "networks.discriminator.width=2",
    "teacher.content_loss.type=StructuralFusionLoss",
    "distillation.content_loss.type=StructuralFusionLoss",
    "training.batch_size=3",
    "training.checkpoint_every=3",
    "training.validation_pairs=2",
    'training.validation_scores=["sf"]',
)


def command(*words):
    """Words that run `medgan-train`."""
    return [sys.executable, "-c", CALL, *words, "--quiet", "--json"]


def fresh(folder, steps):
    """Words that begin a run."""
    settings = (*SETTINGS, f"teacher.steps={steps}", f"distillation.steps={steps}")
    words = [word for setting in settings for word in ("--set", setting)]
    return command("kgan", *words, "--output", str(folder))


def trained(folder):
    """Whether all three networks are there; what comes after is only their evaluation."""
    return (folder / f"{STAGES[-1]}.keras").exists()


def killed(words, folder, delay, while_saving):
    """Runs a command; kills it after a delay, or when it next writes a checkpoint after that.

    Returns whether it was killed before the training was over, and while which file was being
    written.
    """
    with open(folder.with_suffix(".log"), "ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        end = time.monotonic() + delay
        saving = None
        while process.poll() is None and not trained(folder):
            if time.monotonic() < end:
                time.sleep(0.01)
                continue
            if while_saving:
                parts = list(folder.glob("checkpoints/*/.*.part"))
                if not parts:
                    continue
                saving = parts[0].name
            process.kill()
            process.wait()
            return True, saving
        if not trained(folder):
            raise SystemExit(f"Exit code {process.returncode}, see {folder.with_suffix('.log')}")
        process.kill()
        process.wait()
        return False, None


def arrays(path):
    """All arrays of a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".npy"))
        return [np.load(archive.open(name)) for name in names]


def weights(path):
    """All weights of a network."""
    import keras

    import medgan.layers  # noqa: F401  what the networks are made of

    return keras.models.load_model(path).get_weights()


def different_arrays(name, read, one, other):
    """In words, what differs between the files of a name in two run folders."""
    missing = [f"{run / name} is not there" for run in (one, other) if not (run / name).exists()]
    if missing:
        return missing
    pairs = [read(run / name) for run in (one, other)]
    if len(pairs[0]) != len(pairs[1]) or not pairs[0]:
        return [f"{name}: {len(pairs[0])} and {len(pairs[1])} arrays"]
    return [
        f"{name}: array {index}"
        for index, (a, b) in enumerate(zip(*pairs, strict=True))
        if a.tobytes() != b.tobytes()
    ]


def differences(one, other):
    """In words, what differs between two run folders."""
    said = []
    for stage in STAGES:
        folder = f"checkpoints/{stage}"
        for name in (f"{folder}/last.npz", f"{folder}/best.npz"):
            said += different_arrays(name, arrays, one, other)
        for name in (f"{stage}.keras", f"{folder}/best.keras"):
            said += different_arrays(name, weights, one, other)
        paths = [run / folder / "best.json" for run in (one, other)]
        texts = [path.read_text() if path.exists() else None for path in paths]
        if None in texts or texts[0] != texts[1]:
            said.append(f"{folder}/best.json: {texts[0]} and {texts[1]}")
    lines = [(run / "metrics.jsonl").read_text().splitlines() for run in (one, other)]
    if lines[0] != lines[1]:
        said.append(f"metrics.jsonl: {len(lines[0])} and {len(lines[1])} lines")
    return said


def main():
    """Kills, resumes, compares, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60, help="steps of each stage")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of killing")
    parser.add_argument("--keep", help="folder for the runs; by default a passing one")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    root = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="medgan-kill-"))
    root.mkdir(parents=True, exist_ok=True)
    whole = root / "whole"
    start = time.monotonic()
    killed(fresh(whole, arguments.steps), whole, 1e9, False)
    seconds = time.monotonic() - start
    print(f"uninterrupted: {seconds:.0f} s", file=sys.stderr)
    kills, saving, compared, said = 0, 0, 0, []
    while kills < arguments.kills:
        run = root / f"killed-{compared}"
        words = fresh(run, arguments.steps)
        while True:
            enough = kills >= arguments.kills
            delay = 1e9 if enough else moments.uniform(0, seconds)
            hit, part = killed(words, run, delay, not enough and kills % 2 == 1)
            if not hit:
                break
            kills += 1
            saving += part is not None
            print(f"kill {kills} after {delay:.1f} s {part or ''}", file=sys.stderr)
            if (run / "fingerprint.json").exists():
                words = command("--resume", str(run))
            else:  # killed before there was a run
                shutil.rmtree(run, ignore_errors=True)
        compared += 1
        said += differences(whole, run)
    result = {
        "kills": kills,
        "while_saving": saving,
        "runs": compared,
        "seconds_of_the_uninterrupted": round(seconds, 1),
        "differences": said,
    }
    print(json.dumps(result, indent=2))
    if not arguments.keep:
        shutil.rmtree(root)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
