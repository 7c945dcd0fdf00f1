import pytest

from medgan.errors import MedganError, RecipeError
from medgan.run import RunFolder, environment, write_json


def test_environment_needs_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment()["git"] is None


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
