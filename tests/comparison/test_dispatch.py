import threading

import pytest

from medgan.comparison import Cell
from medgan.comparison.dispatch import Queue, default_threads, run_cells
from medgan.comparison.estimate import estimate, kinds
from medgan.errors import DataError

CELLS = [Cell(method, 1, fold) for method in ("teacher", "student", "alone") for fold in (0, 1)]


def teacher(cell):
    return Cell("teacher", cell.seed, cell.fold) if cell.method == "student" else None


class Recorder:
    """A worker in this process that notes what it is asked."""

    def __init__(self, fail_at=None):
        self.asked = []
        self.stopped = False
        self.fail_at = fail_at

    def ask(self, action, cell):
        self.asked.append(cell)
        if cell == self.fail_at:
            raise DataError("no more images")
        return {"status": "done", "seconds": 1.0, "by": threading.get_ident()}

    def stop(self):
        self.stopped = True


def test_a_worker_stays_with_a_method_and_another_takes_another():
    queue = Queue(CELLS, teacher)
    assert queue.take("a") == Cell("teacher", 1, 0)
    assert queue.take("b") == Cell("alone", 1, 0)  # no student has its teacher yet
    queue.done("a")
    assert queue.take("a") == Cell("teacher", 1, 1)
    queue.done("b")
    assert queue.take("b") == Cell("alone", 1, 1)
    queue.done("a")
    assert queue.take("a") == Cell("student", 1, 0)


def test_a_student_waits_for_its_teacher_alone():
    queue = Queue([Cell("teacher", 1, 0), Cell("student", 1, 0)], teacher)
    assert queue.take("a") == Cell("teacher", 1, 0)
    assert queue.take("b") is None
    queue.done("a")
    assert queue.take("b") == Cell("student", 1, 0)


def test_a_teacher_that_is_finished_already_is_not_waited_for():
    assert Queue([Cell("student", 1, 0)], teacher).take("a") == Cell("student", 1, 0)


@pytest.mark.parametrize("count", [1, 3])
def test_every_cell_is_run_once_and_workers_are_stopped(count):
    workers, seen = [Recorder() for _ in range(count)], []
    found = run_cells(
        CELLS,
        [lambda worker=worker: worker for worker in workers],
        teacher,
        on_done=lambda cell, result: seen.append(cell),
    )
    assert set(found) == set(CELLS) and sorted(map(repr, seen)) == sorted(map(repr, CELLS))
    assert sum(len(worker.asked) for worker in workers) == len(CELLS)
    for cell in seen:
        if teacher(cell) is not None:
            assert seen.index(teacher(cell)) < seen.index(cell)
    assert all(worker.stopped for worker in workers)


def test_an_error_of_one_worker_ends_all_and_is_raised():
    workers = [Recorder(fail_at=CELLS[1]) for _ in range(2)]
    with pytest.raises(DataError, match="no more images"):
        run_cells(CELLS, [lambda worker=worker: worker for worker in workers], teacher)
    assert all(worker.stopped for worker in workers)


def test_threads_share_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [default_threads(jobs) for jobs in (1, 3, 8, 20)] == [8, 2, 1, 1]


def test_estimate_adds_steps_of_every_kind(plan_of):
    plan = plan_of()
    chosen = kinds(plan)
    assert {cell.method for cell in chosen.values()} == {"teacher", "student", "alone", "bare"}
    measured = {cell: {"first": 1.0, "step": 10.0} for cell in chosen.values()}
    found = estimate(plan, measured, 1)
    # four methods on three folds; the one called bare takes two steps, the others one
    assert found["methods"]["bare"] == {"steps": 2, "seconds_per_step": 10.0, "cells": 3}
    more = estimate(plan, {cell: {"first": 1.0, "step": 11.0} for cell in measured}, 1)
    assert more["seconds"] - found["seconds"] == pytest.approx(3 * (1 + 1 + 1 + 2))
    assert estimate(plan, measured, 2)["seconds"] < found["seconds"]


def test_methods_that_differ_in_weights_alone_are_one_kind(plan_of):
    found = kinds(plan_of("methods.student.title=other"))
    assert len(found) == len(kinds(plan_of()))
