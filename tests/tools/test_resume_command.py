import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from medgan.experiment import Experiment
from medgan.recipe import read_recipe
from medgan.recipe.reading import reread_recipe
from medgan.resume import check_fingerprint, fingerprint, write_fingerprint
from medgan.run import RunFolder, write_json
from medgan.tools.train import main
from medgan.training import StageTraining
from medgan.training_state import read_notes

STAGES = ("teacher", "student")

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def settings(tiny):
    return [*tiny, "teacher.steps=4", "distillation.steps=4", "training.best_score=sf"]


def begin(folder, settings):
    """A run folder as the command leaves it before the first step."""
    recipe = read_recipe("kgan", settings)
    experiment = Experiment(recipe)
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(recipe.text)
    write_json(folder / "overrides.json", recipe.overrides)
    write_json(folder / "environment.json", {})
    run = RunFolder(folder)
    write_fingerprint(run, experiment.fingerprint)
    return experiment, run


def train(experiment, run, names, further=()):
    for name in names:
        StageTraining(experiment, experiment.stage(name), run, further).train()


class Killed(BaseException):
    """What no code expects."""


class KillAt:
    """A callback that ends the process's work like a kill: nothing is saved, nobody is asked."""

    def __new__(cls, step):
        import keras

        def end(batch, logs=None):
            callback.seen += 1
            if callback.seen == step:
                raise Killed

        callback = keras.callbacks.LambdaCallback(on_train_batch_end=end)
        callback.seen = 0
        return callback


@pytest.fixture(scope="module")
def whole(tmp_path_factory, settings, eagerly):
    """An uninterrupted run of two stages."""
    experiment, run = begin(tmp_path_factory.mktemp("whole") / "run", settings)
    train(experiment, run, STAGES)
    return run


def test_run_killed_in_both_stages_is_the_uninterrupted_one(whole, tmp_path, settings):
    experiment, run = begin(tmp_path / "run", settings)
    # Checkpoints come every second step: each kill loses one, of the teacher, then of the student,
    # which has a checkpoint and lines by then. (The count of steps is put back too.)
    for step in (3, 7):
        with pytest.raises(Killed):
            train(experiment, run, STAGES, [KillAt(step)])
        experiment = Experiment(read_recipe("kgan", settings))
    train(experiment, run, STAGES, [KillAt(None)])
    for name in STAGES:
        archives = [np.load(each.path / f"checkpoints/{name}/last.npz") for each in (whole, run)]
        members = [key for key in archives[0].files if key.endswith(".npy") or key.isdigit()]
        assert len(members) > 20
        for key in members:
            assert_array_equal(archives[0][key], archives[1][key], err_msg=f"{name} {key}")
    lines = [(each.path / "metrics.jsonl").read_text().splitlines() for each in (whole, run)]
    assert lines[0] == lines[1]


def failed(words, code=2):
    """Runs the command, expects an exit code and one line, and returns the line."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, (result.output, result.exception)
    lines = [line for line in result.stderr.splitlines() if line.startswith("medgan: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def begun(tmp_path, settings, monkeypatch):
    """A run that was begun, in the folder of the newest runs."""
    monkeypatch.chdir(tmp_path)
    return begin(tmp_path / "runs" / "kgan" / "one", settings)[1]


def test_a_changed_recipe_is_refused_with_the_difference(begun):
    line = failed(["--resume", "--set", "teacher.adversarial_weight=0.3"])
    assert "teacher.adversarial_weight was 0.1 and is 0.3" in line


def test_changed_data_are_refused_with_the_difference(begun):
    path = begun.path / "fingerprint.json"
    found = json.loads(path.read_text())
    names = list(found["data"])
    found["data"][names[0]][1] = "0"
    found["data"]["gone.png"] = ["p", "0"]
    del found["data"][names[1]]
    write_json(path, found)
    line = failed(["--resume", str(begun.path)])
    assert "1 of 6 pairs are gone: gone.png" in line
    assert f"1 of 6 pairs are new: {names[1]}" in line
    assert f"1 of 6 pairs are changed: {names[0]}" in line


def test_another_major_version_is_refused(begun):
    path = begun.path / "fingerprint.json"
    found = json.loads(path.read_text())
    write_json(path, {**found, "medgan": "9.0.0"})
    assert "medgan was 9.0.0 and is" in failed(["--resume", str(begun.path)])


def test_moved_data_are_no_difference():
    from medgan.resume import differences

    class Recipe:
        tables = {"data": {"root": "/here", "crop": 3}}

    class Moved:
        tables = {"data": {"root": "/there", "crop": 3}}

    class Pairs:
        names, patients, images = ("a",), ("1",), (np.zeros((2, 2, 2), "uint8"),)

    assert differences(*(fingerprint(r, Pairs, "float32") for r in (Recipe, Moved))) == []


def test_a_run_that_is_being_trained_is_refused(begun):
    with begun.locked():
        line = failed(["--resume", str(begun.path)])
    assert f"is being trained by process {os.getpid()}" in line


def test_a_finished_run_is_not_trained_again(begun):
    begun.finish({"run": "x", "scores": {"student": {"sf": 1.0}}})
    result = CliRunner().invoke(main, ["--resume", str(begun.path), "--json"])
    assert result.exit_code == 0
    expected = {"run": str(begun.path), "scores": {"student": {"sf": 1.0}}}
    assert json.loads(result.stdout) == expected
    assert "There is no unfinished run" in failed(["--resume"])


def test_what_cannot_be_resumed_is_said(tmp_path, monkeypatch, begun):
    assert "neither a recipe nor --resume" in failed([])
    assert "with --resume" in failed(["--resume", str(begun.path), "--output", "x"])
    assert "not a run folder" in failed(["--resume", str(tmp_path)])
    assert "no run folder kgam" in failed(["--resume", "kgam"])
    (begun.path / "fingerprint.json").unlink()
    assert "Cannot compare with" in failed(["--resume", str(begun.path)])


@pytest.mark.parametrize(
    "words", [("kgan", "latest unfinished run"), (None, "kgan"), (None, "latest unfinished run")]
)
def test_latest_unfinished_run_of_the_recipe_is_found(begun, words):
    from medgan.tools.train import _what_to_train

    later = begun.path.with_name("two")
    shutil.copytree(begun.path, later)
    RunFolder(later).finish({})
    other = begun.path.parents[1] / "other" / "three"
    if words[0] or words[1] == "kgan":
        shutil.copytree(begun.path, other)
    recipe, run = _what_to_train(*words, None, ())
    assert recipe.name == "kgan"
    assert run.path.resolve() == begun.path.resolve()


def test_what_is_done_about_a_divergence_may_change(begun):
    recipe, run = reread_recipe(begun.path, ["divergence.policy=rollback"]), begun
    check_fingerprint(run, Experiment(recipe).fingerprint)


@pytest.mark.slow
def test_interrupted_run_is_saved_and_goes_on(tmp_path, settings):
    run = tmp_path / "out"
    words = [word for setting in settings for word in ("--set", setting)]
    words += ["--set", "teacher.steps=100000", "--output", str(run)]
    command = [sys.executable, "-c", "from medgan.tools.train import main; main()", "kgan"]
    process = subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True)
    last = run / "checkpoints" / "teacher" / "last.npz"
    try:
        deadline = time.monotonic() + 120
        while not last.exists() or read_notes(last)["step"] < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=180)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    step = read_notes(last)["step"]
    assert f"stage teacher is saved at step {step}. Go on with: medgan-train --resume" in errors
    assert "Traceback" not in errors
