"""Progress of a stage: a bar on a terminal, plain lines elsewhere."""

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class StageProgress(keras.callbacks.Callback):
    """Shows how far a stage is, its loss, and each validation.

    Args:
        name: title of the stage.
        steps: number of its steps.
        console: rich console on standard error.
        rivals: method to scores on the same validation pairs, filled by the time training begins.
    """

    def __init__(self, name, steps, console, rivals):
        super().__init__()
        self.name = name
        self.bar = None
        self.steps = steps
        self.console = console
        self.rivals = rivals
        self.step = self.first = 0

    def on_train_begin(self, logs=None):
        """Starts the bar, or prints the first line."""
        self.start = time.monotonic()
        self.bar = None
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("loss {task.fields[loss]}"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.start()
            self.task = self.bar.add_task(self.name, total=self.steps, loss="-")
        else:
            self.console.print(f"{self.name}: {self.steps} steps")
        for method, scores in self.rivals.items():
            if method != "model":
                self._print(f"  to beat: {method:9}  {_words(scores)}")

    def get_state(self):
        """Returns how far the stage is."""
        return {"step": self.step}

    def set_state(self, state):
        """Goes on from there."""
        self.step = self.first = state["step"]
        if self.step:
            self._print(f"{self.name} goes on from step {self.step}/{self.steps}")
        if self.bar is not None:
            self.bar.update(self.task, completed=self.step)

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        self.step += 1
        if self.bar is not None:
            loss = f"{float(logs['loss']):.3f}"
            self.bar.update(self.task, completed=self.step, loss=loss)

    def on_epoch_end(self, epoch, logs=None):
        """Prints a validation."""
        if not any(name.startswith("val_") for name in logs or ()):
            return
        spent = time.monotonic() - self.start
        left = spent / max(1, self.step - self.first) * (self.steps - self.step)
        scores = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
        self._print(
            f"{self.name} {self.step}/{self.steps}  loss {logs['loss']:.3f}  {_words(scores)}"
            f"  {left:.0f} s left"
        )

    def _print(self, text):
        self.console.print(text, highlight=False, soft_wrap=True)

    def close(self):
        """Takes the bar off the terminal."""
        if getattr(self, "bar", None) is not None:
            self.bar.stop()

    def on_train_end(self, logs=None):
        """Ends the bar."""
        self.close()


def _words(scores):
    """Scores in one line."""
    names = ("sf", "mae", "mae_head", "psnr", "psnr_head", "ssim", "ssim_head", "scd", "qabf")
    names += ("vif", "fid", "kid", "precision", "recall", "coverage")
    return "  ".join(f"{name} {scores[name]:.3f}" for name in names if name in scores)


def console(quiet=False):
    """A rich console on standard error; quiet writes nothing; files get lines of 120 columns."""
    made = Console(stderr=True, quiet=quiet)
    if not made.is_terminal:
        made.width = 120
    return made
