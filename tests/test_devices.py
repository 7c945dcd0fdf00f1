import json
import os
import pathlib
import socket
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from medgan import devices
from medgan.devices import Devices
from medgan.errors import MedganError, RecipeError

TWO_WORKERS = {
    "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
    "task": {"type": "worker", "index": 0},
}


@pytest.fixture(autouse=True)
def unannounced(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")


@pytest.fixture(scope="module")
def mirrored():
    return Devices.choose("mirrored")


def numbered(count, rows):
    """Batches whose images hold the number of their row: 0, 1, 2, ..."""
    numbers = np.arange(count * rows, dtype="float32").reshape(-1, 1)
    return tf.data.Dataset.from_tensor_slices(numbers).batch(rows, drop_remainder=True)


@pytest.mark.parametrize("word", ["auto", "single"])
def test_without_gpus_and_workers_there_is_one_device(word):
    found = Devices.choose(word)
    assert found.strategy is None and found.is_chief
    assert found.to_dict() == {
        "strategy": "single",
        "replicas": 1,
        "workers": 1,
        "worker_index": 0,
    }
    batches = numbered(1, 2)
    assert found.batches(lambda: batches) is batches
    with found.scope(), found.watching(), found.held():
        found.agree(recipe="x")
        found.check_batch(7)


def test_mirrored_takes_all_logical_cpus_where_there_is_no_gpu(mirrored):
    assert mirrored.replicas == 2 and mirrored.workers == 1
    with mirrored.scope():
        assert tf.distribute.get_strategy() is mirrored.strategy


def test_more_than_one_gpu_is_mirrored(monkeypatch):
    gpus = [types.SimpleNamespace(name=f"GPU:{index}") for index in range(3)]
    named = []

    def strategy(names):
        named.extend(names)
        return types.SimpleNamespace(num_replicas_in_sync=len(names))

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", strategy)
    assert Devices.choose("auto").replicas == 3
    assert named == ["GPU:0", "GPU:1", "GPU:2"]
    del gpus[1:]
    assert Devices.choose("auto").strategy is None


@pytest.mark.parametrize(
    ("word", "announced", "message"),
    [
        ("mirror", False, r"'mirror', expected one of auto, single, mirrored, multi_worker"),
        ("multi_worker", False, "without workers.*--workers"),
        ("single", True, "'single' with 2 workers, expected multi_worker"),
        ("mirrored", True, "'mirrored' with 2 workers, expected multi_worker"),
    ],
)
def test_a_strategy_that_does_not_fit_is_refused(monkeypatch, word, announced, message):
    if announced:
        monkeypatch.setenv("TF_CONFIG", json.dumps(TWO_WORKERS))
    with pytest.raises(RecipeError, match=message):
        Devices.choose(word)


def test_jax_has_one_device_and_says_so(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert Devices.choose("auto").replicas == 1
    assert Devices.choose("single").strategy is None
    with pytest.raises(RecipeError, match=r"mirrored with KERAS_BACKEND=jax.*KERAS_BACKEND=tensor"):
        Devices.choose("mirrored")
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO_WORKERS))
    with pytest.raises(RecipeError, match="several workers with KERAS_BACKEND=jax"):
        Devices.choose("auto")


def test_replicas_take_contiguous_rows_of_a_batch(mirrored):
    batches = mirrored.batches(lambda: numbered(2, 4))
    distributed = mirrored.strategy.experimental_distribute_dataset(batches)
    seen = [[value.numpy().ravel().tolist() for value in batch.values] for batch in distributed]
    assert seen == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


@pytest.mark.parametrize("several", [False, True], ids=["tensor", "pair"])
def test_workers_and_their_replicas_take_contiguous_rows(several):
    batches = numbered(2, 8)
    if several:
        batches = batches.map(lambda x: (x, 10 * x))
    seen = []
    for worker in range(2):
        context = types.SimpleNamespace(
            num_replicas_in_sync=4, num_input_pipelines=2, input_pipeline_id=worker
        )
        for element in devices._own_rows(batches, context):
            x, y = element if several else (element, 10 * element)
            assert x.shape == (2, 1)
            np.testing.assert_array_equal(y, 10 * x)
            seen.append(x.numpy().ravel().tolist())
    of_first = [[0, 1], [2, 3], [8, 9], [10, 11]]
    of_second = [[4, 5], [6, 7], [12, 13], [14, 15]]
    assert seen == of_first + of_second


def test_a_batch_that_cannot_be_shared_is_refused(mirrored):
    with pytest.raises(RecipeError, match="received 3 on 2 devices, expected a multiple of 2"):
        mirrored.check_batch(3)
    with pytest.raises(RecipeError, match="received 3 on 2 devices"):
        mirrored.batches(lambda: numbered(1, 3))
    with pytest.raises(ValueError, match="drop_remainder=True"):
        mirrored.batches(lambda: numbered(1, 2).unbatch().batch(2))


def test_sums_are_left_as_they_are_written(monkeypatch):
    options = []
    monkeypatch.setattr(tf.config.optimizer, "set_experimental_options", options.append)
    devices.keep_order()
    assert options == [{"arithmetic_optimization": False}]


def test_determinism_is_asked_of_tensorflow(monkeypatch):
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    options = []
    monkeypatch.setattr(tf.config.optimizer, "set_experimental_options", options.append)
    devices.deterministic()
    assert asked == [True] and options == [{"arithmetic_optimization": False}]


def test_determinism_that_comes_too_late_is_said(monkeypatch):
    def refuse():
        raise RuntimeError("already initialised")

    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", refuse)
    with pytest.raises(MedganError, match="already initialised"):
        devices.deterministic()


def test_determinism_of_jax_is_a_flag_that_is_set_once(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setenv("XLA_FLAGS", "--xla_other=1")
    devices.deterministic()
    devices.deterministic()
    assert os.environ["XLA_FLAGS"] == "--xla_other=1 --xla_gpu_deterministic_ops=true"


WORKER = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from medgan.devices import Devices, announce_workers
from medgan.errors import MedganError
index = int(sys.argv[1])
announce_workers(sys.argv[2], index)
import json
import tensorflow as tf
devices = Devices.choose()
try:
    devices.agree(data="same", recipe=f"recipe {index}")
except MedganError as error:
    print(error, flush=True)
devices.agree(data="same")
batches = devices.batches(
    lambda: tf.data.Dataset.range(3).map(lambda i: 4 * i + tf.range(4, dtype=tf.int64))
)
whole = tf.function(lambda x: devices.strategy.run(
    lambda x: tf.distribute.get_replica_context().all_gather(x + 0, axis=0), args=(x,)
))
own = lambda x: devices.strategy.experimental_local_results(x)[0].numpy().tolist()
try:
    with devices.watching():
        for rows in batches:
            print(json.dumps([own(rows), own(whole(rows))]), flush=True)
        print(json.dumps([int(batches.cardinality), devices.to_dict()]), flush=True)
        if index == 1:
            os._exit(9)
        while True:
            whole(tf.constant([1]))
except MedganError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


TRAINING_WORKER = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from medgan.devices import Devices, announce_workers
announce_workers(sys.argv[2], int(sys.argv[1]))
import json
import keras
import numpy as np
from medgan import losses, models, networks
from medgan.data import phantoms, training_batches
devices = Devices.choose()
pairs = phantoms(count=4, patients=2, image_size=64)
with devices.scope():
    trainer = models.FusionGAN(
        networks.dense_fusion_generator(width=2, dense_layers=1, seed=1),
        networks.modality_discriminator(width=2, seed=2),
        content_loss=losses.StructuralFusionLoss(),
    )
    trainer.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
sums = lambda: [float(np.sum(weight)) for weight in trainer.get_weights()]
before = sums()
with devices.watching():
    batches = devices.batches(lambda: training_batches(pairs, 4, crop=24).take(2))
    trainer.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
print(json.dumps([before, sums()]), flush=True)
"""


def two_workers(script):
    """Runs a script as two workers; returns addresses, lines that each printed, exit codes."""
    addresses = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            addresses.append(f"127.0.0.1:{holder.getsockname()[1]}")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": str(pathlib.Path(devices.__file__).parents[1]),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(index), ",".join(addresses)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(2)
    ]
    try:
        said = [process.communicate(timeout=240)[0].splitlines() for process in processes]
    finally:
        for process in processes:
            process.kill()
    return addresses, said, [process.returncode for process in processes]


@pytest.mark.slow
def test_two_workers_agree_share_batches_and_miss_each_other():
    addresses, said, codes = two_workers(WORKER)
    for index, lines in enumerate(said):
        assert len(lines) == (6 if index == 0 else 5)
        assert lines[0].startswith("Not what worker 0 has: worker 1 (recipe). Expected")
        for step, line in enumerate(lines[1:4]):
            batch = [4 * step, 4 * step + 1, 4 * step + 2, 4 * step + 3]
            assert json.loads(line) == [batch[2 * index : 2 * index + 2], batch]
        count, found = json.loads(lines[4])
        assert count == 3 and found["workers"] == 2 and found["worker_index"] == index
    assert said[0][5].startswith(f"Worker 1 ({addresses[1]}) was lost")
    assert codes == [1, 9]


@pytest.mark.slow
def test_two_workers_train_one_model():
    _, said, codes = two_workers(TRAINING_WORKER)
    assert codes == [0, 0]
    (before, after), others = (json.loads(lines[-1]) for lines in said)
    assert [before, after] == others
    assert before != after and np.isfinite(after).all()
