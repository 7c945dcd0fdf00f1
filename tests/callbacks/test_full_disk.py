"""What a disk does that is really full: here the system refuses files of more than 600 bytes."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Only Unix limits the size of files.")

SCRIPT = """
import json, pathlib, resource, sys
import keras, numpy as np
from medgan.callbacks import BestCheckpoint, Checkpoint, JSONLines, LossCurves, TensorBoard
from medgan.errors import MedganError
from medgan.tools.console import one_line_errors
from medgan.training_state import load_state, read_notes

folder = pathlib.Path(sys.argv[1])
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", run_eagerly=True)
model.set_weights([np.full((1, 1), 3.0)])

def prepared(callback):
    callback.set_model(model)
    callback.on_train_begin()
    return callback

checkpoint = prepared(Checkpoint(folder / "checkpoints"))
best = prepared(BestCheckpoint(folder / "best.keras", "loss", mode="min"))
curves = prepared(LossCurves(folder / "losses.png"))
lines = prepared(JSONLines(folder / "lines.jsonl", much="x" * 900))
model.optimizer.iterations.assign(5)
checkpoint.save()
best.on_epoch_end(0, {"loss": 2.0})
curves.on_epoch_end(0, {"loss": 2.0, "discriminator": 1.0})
kept = {name: (folder / name).read_bytes() for name in ("best.keras", "losses.png")}

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))  # Python ignores SIGXFSZ: EFBIG comes
many = {f"a_rather_long_name_{index}": 1.0 for index in range(40)}
model.optimizer.iterations.assign(6)

def board(name, **arguments):
    return prepared(TensorBoard(folder / name, **arguments))

def board_after_a_batch(name):
    made = board(name, update_freq=1)  # events are buffered until the next batch begins
    made.on_train_batch_begin(0)
    made.on_train_batch_end(0, {"a_rather_long_name" * 40: 1.0})
    return made

said = {}
for name, act in {
    "checkpoint": checkpoint.save,
    "best": lambda: best.on_epoch_end(1, {"loss": 1.0}),
    "curves": lambda: curves.on_epoch_end(1, {"loss": 1.0, "discriminator": 1.0}),
    "state": lambda: board_after_a_batch("state").get_state(),
    "batch": lambda: board_after_a_batch("batch").on_train_batch_begin(1),
    "epoch": lambda: board("epoch").on_epoch_end(0, many),
    "end": lambda: board_after_a_batch("end").on_train_end(),
}.items():
    try:
        act()
    except MedganError as error:
        said[name] = str(error)
said["kept"] = all((folder / name).read_bytes() == content for name, content in kept.items())
said["files"] = sorted(path.name for path in (folder / "checkpoints").iterdir())
model.set_weights([np.zeros((1, 1))])
said["step"] = load_state(folder / "checkpoints" / "last.npz", model)["step"]
said["weight"] = float(model.get_weights()[0][0, 0])
print(json.dumps(said), flush=True)
with one_line_errors():
    lines.on_epoch_end(0, {})
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """What everything that writes says, and the process that tried it."""
    folder = tmp_path_factory.mktemp("full")
    words = [sys.executable, "-c", SCRIPT, str(folder)]
    process = subprocess.run(words, capture_output=True, text=True)
    assert process.stdout, process.stderr
    return folder, json.loads(process.stdout.splitlines()[0]), process


def test_a_checkpoint_fails_in_one_line_and_the_one_before_loads(full):
    folder, said, _ = full
    last = folder / "checkpoints" / "last.npz"
    assert said["checkpoint"] == (
        f"Cannot save {last}: File too large; {last} still holds step 5. "
        "Free space or choose another folder."
    )
    assert said["files"] == ["last.npz"] and (said["step"], said["weight"]) == (5, 3.0)


def test_the_best_network_and_pictures_fail_in_one_line_and_stay(full):
    folder, said, _ = full
    assert said["best"].startswith(f"Cannot save {folder / 'best.keras'}: ")
    assert said["curves"] == (
        f"Cannot write {folder / 'losses.png'}: File too large. "
        "Free space or choose another folder."
    )
    assert "\n" not in said["best"] and said["kept"]


@pytest.mark.parametrize("place", ["state", "batch", "epoch", "end"])
def test_event_files_fail_in_one_line(full, place):
    folder, said, _ = full
    assert said[place] == (
        f"Cannot write {folder / place}: File too large. Free space or choose another folder."
    )


def test_commands_say_in_one_line_what_nobody_caught(full):
    _, _, process = full
    lines = [line for line in process.stderr.splitlines() if line.startswith("medgan: ")]
    assert process.returncode == 1
    assert lines == ["medgan: Cannot write: File too large. Free space or choose another folder."]
    assert "Traceback" not in process.stderr
