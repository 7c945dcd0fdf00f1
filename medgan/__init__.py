"""Train a GAN on medical images, distil it into a light student, export it, prove it.

Subpackages load on first access, so that `import medgan` and `--help` stay instant.
"""

import importlib

__version__ = "0.1.0"

_SUBPACKAGES = (
    "addons",
    "callbacks",
    "classical",
    "comparison",
    "data",
    "devices",
    "errors",
    "evaluation",
    "experiment",
    "export",
    "figures",
    "layers",
    "learning_rates",
    "losses",
    "metrics",
    "models",
    "networks",
    "ops",
    "precision",
    "recipe",
    "report",
    "resume",
    "run",
    "schedules",
    "training",
    "training_state",
    "workers",
)


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"medgan.{name}")
    raise AttributeError(f"module 'medgan' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBPACKAGES])
