"""An evaluation on the terminal: the table, what it is worth, where the files are."""

import time

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from medgan.report.formatting import counted

PLAIN_WIDTH = 120
SECONDS_BETWEEN_LINES = 10
MOST_LINES = 20
STYLES = ("", "bold", "underline")
PLAIN_MARKS = ("", " (1)", " (2)")


class ImageProgress:
    """Shows on standard error how many images are scored: a bar on a terminal, else lines.

    Args:
        images: number of images.
        methods: number of methods.
        quiet: whether to show nothing.
    """

    def __init__(self, images, methods, quiet=False):
        self.console = _console(to_standard_error=True, quiet=quiet)
        self.images = images
        self.count = 0
        self.title = f"scoring {images} images, methods: {methods}"

    def __enter__(self):
        """Starts."""
        self.start = self.said = time.monotonic()
        self.bar = None
        if self.console.is_terminal and not self.console.quiet:
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(
                TextColumn("{task.description}"), *columns, console=self.console, transient=True
            )
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.images)
        else:
            self.console.print(self.title, highlight=False)
        return self

    def advance(self, count):
        """Says that so many more images are scored."""
        self.done(self.count + count)

    def done(self, count):
        """Says that so many images are scored in all."""
        self.count = count
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=count)
        elif now - self.said > SECONDS_BETWEEN_LINES and count < self.images:
            self.said = now
            left = (now - self.start) / count * (self.images - count)
            self.console.print(
                f"{count:.0f}/{self.images} images, {left:.0f} s left", highlight=False
            )

    def __exit__(self, *error):
        """Takes the bar off the terminal."""
        if self.bar is not None:
            self.bar.stop()


def print_evaluation(evaluation, payload, written=(), to_standard_error=False):
    """Prints the main scores, cautions, notes, problems, and where the files went.

    Args:
        evaluation: an `Evaluation`.
        payload: its `to_dict()`.
        written: paths of the files.
        to_standard_error: where to print; standard output by default.
    """
    console = _console(to_standard_error)
    images, patients = len(payload["images"]), payload["patients"]
    whose = "" if patients is None else f" of {counted(len(patients), 'patient')}, means by patient"
    extent = f": {counted(images, 'image')}{whose}" if images else ""  # sets have no pairs
    said = f"{payload['title']}{extent}"
    console.print(said, style="bold", highlight=False, markup=False)
    styled = console.is_terminal and not console.is_dumb_terminal
    _print_cells(console, evaluation.cells(), evaluation.marks(), styled)
    legend = "bold: best, underlined: second" if styled else "(1) best, (2) second"
    lower = evaluation.lower_is_better()
    lower = f"; lower is better in {', '.join(lower)}" if lower else ""
    if any(any(line) for line in evaluation.marks()):
        _say(console, f"{legend}{lower}")
    for method, sentences in payload["cautions"].items():
        for sentence in sentences:
            _say(console, f"caution, {method}: {sentence}")
    for note in payload["notes"]:
        _say(console, f"note: {note}")
    problems = payload["problems"]
    for problem in problems[:MOST_LINES]:
        _say(console, f"left out: {problem}")
    if len(problems) > MOST_LINES:
        _say(console, f"left out: {len(problems) - MOST_LINES} more; --json FILE lists all.")
    for path in written:
        _say(console, f"written: {path}")


def _console(to_standard_error, quiet=False):
    console = Console(stderr=to_standard_error, quiet=quiet)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def _say(console, text):
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def _print_cells(console, cells, marks, styled):
    """Prints the table, in parts where the terminal is narrow; each part begins with the method."""
    columns = []
    for texts, places in zip(zip(*cells, strict=True), zip(*marks, strict=True), strict=True):
        if styled:
            columns.append(
                # Appended text alone is underlined, not what fills up the column.
                [Text().append(t, STYLES[p]) for t, p in zip(texts, places, strict=True)]
            )
        else:
            room = len(PLAIN_MARKS[1]) if any(places) else 0
            columns.append(
                [Text(t + PLAIN_MARKS[p].ljust(room)) for t, p in zip(texts, places, strict=True)]
            )
    for part in _parts(columns, console.width):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
        for number, (head, *_) in enumerate(part):
            table.add_column(head, justify="right" if number else "left", no_wrap=True)
        for row in zip(*(texts[1:] for texts in part), strict=True):
            table.add_row(*row)
        console.print(table)


def _parts(columns, width):
    """Columns that fit side by side, the first in every part."""
    first, *others = columns
    widths = [max(len(text) for text in column) + 3 for column in columns]  # padding and rule
    room = width - widths[0] - 2
    part, used = [], 0
    for column, wide in zip(others, widths[1:], strict=True):
        if part and used + wide > room:
            yield [first, *part]
            part, used = [], 0
        part.append(column)
        used += wide
    yield [first, *part]
