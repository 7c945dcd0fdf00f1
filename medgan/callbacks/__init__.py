"""Callbacks that observe and save; they change nothing in a training."""

from medgan.callbacks.fusion_report import FusionReport
from medgan.callbacks.image_grid import ImageGrid
from medgan.callbacks.interrupt_between_steps import InterruptBetweenSteps
from medgan.callbacks.json_lines import JSONLines
from medgan.callbacks.last_checkpoint import LastCheckpoint
from medgan.callbacks.loss_curves import LossCurves
from medgan.callbacks.stop_on_divergence import StopOnDivergence

__all__ = [
    "FusionReport",
    "ImageGrid",
    "InterruptBetweenSteps",
    "JSONLines",
    "LastCheckpoint",
    "LossCurves",
    "StopOnDivergence",
]
