"""Cells to processes: which runs next, which wait for their teacher, and what came of them."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading

from medgan.errors import MedganError

BYTES_PER_WORKER = 2 * 1024**3


def default_jobs(cells):
    """How many processes to use: one for each core that is ours, as far as memory goes.

    Args:
        cells: number of cells; more processes would have nothing to do.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, _free_bytes() // BYTES_PER_WORKER, cells))


def default_threads(jobs):
    """Threads for each of some processes, so that all together take the cores there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) // jobs)


def _free_bytes():
    with contextlib.suppress(OSError, StopIteration):  # what caches hold is free as well
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(available.split()[1])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not on this system
        return 2**62


class Queue:
    """The cells still to run, for several workers.

    A worker goes on with the method that it has compiled; else it takes one that no other worker
    is at. Cells whose teacher is missing wait.

    Args:
        cells: the cells to run, in order.
        teacher: function from a cell to the cell that must be done before it, or None.
    """

    def __init__(self, cells, teacher):
        self.waiting = list(cells)
        self.teacher = teacher
        self.running = {}
        self._last = {}

    def take(self, worker):
        """The next cell of a worker, which becomes its running one; None if none is ready."""
        left = {*self.waiting, *(cell for cell in self.running.values() if cell is not None)}
        ready = [cell for cell in self.waiting if self.teacher(cell) not in left]
        last = self._last.get(worker)
        others = {cell.method for name, cell in self.running.items() if cell and name != worker}
        for wanted in (
            [cell for cell in ready if last is not None and cell.method == last.method],
            [cell for cell in ready if cell.method not in others],
            ready,
        ):
            if wanted:
                self.waiting.remove(wanted[0])
                self.running[worker] = wanted[0]
                return wanted[0]
        self.running[worker] = None
        return None

    def done(self, worker):
        """Says that a worker's cell is finished."""
        self._last[worker] = self.running[worker]
        self.running[worker] = None


class Worker:
    """A process of `medgan.comparison.worker`.

    Args:
        tables: the settled tables of the protocol.
        output: folder of the comparison.
        threads: how many threads it may use.
        log: file that takes what it prints.
    """

    def __init__(self, tables, output, threads, log):
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(self.log, "a", encoding="utf-8") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "medgan.comparison.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment,
            )
        self._say(
            {
                "tables": tables,
                "output": str(output),
                "threads": threads,
                "path": [os.getcwd()],  # where own modules of the recipe are
            }
        )

    def _say(self, request):
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()

    def ask(self, action, cell):
        """Lets the process do something with a cell and waits for the answer.

        Raises:
            MedganError: if that failed, or the process ended.
        """
        self._say({"action": action, "cell": [cell.method, cell.seed, cell.fold]})
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            reason = "killed, perhaps for want of memory" if code == -9 else f"exit code {code}"
            raise MedganError(
                f"The process that ran {cell.method}, seed {cell.seed}, fold {cell.fold + 1} ended "
                f"({reason}); its last words are in {self.log}. Finished cells are kept: run the "
                "same command again, with fewer --jobs if memory was short."
            )
        answer = json.loads(line)
        if "error" in answer:
            error = MedganError(answer["error"])
            error.exit_code = answer["exit_code"]
            raise error
        return answer["result"]

    def stop(self):
        """Ends the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()


def run_cells(cells, workers, teacher=lambda cell: None, action="run", on_done=None):
    """Lets workers take cells until none is left.

    Args:
        cells: the cells, in order.
        workers: functions that start a `Worker` each.
        teacher: function from a cell to the cell that must be done before it, or None.
        action: `"run"` or `"measure"`.
        on_done: called with every finished cell and its result, one at a time.

    Returns:
        Cell to its result.

    Raises:
        MedganError: the first that a worker meets; the others are ended, their cells are lost.
        KeyboardInterrupt: after Ctrl-C, when the workers are ended.
    """
    queue, changed = Queue(cells, teacher), threading.Condition()
    results, errors, started = {}, [], []

    def work(name, start):
        worker = None
        try:
            worker = start()
            started.append(worker)
            while True:
                with changed:
                    while (cell := queue.take(name)) is None and queue.waiting and not errors:
                        changed.wait()
                    if cell is None or errors:
                        return
                result = worker.ask(action, cell)
                with changed:
                    queue.done(name)
                    results[cell] = result
                    if on_done is not None:
                        on_done(cell, result)
                    changed.notify_all()
        except Exception as error:  # a thread has nobody to catch it
            with changed:
                errors.append(error)
                changed.notify_all()
        finally:
            if worker is not None:
                worker.stop()

    threads = [
        threading.Thread(target=work, args=numbered, daemon=True) for numbered in enumerate(workers)
    ]
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not errors:
            for thread in threads:
                thread.join(0.1)
    finally:
        for worker in started:
            worker.stop()
        for thread in threads:
            thread.join(5)
    if errors:
        raise errors[0]
    return results
