import json
import logging
import os
import socket
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from medgan import workers
from medgan.errors import MedganError, RecipeError


@pytest.fixture(autouse=True)
def unannounced(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")


def free_addresses(count):
    """Ports of this machine that nobody has."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{holder.getsockname()[1]}" for holder in holders]
    for holder in holders:
        holder.close()
    return addresses


def test_announced_workers_are_in_tensorflows_own_words():
    workers.announce_workers("a:1, b:2", 1)
    assert json.loads(os.environ["TF_CONFIG"]) == {
        "cluster": {"worker": ["a:1", "b:2"]},
        "task": {"type": "worker", "index": 1},
    }
    assert workers.announced() == (["a:1", "b:2"], 1)


@pytest.mark.parametrize(
    ("names", "index", "message"),
    [
        ("a:1,b:2", None, "both or neither"),
        (None, 0, "both or neither"),
        ("a:1", 0, "expected two or more"),
        ("a:1,a:1", 0, "each worker once"),
        ("a:1,b:2", 2, "received 2, expected 0 to 1"),
        ("a:1,b:2", -1, "received -1, expected 0 to 1"),
        ("a:1,b", 0, "received 'b', expected host:port"),
        ("a:1,b:x", 0, "received 'b:x', expected host:port"),
        ("a:1,:2", 0, "received ':2', expected host:port"),
        ("a:1,b:70000", 0, "received 'b:70000', expected host:port"),
        ("a:1,", 0, "received '', expected host:port"),
    ],
)
def test_wrong_words_for_workers_are_refused(names, index, message):
    with pytest.raises(RecipeError, match=message):
        workers.announce_workers(names, index)
    assert os.environ["TF_CONFIG"] == ""


def test_announcing_does_not_load_tensorflow():
    check = (
        "from medgan.devices import announce_workers; announce_workers('a:1,b:2', 0);"
        "import sys; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_chief_of_a_scheduler_comes_first(monkeypatch):
    cluster = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert workers.announced() == (["a:1", "b:2", "c:3"], 1)


@pytest.mark.parametrize("cluster", [{}, {"worker": ["a:1"]}])
def test_one_worker_is_none(monkeypatch, cluster):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster}))
    assert workers.announced() == ([], 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a cluster"),
        ("[1]", "expected a cluster"),
        ('{"cluster": {"worker": ["a:1", "b:2"]}}', "expected a cluster"),
        (
            '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 5}}',
            "expected a cluster",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:2"], "ps": ["c:3"]},'
            ' "task": {"type": "worker", "index": 0}}',
            "expected only chief and worker",
        ),
    ],
)
def test_a_damaged_tf_config_is_refused(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RecipeError, match=message):
        workers.announced()


def in_threads(addresses, lists=None):
    """Lets all workers meet; returns what each of them raised, or None."""
    raised = [None] * len(addresses)

    def one(index):
        try:
            workers.meet(lists[index] if lists else addresses, index, seconds=20)
        except MedganError as error:
            raised[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(addresses))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_workers_meet_and_leave_their_ports():
    addresses = free_addresses(3)
    assert in_threads(addresses) == [None] * 3
    assert not any(workers.reachable(address) for address in addresses)


def test_workers_with_different_lists_do_not_meet():
    first, second, other = free_addresses(3)
    raised = in_threads([first, second], [[first, second], [first, second, other]])
    assert isinstance(raised[0], RecipeError)
    assert f"--workers {first},{second},{other}" in str(raised[0])


def test_a_worker_that_refuses_another_says_so_to_it():
    first, second, third = free_addresses(3)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(10)
        sender = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        hello = json.dumps({"workers": [sender, second], "index": 0}).encode() + b"\n"
        refused = []

        def refuse():
            try:
                workers.meet([first, second, third], 1, seconds=10)
            except RecipeError as error:
                refused.append(str(error))

        thread = threading.Thread(target=refuse)
        thread.start()
        while not workers.reachable(second):
            pass
        assert workers._reach(second, hello)
        with elsewhere.accept()[0] as connection:
            said = json.loads(connection.makefile("rb").readline())
        thread.join()
    assert said == {"workers": [first, second, third], "index": 1}
    assert f"--workers {sender},{second}, here it is" in refused[0]


def test_a_worker_that_does_not_come_is_named(caplog):
    addresses = free_addresses(2)
    with (
        pytest.raises(MedganError, match=rf"worker 1 \({addresses[1]}\), expected all"),
        caplog.at_level(logging.WARNING),
    ):
        workers.meet(addresses, 0, seconds=0.5)


def test_a_stranger_does_not_disturb_the_meeting():
    addresses, done = free_addresses(2), []

    def disturb():
        while not workers.reachable(addresses[0]):
            pass
        with socket.create_connection(workers._split(addresses[0])) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        done.append("disturbed")
        workers.meet(addresses, 1, seconds=5)
        done.append("met")

    thread = threading.Thread(target=disturb)
    thread.start()
    workers.meet(addresses, 0, seconds=5)
    thread.join()
    assert done == ["disturbed", "met"]


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(MedganError, match=f"Cannot listen on port {port}"):
            workers.meet([f"127.0.0.1:{port}", "127.0.0.1:1"], 0)


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.UnavailableError(None, None, "Socket closed"),
        tf.errors.AbortedError(None, None, "x"),
        tf.errors.DeadlineExceededError(None, None, "Heartbeat"),
        tf.errors.InternalError(None, None, "x"),
        tf.errors.CancelledError(None, None, "x"),
    ],
)
def test_errors_of_communication_name_a_worker_that_is_gone(error):
    addresses = free_addresses(3)
    with socket.create_server(("127.0.0.1", int(addresses[1].rpartition(":")[2]))):
        line = workers.lost_worker(error, addresses, 0)
    assert line.startswith(f"Worker 2 ({addresses[2]}) was lost")
    assert "\n" not in line and "--resume" in line


def test_a_worker_that_hangs_is_named_by_what_tensorflow_says():
    message = "Error reported from /job:worker/task:1: /job:worker/replica:0/task:1 are unhealthy"
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        error = tf.errors.UnavailableError(None, None, message)
        line = workers.lost_worker(error, ["127.0.0.1:1", address], 0)
    assert line.startswith(f"Worker 1 ({address}) was lost")


def test_other_errors_are_not_taken_for_a_loss():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        addresses = ["127.0.0.1:1", f"127.0.0.1:{holder.getsockname()[1]}"]
        internal = tf.errors.InternalError(None, None, "cuDNN")
        assert workers.lost_worker(internal, addresses, 0) is None
    assert workers.lost_worker(ValueError("x"), free_addresses(2), 0) is None
    shapes = tf.errors.InvalidArgumentError(None, None, "shapes")
    assert workers.lost_worker(shapes, free_addresses(2), 0) is None


@pytest.mark.parametrize(
    "inside",
    [
        "workers.watchdog(['127.0.0.1:1', '127.0.0.1:2'], 0, seconds=0.2)",
        "workers.deadline(0.2, 'Worker 1 (127.0.0.1:2) was lost, too late')",
    ],
)
def test_what_hangs_is_ended_with_one_line(inside):
    code = f"from medgan import workers\nimport time\nwith {inside}: time.sleep(60)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Worker 1 (127.0.0.1:2) was lost")
    assert ended.stderr.count("\n") == 1


def test_the_watchdog_sleeps_while_all_live_and_after_the_end(monkeypatch):
    said = []
    monkeypatch.setattr(workers, "leave", said.append)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with workers.watchdog(["127.0.0.1:1", address], 0, seconds=0.2):
            threading.Event().wait(0.6)
    threading.Event().wait(0.4)
    assert not said


def test_waiting_for_the_end_ends_when_nobody_listens_any_more(monkeypatch):
    answers, waited = [True, True, False], []
    monkeypatch.setattr(workers, "reachable", lambda address: answers.pop(0))
    monkeypatch.setattr(workers.time, "sleep", waited.append)
    workers.wait_for_end("here:1")
    assert answers == [] and waited == [1, 1]
