"""Where images come from and how they reach `model.fit`."""

from medgan.data.paired_folders import paired_folders
from medgan.data.pairs import Pairs
from medgan.data.phantoms import phantom_labels, phantoms
from medgan.data.pipeline import evaluation_batches, training_batches
from medgan.data.split import Split, split_by_patient
from medgan.data.task_batches import (
    divide_patients,
    single_batches,
    single_images,
    translation_batches,
    translation_images,
    unpaired_batches,
)

__all__ = [
    "Pairs",
    "Split",
    "divide_patients",
    "evaluation_batches",
    "paired_folders",
    "phantom_labels",
    "phantoms",
    "single_batches",
    "single_images",
    "split_by_patient",
    "training_batches",
    "translation_batches",
    "translation_images",
    "unpaired_batches",
]
