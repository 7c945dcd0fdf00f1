"""A comparison on the terminal: how far it is, and its tables at the end."""

import time

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from medgan.comparison import tables
from medgan.comparison.cells import DONE, SCORES
from medgan.tools.score_table import PLAIN_WIDTH


class CellProgress:
    """Shows on standard error how many cells are done: a bar on a terminal, else a line for each.

    Args:
        plan: the `Plan`.
        there: number of cells that were done before.
        missing: the cells to run.
        jobs: number of processes.
        output: folder of the comparison.
        console: rich console on standard error.
    """

    def __init__(self, plan, there, missing, jobs, output, console):
        self.plan = plan
        self.total = len(plan.cells)
        self.count = there
        self.waiting = list(missing)
        self.jobs = jobs
        self.output = output
        self.console = console
        self._per_step = {}

    def __enter__(self):
        """Says what will be done."""
        splits, protocol = self.plan.splits, self.plan.protocol
        held_out = ", ".join(
            f"{len(split.validation)} pairs of {len(set(split.validation.patients))}"
            for split in splits
        )
        self._say(
            f"{self.total} cells: {len(protocol.methods)} methods and {len(protocol.rules)} rules, "
            f"seeds {', '.join(map(str, protocol.seeds))}, {len(splits)} folds (held out: "
            f"{held_out} patients); {self.jobs} processes; folder {self.output}"
        )
        if self.count:
            self._say(f"{self.count} cells are there already")
        self.start = time.monotonic()
        self.bar = None
        if self.console.is_terminal and not self.console.quiet and self.waiting:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self.bar = Progress(
                *columns, TextColumn("{task.fields[left]}"), console=self.console, transient=True
            )
            self.bar.start()
            self.task = self.bar.add_task("cells", total=self.total, completed=self.count, left="")
        return self

    def _say(self, text):
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def done(self, cell, result):
        """Says that a cell is finished, and how long the others will take."""
        self.count += 1
        self.waiting.remove(cell)
        if steps := self._steps(cell):
            self._per_step.setdefault(cell.method, []).append(result["seconds"] / steps)
        left = self._left()
        title = self.plan.protocol.title(cell.method)
        words = f"{title}, seed {cell.seed}, fold {cell.fold + 1}: {result['seconds']:.0f} s"
        if result["status"] != DONE:
            words += f", diverged: {result['reason']}"
        if self.bar is not None:
            self.bar.update(self.task, completed=self.count, description=words, left=left)
        else:
            self._say(f"{self.count}/{self.total}  {words}  {left}")

    def _steps(self, cell):
        methods = self.plan.protocol.methods
        return self.plan.protocol.steps(cell.method) if cell.method in methods else 0

    def _left(self):
        """Time left, by what a step of the same method took, else of all methods."""
        known = [value for values in self._per_step.values() for value in values]
        waiting = [cell for cell in self.waiting if self._steps(cell)]
        if not known or not waiting:
            return ""
        seconds = 0.0
        for cell in waiting:
            own = self._per_step.get(cell.method, known)
            seconds += self._steps(cell) * sum(own) / len(own)
        return f"about {seconds / self.jobs / 60:.0f} minutes left"

    def __exit__(self, *error):
        """Takes the bar off the terminal."""
        if self.bar is not None:
            self.bar.stop()


def print_summary(summary, output):
    """Prints the tables, the verdict, and where the files are, on standard error.

    Args:
        summary: the `Summary`.
        output: folder of the comparison.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    for _, heading, _, rows, beside in summary.tables():
        console.print(heading, style="bold", highlight=False, markup=False)
        _print(console, [*(tables.paper_rows() if beside else []), *rows])
    for method in summary.results.methods.values():
        for text in method.diverged:
            _say(console, f"diverged, {method.title}, {text}")
        for text in method.cautions:
            _say(console, f"caution, {method.title}: {text}")
    if summary.verdict:
        _say(console, summary.verdict["sentence"])
    for name in ("report.html", "table1.md", "scores.json", "scores.csv"):
        _say(console, f"written: {output / name}")


def _print(console, rows):
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for number, head in enumerate(["method", *(score.title for score in SCORES.values())]):
        table.add_column(head, justify="right" if number else "left", no_wrap=bool(number))
    for row in rows:
        texts = [row.cells.get(key, ("", None))[0] for key in SCORES]
        table.add_row(Text(row.title, "italic" if row.published else ""), *texts)
    console.print(table)


def _say(console, text):
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
