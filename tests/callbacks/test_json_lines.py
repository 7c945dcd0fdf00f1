import json

import keras
import numpy as np

from medgan.callbacks import JSONLines


def model(steps=0):
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(optimizer="sgd", loss="mse")
    built.optimizer.iterations.assign(steps)
    return built


def strictly(line):
    """Parses JSON as the standard has it: NaN and Infinity are errors."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(line, parse_constant=refuse)


def test_line_holds_step_epoch_logs_and_extras(tmp_path):
    path = tmp_path / "new" / "metrics.jsonl"
    callback = JSONLines(path, stage="teacher")
    callback.set_model(model(steps=7))
    callback.on_epoch_end(2, {"loss": np.float32(0.5), "val_sf": 30})
    assert [strictly(line) for line in path.read_text().splitlines()] == [
        {"stage": "teacher", "step": 7, "epoch": 2, "loss": 0.5, "val_sf": 30.0}
    ]


def test_what_is_not_finite_becomes_null(tmp_path):
    path = tmp_path / "metrics.jsonl"
    callback = JSONLines(path)
    callback.set_model(model())
    callback.on_epoch_end(
        0, {"a": float("nan"), "b": np.float32("inf"), "c": float("-inf"), "d": 0.0}
    )
    record = strictly(path.read_text())
    assert (record["a"], record["b"], record["c"], record["d"]) == (None, None, None, 0.0)


def test_training_appends_one_line_per_epoch(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": -1}\n')
    x, y = np.ones((6, 2), "float32"), np.ones((6, 1), "float32")
    history = model().fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[JSONLines(path)])
    records = [strictly(line) for line in path.read_text().splitlines()]
    assert [record["epoch"] for record in records] == [-1, 0, 1]
    assert [record["step"] for record in records[1:]] == [3, 6]
    assert [record["loss"] for record in records[1:]] == history.history["loss"]


def test_epoch_without_logs_still_has_its_line(tmp_path):
    callback = JSONLines(tmp_path / "metrics.jsonl")
    callback.set_model(model())
    callback.on_epoch_end(0)
    assert strictly((tmp_path / "metrics.jsonl").read_text()) == {"step": 0, "epoch": 0}


def logged(callback, epochs):
    callback.set_model(model())
    for epoch in epochs:
        callback.on_epoch_end(epoch)


def test_own_lines_from_after_a_state_are_cut_off_and_others_stay(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first, second = JSONLines(path, stage="one"), JSONLines(path, stage="two")
    assert first.get_state() == {"lines": 0}
    first.set_state({"lines": 0})  # there is nothing to cut off
    logged(first, [0, 1])
    state = first.get_state()
    logged(second, [0, 1, 2])
    # A process that goes on puts back every stage, those that are done as well.
    first.set_state(state)
    second.set_state({"lines": 1})
    records = [strictly(line) for line in path.read_text().splitlines()]
    found = [(record["stage"], record["epoch"]) for record in records]
    assert found == [("one", 0), ("one", 1), ("two", 0)]


def test_lines_are_known_again_by_fields_that_json_changes(tmp_path):
    callback = JSONLines(tmp_path / "metrics.jsonl", size=(2, 3))
    logged(callback, [0, 1])
    assert callback.get_state() == {"lines": 2}


def test_a_whole_line_of_others_without_an_end_stays(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"mine": 1}')
    JSONLines(path, stage="one").set_state({"lines": 0})
    assert path.read_text() == '{"mine": 1}'


def test_a_line_that_was_cut_off_while_written_goes(tmp_path):
    path = tmp_path / "metrics.jsonl"
    callback = JSONLines(path)
    logged(callback, [0])
    before = path.read_text()
    path.write_text(before + '{"step": 1, "ep')
    callback.set_state({"lines": 1})
    assert path.read_text() == before


def test_a_file_with_lines_missing_is_left_with_a_warning(tmp_path, caplog):
    path = tmp_path / "metrics.jsonl"
    path.write_text("{}\n")
    for missing in (False, True):
        if missing:
            path.unlink()
        JSONLines(path).set_state({"lines": 2})
        assert "expected 2 from before the checkpoint" in caplog.records[-1].getMessage()
    assert len(caplog.records) == 2 and not path.exists()
