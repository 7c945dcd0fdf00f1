import errno
import json
import os
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.testing import assert_array_equal

from medgan.errors import RecipeError
from medgan.training_state import (
    DamagedCheckpoint,
    load_state,
    optimizers_of,
    read_notes,
    save_state,
    step_of,
    variables_of,
)


class Pair(keras.Model):
    """Two players with an optimizer each; weights of several types, and seeds."""

    def __init__(self, width=2):
        super().__init__()
        self.one = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(width, dtype="bfloat16"),
                keras.layers.Dropout(0.5, seed=1),
                keras.layers.Dense(1, dtype="float16"),
            ]
        )
        self.other = keras.Sequential(
            [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        )
        self.compile(keras.optimizers.Adam(0.1, use_ema=True), "mse", metrics=["mae"])
        inner = keras.optimizers.SGD(0.2, momentum=0.5)
        self.second_optimizer = keras.optimizers.LossScaleOptimizer(inner)
        self.optimizer.build(self.one.trainable_variables)
        self.second_optimizer.build(self.other.trainable_variables)

    def call(self, inputs):
        return self.one(inputs) + self.other(inputs)


def shaken(model, seed=0):
    """Gives every variable another value."""
    rng = np.random.default_rng(seed)
    for _, variable in variables_of(model):
        variable.assign(rng.integers(1, 100, variable.shape))
    return model


def values(model):
    return [np.array(ops.convert_to_numpy(variable)) for _, variable in variables_of(model)]


def assert_same(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.fixture
def saved(tmp_path):
    model = shaken(Pair())
    path = tmp_path / "state.npz"
    save_state(path, model, {"epoch": 3, "score": 0.1})
    return path, model


def test_everything_that_moves_is_there_once():
    model = Pair()
    names = [name for name, _ in variables_of(model)]
    variables = [variable for _, variable in variables_of(model)]
    assert len({id(variable) for variable in variables}) == len(variables)
    wanted = [
        *model.weights,
        model.one.layers[1].seed_generator.state,
        *model.optimizer.variables,
        *model.second_optimizer.variables,  # those of the loss scale
        *model.second_optimizer.inner_optimizer.variables,
    ]
    assert {id(variable) for variable in variables} == {id(variable) for variable in wanted}
    assert [name.split("/")[0] for name in names[-20:]].count("second_optimizer") >= 10
    for text in ("average", "momentum", "dynamic_scale", "seed_generator", "iteration"):
        assert any(text in name for name in names), text


def test_optimizers_in_containers_are_there_once():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    one, two, three, four = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(4))
    model.critics = {"b": one, "a": two, "rate": 0.1}
    model.all_optimizers = [model.optimizer, three, "none"]
    model.frozen = (four, [keras.optimizers.SGD()])
    found = optimizers_of(model)
    assert [name for name, _ in found] == [
        "optimizer",
        "all_optimizers[1]",
        "critics['a']",
        "critics['b']",
        "frozen[0]",
    ]
    expected = [model.optimizer, three, two, one, four]
    assert all(optimizer is wanted for (_, optimizer), wanted in zip(found, expected, strict=True))


def test_state_of_optimizers_in_containers_comes_back(tmp_path):
    def model():
        made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        made.compile("sgd", "mse")
        made.players = [keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.2)]
        for optimizer in (made.optimizer, *made.players):
            optimizer.build(made.trainable_variables)
        return made

    trained, other = shaken(model()), model()
    save_state(tmp_path / "state.npz", trained, {})
    load_state(tmp_path / "state.npz", other)
    for ours, theirs in zip(trained.players, other.players, strict=True):
        assert len(ours.variables) == 6  # iteration, rate, two moments of two variables
        for variable, restored in zip(ours.variables, theirs.variables, strict=True):
            assert_array_equal(variable.numpy(), restored.numpy())


def test_state_comes_back_bit_for_bit_in_another_model(saved):
    path, model = saved
    other = Pair()
    assert load_state(path, other) == {"epoch": 3, "score": 0.1} == read_notes(path)
    assert {"bfloat16", "float16", "float32"} <= {value.dtype.name for value in values(other)}
    assert_same(values(other), values(model))


def test_numpy_alone_reads_the_file(saved):
    path, model = saved
    arrays = np.load(path)
    described = json.loads(zipfile.ZipFile(path).read("state.json"))
    assert described["format"] == 1 and described["notes"] == {"epoch": 3, "score": 0.1}
    assert len(described["variables"]) == len(values(model))
    for index, ((_, shape, dtype), value) in enumerate(
        zip(described["variables"], values(model), strict=True)
    ):
        stored = arrays[f"{index:04d}"]
        assert list(stored.shape) == shape and value.dtype.name == dtype
        assert stored.tobytes() == value.tobytes()
        assert stored.dtype.name == ("uint16" if dtype == "bfloat16" else dtype)


def test_the_same_state_is_the_same_file(saved, tmp_path):
    path, model = saved
    save_state(tmp_path / "again.npz", model, {"epoch": 3, "score": np.float64(0.1)})
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_a_file_cut_off_anywhere_is_refused_before_anything_is_assigned(saved):
    path, _ = saved
    content = path.read_bytes()
    model = shaken(Pair(), seed=1)
    before = values(model)
    lengths = np.linspace(0, len(content) - 1, 60).astype(int)
    for length in [*lengths, len(content) - 1, len(content) - 64]:
        path.write_bytes(content[:length])
        with pytest.raises(DamagedCheckpoint, match="no whole checkpoint") as caught:
            load_state(path, model)
        assert "\n" not in str(caught.value)
    assert_same(values(model), before)


def test_a_flipped_byte_anywhere_is_refused_or_changes_nothing(saved):
    path, model = saved
    content, right = path.read_bytes(), values(model)
    other = Pair()
    wrong = values(shaken(other, seed=1))
    refused = 0
    positions = range(0, len(content), max(1, len(content) // 300))
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 0x5A
        path.write_bytes(damaged)
        try:
            # Dates and the like in the zip's directory may be altered: nobody reads them.
            assert load_state(path, other) == {"epoch": 3, "score": 0.1}
        except DamagedCheckpoint:
            assert_same(values(other), wrong)
            refused += 1
        else:
            assert_same(values(other), right)
            shaken(other, seed=1)
    assert refused > len(positions) / 2


def rewritten(path, change):
    """Writes the file again, as a sound zip, with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("0002.npy"),
        lambda members: members.pop("state.json"),
        lambda members: members.update({"0001.npy": members["0002.npy"]}),
        lambda members: members.update(
            {"state.json": members["state.json"].replace(b'"epoch": 3', b'"epoch": 4')}
        ),
    ],
)
def test_missing_or_exchanged_members_are_refused(saved, change):
    path, _ = saved
    rewritten(path, change)
    for read in (read_notes, lambda path: load_state(path, Pair())):
        with pytest.raises(DamagedCheckpoint):
            read(path)


def test_other_shapes_are_refused_with_the_first_difference(saved):
    path, _ = saved
    model = Pair(width=4)
    before = values(model)
    with pytest.raises(RecipeError, match=r"number 0 is .*kernel \(3, 2\) bfloat16, expected .*4"):
        load_state(path, model)
    assert_same(values(model), before)


def test_another_number_of_variables_is_refused(saved):
    path, _ = saved
    model = Pair()
    del model.second_optimizer
    with pytest.raises(RecipeError, match=r"of \d+ variables number \d+ is second.*expected noth"):
        load_state(path, model)


def test_another_format_is_refused(saved, monkeypatch):
    path, model = saved
    monkeypatch.setattr("medgan.training_state.FORMAT", 2)
    save_state(path, model, {})
    monkeypatch.undo()
    with pytest.raises(RecipeError, match=r"format 2, expected 1"):
        load_state(path, model)


def test_notes_that_are_not_plain_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(TypeError, match="plain JSON values"):
        save_state(tmp_path / "state.npz", Pair(), {"path": tmp_path})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["os.fsync", "os.replace", "zipfile.ZipFile.writestr"])
def test_a_full_disk_leaves_the_old_file(saved, monkeypatch, place):
    path, model = saved
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(place, full)
        with pytest.raises(OSError, match="No space left"):
            save_state(path, shaken(model, seed=2), {})
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    assert_array_equal(read_notes(path)["epoch"], 3)


def test_state_of_replicas_comes_back(tmp_path):
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(names) < 2:
        pytest.skip("There is one logical CPU; tests/conftest.py makes two.")

    def model():
        with tf.distribute.MirroredStrategy(names[:2]).scope():
            return Pair()

    trained = model()
    shaken(trained).optimizer.iterations.assign(7)
    assert step_of(trained) == 7
    save_state(tmp_path / "state.npz", trained, {})
    other = model()
    load_state(tmp_path / "state.npz", other)
    assert_same(values(other), values(trained))
    for _, variable in variables_of(other):
        first, second = variable.value.values
        assert first.numpy().tobytes() == second.numpy().tobytes()
