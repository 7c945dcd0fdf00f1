import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from medgan.comparison.cell_training import CellTraining
from medgan.comparison.cells import Cell, Plan
from medgan.comparison.protocol import Protocol
from medgan.errors import MedganError
from medgan.tools.compare import main


class InProcess:
    """A worker without a process: starting one takes longer than its cells."""

    asked = []
    interrupt_after = None

    def __init__(self, tables, output, threads, log):
        self.training = CellTraining(Plan(Protocol(tables)), pathlib.Path(output))

    def ask(self, action, cell):
        InProcess.asked.append(cell)
        if len(InProcess.asked) == InProcess.interrupt_after:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)  # until the main thread has seen it
            raise MedganError("The process was ended.")
        return {"run": self.training.run, "measure": self.training.measure}[action](cell)

    def stop(self):
        pass


@pytest.fixture
def asked(monkeypatch, eager_steps):
    """The cells that workers were asked for, in this process."""
    monkeypatch.setattr("medgan.comparison.dispatch.Worker", InProcess)
    monkeypatch.setattr(InProcess, "interrupt_after", None)
    monkeypatch.setattr(InProcess, "asked", [])
    return InProcess.asked


def recipe(folder):
    """A recipe of two methods and a rule; kept apart from that of the other tests."""
    path = folder / "mine.toml"
    path.write_text(
        """
[run]
name = "mine"
seed = 1
[data]
type = "phantoms"
crop = 24
count = 4
patients = 2
image_size = 48
[protocol]
seeds = 1
folds = 2
steps = 1
batch_size = 1
rules = ["average"]
reference = "one"
control = "other"
content_loss = { type = "StructuralFusionLoss" }
optimizer = { type = "Adam" }
discriminator_optimizer = { type = "Adam" }
[networks.small]
type = "dense_fusion_generator"
width = 2
dense_layers = 1
[networks.discriminator]
type = "modality_discriminator"
width = 2
[[methods]]
name = "one"
type = "FusionGAN"
network = "small"
[[methods]]
name = "other"
type = "FusionGAN"
network = "small"
content = false
[quick]
protocol.folds = 1
data.count = 4
"""
    )
    return path


def test_command_runs_goes_on_and_does_nothing_twice(tmp_path, asked):
    words = [str(recipe(tmp_path)), "--output", str(tmp_path / "out"), "--jobs", "1", "--json"]
    first = CliRunner().invoke(main, words)
    assert first.exit_code == 0, (first.output, first.exception)
    printed = json.loads(first.stdout)
    assert set(printed["scores"]) == {"average", "one", "other"}
    main_scores = {"sf", "ssim", "ssim_head", "scd", "qabf", "vif", "mi", "nabf"}
    assert all(set(scores) == main_scores for scores in printed["scores"].values())
    assert printed["verdict"]["sentence"].startswith("Whether distillation helps cannot be told.")
    assert len(asked) == printed["cells"] == 6
    assert "6/6" in first.stderr and "KGAN, as printed" in first.stderr
    again = CliRunner().invoke(main, words)
    assert json.loads(again.stdout)["scores"] == printed["scores"]
    assert len(asked) == 6
    refused = CliRunner().invoke(main, [*words, "--set", "protocol.steps=2"])
    assert refused.exit_code == 2
    assert "protocol.steps was 1 and is 2" in refused.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert "medgan-compare" in page and "Does distillation help?" in page


def test_interrupted_command_keeps_what_is_finished(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(InProcess, "interrupt_after", 3)
    output = tmp_path / "out"
    words = [str(recipe(tmp_path)), "--output", str(output), "--jobs", "1"]
    stopped = CliRunner().invoke(main, words)
    assert stopped.exit_code == 130
    assert "Interrupted; 2 of 6 trainings are kept" in stopped.stderr
    assert not (output / "report.html").exists()


def test_dry_run_tells_the_time_and_writes_nothing(tmp_path, asked, monkeypatch):
    path = recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [str(path), "--dry-run", "--json", "--quick"])
    assert result.exit_code == 0, (result.output, result.exception)
    printed = json.loads(result.stdout)
    assert printed["methods"]["one"]["seconds_per_step"] > 0
    assert printed["methods"]["one"]["cells"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["table2"], 2, "There is no recipe 'table2'"),
        (["table1", "--set", "protocol.stepz=3"], 2, "Did you mean steps"),
        (["table1", "--set", "methods.kgan_studnt.alpha=3"], 2, "kgan_student"),
        (["table1", "--set", "data.type=paired_folders"], 3, "data.root is empty"),
        (["table1", "--set", "data.patients=2"], 3, "2 patients for 3 folds"),
        (["table1", "--set", "data.image_size=32", "--set", "data.crop=24"], 3, "at least 41"),
    ],
)
def test_mistakes_end_in_one_line(words, code, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--set", "data.count=10"]
    result = CliRunner().invoke(main, [*words, *few])
    assert result.exit_code == code, (result.output, result.exception)
    lines = [line for line in result.stderr.splitlines() if line.startswith("medgan: ")]
    assert len(lines) == 1 and says in lines[0]
    assert list(tmp_path.iterdir()) == []


def _finished(output):
    return len(list(output.glob("cells/*/*/*/result.json")))


def _started(path, output):
    command = "import sys; from medgan.tools.compare import main; sys.exit(main())"
    words = [str(path), "--output", str(output), "--jobs", "2", "--seeds", "2", "--json"]
    return subprocess.Popen(
        [sys.executable, "-c", command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_are_killed_go_on_to_the_same_table(tmp_path):
    path = recipe(tmp_path)
    whole = _started(path, tmp_path / "whole")
    expected = json.loads(whole.communicate(timeout=300)[0])
    output = tmp_path / "killed"
    for sign, code, enough in ((signal.SIGKILL, -signal.SIGKILL, 4), (signal.SIGINT, 130, 7)):
        process = _started(path, output)
        while _finished(output) < enough and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(sign)
        process.communicate(timeout=60)
        assert process.returncode == code
        assert enough <= _finished(output) < 12
    again = _started(path, output)
    found = json.loads(again.communicate(timeout=300)[0])
    assert found["scores"] == expected["scores"]
    assert found["verdict"] == expected["verdict"]
    tables = [(tmp_path / name / "table1.md").read_text() for name in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_cells_know_their_folder():
    cell = Cell("one", 3, 0)
    assert cell.folder("out") == pathlib.Path("out/cells/one/seed-3/fold-1")
