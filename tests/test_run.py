import json
import subprocess

import pytest

from medgan.errors import MedganError, RecipeError
from medgan.run import FLAGS, RunFolder, environment, write_json


def test_environment_needs_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = environment()
    assert found["git"] is None and found["dirty"] is None


def test_environment_holds_the_flags_that_are_set_and_no_others(monkeypatch):
    for name in FLAGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XLA_FLAGS", "--x=1")
    assert environment()["flags"] == {"XLA_FLAGS": "--x=1"}


def test_environment_knows_changed_files(monkeypatch):
    said = {"rev-parse": "abc\n", "status": " M medgan/run.py\n"}

    def git(command, **kwargs):
        return subprocess.CompletedProcess(command, 0, stdout=said[command[3]])

    monkeypatch.setattr("medgan.run.pathlib.Path.exists", lambda path: True)
    monkeypatch.setattr("medgan.run.subprocess.run", git)
    assert (environment()["git"], environment()["dirty"]) == ("abc", True)
    said["status"] = ""
    assert environment()["dirty"] is False


def test_environment_can_be_written_where_there_is_no_gpu(tmp_path):
    write_json(tmp_path / "environment.json", environment())
    found = json.loads((tmp_path / "environment.json").read_text())
    assert isinstance(found["device_details"], list)


def test_latest_is_the_newest_of_all_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        run = RunFolder.create(name)
        (run.path / "recipe.toml").touch()
    assert RunFolder.open().path.resolve() == run.path.resolve()


def test_a_folder_that_holds_a_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.toml").touch()
    with pytest.raises(RecipeError, match="holds a run already"):
        RunFolder.create("x", tmp_path / "out")


def test_a_file_called_runs_does_not_stop_a_run_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    assert RunFolder.create("x", tmp_path / "out").path.is_dir()


def test_a_json_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MedganError, match="Cannot write"):
        write_json(tmp_path / "file" / "x.json", {})
