import pathlib
import re

import keras
import pytest

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.usefixtures("eager_steps")
def test_the_example_of_a_checkpoint_goes_on_where_it_was(tmp_path, monkeypatch):
    code = blocks()[0]
    monkeypatch.chdir(tmp_path)
    for epochs in (2, 3):
        names = {}
        exec(compile(code.replace("epochs=2", f"epochs={epochs}"), "README.md", "exec"), names)
        assert names["checkpoint"].saved_step == 2 * epochs
    assert len(names["model"].history.epoch) == 1


def test_the_example_runs_and_is_short(tmp_path, monkeypatch):
    resumed, code = blocks()
    assert "Checkpoint" in resumed
    assert len(code.strip().splitlines()) <= 25
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert int(names["model"].optimizer.iterations) == 10
    reloaded = keras.models.load_model("student.keras")
    assert reloaded.count_params() == 225


def test_both_commands_are_there_and_ci_runs_them():
    text = README.read_text()
    ci = (README.parent / ".ci" / "run").read_text()
    assert ".venv/bin/medgan-train recipes/kgan.toml" in text
    assert 'medgan-train" recipes/kgan.toml' in ci
    assert "pip install -e '.[test]' && .venv/bin/pytest" in text
    assert "install --quiet -e '.[test]'" in ci
