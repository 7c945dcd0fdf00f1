"""Callbacks that observe and save; they change nothing in a training.

One with a state has `get_state() -> dict` of plain JSON values and `set_state(dict)`, which
`Checkpoint` keeps.
"""

from medgan.callbacks.averaged_weights import AveragedWeights
from medgan.callbacks.best_checkpoint import BestCheckpoint
from medgan.callbacks.checkpoint import Checkpoint
from medgan.callbacks.fusion_report import FusionReport
from medgan.callbacks.image_grid import ImageGrid
from medgan.callbacks.interrupt import Interrupt
from medgan.callbacks.json_lines import JSONLines
from medgan.callbacks.loss_curves import LossCurves
from medgan.callbacks.sample_grid import SampleGrid
from medgan.callbacks.stop_on_divergence import StopOnDivergence
from medgan.callbacks.stop_on_symptoms import StopOnSymptoms
from medgan.callbacks.stop_without_improvement import StopWithoutImprovement
from medgan.callbacks.synthesis_report import SynthesisReport
from medgan.callbacks.tensorboard import TensorBoard
from medgan.callbacks.training_health import TrainingHealth
from medgan.callbacks.translation_report import TranslationReport

__all__ = [
    "AveragedWeights",
    "BestCheckpoint",
    "Checkpoint",
    "FusionReport",
    "ImageGrid",
    "Interrupt",
    "JSONLines",
    "LossCurves",
    "SampleGrid",
    "StopOnDivergence",
    "StopOnSymptoms",
    "StopWithoutImprovement",
    "SynthesisReport",
    "TensorBoard",
    "TrainingHealth",
    "TranslationReport",
]
