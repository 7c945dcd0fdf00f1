"""Callbacks that observe and save; they change nothing in a training."""

from medgan.callbacks.averaged_weights import AveragedWeights
from medgan.callbacks.best_checkpoint import BestCheckpoint
from medgan.callbacks.fusion_report import FusionReport
from medgan.callbacks.image_grid import ImageGrid
from medgan.callbacks.interrupt_between_steps import InterruptBetweenSteps
from medgan.callbacks.json_lines import JSONLines
from medgan.callbacks.last_checkpoint import LastCheckpoint
from medgan.callbacks.loss_curves import LossCurves
from medgan.callbacks.stop_on_divergence import StopOnDivergence
from medgan.callbacks.stop_without_improvement import StopWithoutImprovement
from medgan.callbacks.synthesis_report import SynthesisReport
from medgan.callbacks.training_health import TrainingHealth
from medgan.callbacks.translation_report import TranslationReport

__all__ = [
    "AveragedWeights",
    "BestCheckpoint",
    "FusionReport",
    "ImageGrid",
    "InterruptBetweenSteps",
    "JSONLines",
    "LastCheckpoint",
    "LossCurves",
    "StopOnDivergence",
    "StopWithoutImprovement",
    "SynthesisReport",
    "TrainingHealth",
    "TranslationReport",
]
