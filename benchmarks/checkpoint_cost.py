"""What share of a training goes into checkpoints?

    python benchmarks/checkpoint_cost.py recipes/kgan.toml

Runs `medgan-train` with these words and measures the time in which checkpoints are saved and that
inside `fit`, validation included. Prints JSON.
"""

import json
import sys
import time

import click

from medgan.callbacks import Checkpoint
from medgan.models import AdversarialModel
from medgan.tools.train import main as train


def timed(owner, name, seconds):
    """Adds the wall time of every call of a method to a list."""
    method = getattr(owner, name)

    def measured(*args, **kwargs):
        start = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - start)

    setattr(owner, name, measured)


def main():
    """Trains and measures."""
    saves, fits = [], []
    timed(Checkpoint, "_save", saves)
    timed(AdversarialModel, "fit", fits)
    try:
        train(sys.argv[1:], standalone_mode=False)
    except click.ClickException as error:
        raise SystemExit(error.format_message()) from error
    result = {
        "checkpoints": len(saves),
        "milliseconds_each": round(1000 * sum(saves) / len(saves), 1),
        "seconds_of_fit": round(sum(fits), 1),
        "share": round(sum(saves) / sum(fits), 5),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
