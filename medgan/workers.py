"""Processes on several machines that train together: who they are, and whether all still live."""

import contextlib
import json
import logging
import os
import re
import socket
import sys
import threading
import time

from medgan.errors import MedganError, RecipeError

_logger = logging.getLogger(__name__)

START_LIMIT = 600.0
# TensorFlow itself notices a lost worker within 17 seconds; this is for the day it does not.
LOST_LIMIT = 45.0
PROBE_EVERY = 5.0
AGAIN = "Start all workers again with --resume."


def announce_workers(workers, index):
    """Tells TensorFlow which processes train together, as `TF_CONFIG` in this one's environment.

    To be called before TensorFlow computes anything; it does not load TensorFlow.

    Args:
        workers: `host:port,host:port`, the same on every worker. The first is the chief, who
            writes the run folder.
        index: which of them this process is, from 0.

    Raises:
        RecipeError: if one of the two is missing or malformed, there are fewer than two workers,
            or one of them comes twice.

    Example:
        >>> import os
        >>> from medgan.devices import announce_workers
        >>> announce_workers("10.0.0.1:2222,10.0.0.2:2222", 1)
        >>> os.environ.pop("TF_CONFIG")
        '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 1}}'
    """  # noqa: E501
    if workers is None or index is None:
        raise RecipeError(
            f"Received --workers {workers} and --worker-index {index}, expected both or neither."
        )
    addresses = [address.strip() for address in workers.split(",")]
    for address in addresses:
        _split(address)
    if len(addresses) < 2:
        raise RecipeError(f"--workers: received {workers!r}, expected two or more. Leave it out.")
    if len(set(addresses)) < len(addresses):
        raise RecipeError(f"--workers: received {workers!r}, expected each worker once.")
    if not 0 <= index < len(addresses):
        raise RecipeError(
            f"--worker-index: received {index}, expected 0 to {len(addresses) - 1}, "
            f"for there are {len(addresses)} workers."
        )
    task = {"type": "worker", "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})


def announced():
    """Who trains together, as `TF_CONFIG` says it.

    Returns:
        `(addresses, index)`, the chief first; `([], 0)` where there are not two workers.

    Raises:
        RecipeError: if `TF_CONFIG` is no such text, or has tasks that do not train alike.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        return [], 0
    try:
        config = json.loads(text)
        cluster = config.get("cluster", {})
        jobs = {job: list(cluster[job]) for job in cluster}
        addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
        if len(addresses) < 2:
            return [], 0
        kind, index = config["task"]["type"], int(config["task"]["index"])
        address = jobs[kind][index]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecipeError(
            f"TF_CONFIG: received {text!r}, expected a cluster of workers and a task. "
            "Unset it, or use --workers and --worker-index."
        ) from error
    if jobs.keys() - {"chief", "worker"}:
        raise RecipeError(
            f"TF_CONFIG: received the jobs {', '.join(jobs)}, expected only chief and worker. "
            "Use --workers and --worker-index."
        )
    for one in addresses:
        _split(one)
    return addresses, addresses.index(address)


def meet(addresses, index, seconds=START_LIMIT):
    """Waits until every worker is there, before TensorFlow waits in a way that no Ctrl-C ends.

    Each worker listens on its own port until it has heard from all and all have heard from it,
    then leaves the port to TensorFlow.

    Args:
        addresses: `host:port` of all workers.
        index: which of them this process is.
        seconds: how long to wait.

    Raises:
        MedganError: if the own port is taken, or somebody is still missing at the end.
        RecipeError: if another worker was started with another list.
    """
    hello = json.dumps({"workers": addresses, "index": index}).encode() + b"\n"
    others = set(range(len(addresses))) - {index}
    unreached, unheard = set(others), set(others)
    started = time.monotonic()
    said = 0.0
    with contextlib.closing(_listener(addresses[index])) as listener:
        while unreached or unheard:
            unreached = {other for other in unreached if not _reach(addresses[other], hello)}
            with contextlib.suppress(TimeoutError):
                unheard.discard(_heard(listener, addresses, hello))
            waited = time.monotonic() - started
            missing = ", ".join(
                f"worker {other} ({addresses[other]})" for other in sorted(unreached | unheard)
            )
            if missing and waited > seconds:
                raise MedganError(
                    f"Waited {waited:.0f} seconds for {missing}, expected all workers to be "
                    "started by then. Start each with its own --worker-index; look at firewalls."
                )
            if missing and waited > said + 5:
                _logger.warning("Waiting for %s", missing)
                said = max(2 * waited, 5.0)


def _listener(address):
    port = _split(address)[1]
    try:
        if socket.has_dualstack_ipv6():
            listener = socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
            )
        else:
            listener = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise MedganError(
            f"Cannot listen on port {port} of {address}: {error.strerror or error}. End the "
            "process that has it, or choose another port in --workers."
        ) from error
    listener.settimeout(0.2)
    return listener


def _reach(address, hello):
    try:
        with socket.create_connection(_split(address), timeout=2) as connection:
            connection.sendall(hello)
    except OSError:
        return False
    return True


def _heard(listener, addresses, hello):
    """Index of a worker that says hello; None for a stranger."""
    connection, (host, *_) = listener.accept()
    with connection:
        connection.settimeout(2)
        try:
            said = json.loads(connection.makefile("rb").readline(65536))
            theirs, index = said["workers"], said["index"]
            sender = theirs[index]
        except (OSError, ValueError, TypeError, LookupError):
            return None
    if theirs != addresses:
        with contextlib.suppress(RecipeError):  # of a stranger, it may be no address
            _reach(str(sender), hello)  # or it waits for one that has left
        raise RecipeError(
            f"The worker on {host} was started with --workers {','.join(theirs)}, here it is "
            f"{','.join(addresses)}; expected the same on all."
        )
    return index


def reachable(address, timeout=3.0):
    """Whether a worker's process still holds its port."""
    try:
        socket.create_connection(_split(address), timeout=timeout).close()
    except OSError:
        return False
    return True


def lost_worker(error, addresses, index):
    """What to say if an error in a training of several workers means that one is gone.

    Args:
        error: an exception that came out of `fit`.
        addresses: `host:port` of all workers.
        index: which of them this process is.

    Returns:
        The line for the user, or None if it is an error of another kind.
    """
    import tensorflow as tf

    sure = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
    unsure = (tf.errors.InternalError, tf.errors.CancelledError, tf.errors.FailedPreconditionError)
    if not isinstance(error, (*sure, *unsure)):
        return None
    others = [other for other in range(len(addresses)) if other != index]
    gone = [other for other in others if not reachable(addresses[other])]
    if not gone:  # it hangs: its port is still there
        named = {int(task) for task in re.findall(r"/job:worker[^ ]*/task:(\d+)", str(error))}
        gone = sorted(named & set(others))
    if isinstance(error, unsure) and not gone:
        return None
    who = " and ".join(f"worker {other} ({addresses[other]})" for other in gone) or "A worker"
    verb = "were" if len(gone) > 1 else "was"
    return f"{who[0].upper()}{who[1:]} {verb} lost; the last checkpoint is kept. {AGAIN}"


@contextlib.contextmanager
def watchdog(addresses, index, seconds=LOST_LIMIT):
    """Ends this process if another has been gone for long and TensorFlow has said nothing.

    An operation that waits for the lost worker cannot be interrupted from Python, so the process
    leaves at once, with one line on standard error and exit code 1.

    Args:
        addresses: `host:port` of all workers.
        index: which of them this process is.
        seconds: how long a worker may be gone.
    """
    over = threading.Event()
    others = [other for other in range(len(addresses)) if other != index]

    def watch():
        seen = {other: time.monotonic() for other in others}
        while not over.wait(min(PROBE_EVERY, seconds / 4)):
            for other in others:
                if reachable(addresses[other]):
                    seen[other] = time.monotonic()
                elif time.monotonic() - seen[other] > seconds and not over.is_set():
                    leave(
                        f"Worker {other} ({addresses[other]}) was lost {seconds:.0f} seconds "
                        f"ago; the last checkpoint is kept. {AGAIN}"
                    )

    threading.Thread(target=watch, name="medgan-watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def deadline(seconds, line):
    """Ends this process with one line if what is inside takes longer; see `watchdog`."""
    timer = threading.Timer(seconds, leave, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def leave(line):
    """Writes a line on standard error and ends the process at once with exit code 1."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    os._exit(MedganError.exit_code)


def wait_for_end(address):
    """Waits until the process of another worker, the chief, has ended."""
    while reachable(address):
        time.sleep(1)


def _split(address):
    """Returns `(host, port)`.

    Raises:
        RecipeError: if the text is no `host:port`.
    """
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise RecipeError(
            f"--workers: received {address!r}, expected host:port such as 10.0.0.1:2222."
        )
    return host.strip("[]"), int(port)
