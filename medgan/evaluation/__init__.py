"""Scores of many methods side by side: read, averaged by patient, compared, written."""

from medgan.evaluation.evaluation import Evaluation
from medgan.evaluation.folders import ImageFolder, Problems, UnusableImage
from medgan.evaluation.methods import ComputedMethod, FolderMethod
from medgan.evaluation.scoring import evaluate_study, score_study
from medgan.evaluation.study import Patients, Study, folder_study

__all__ = [
    "ComputedMethod",
    "Evaluation",
    "FolderMethod",
    "ImageFolder",
    "Patients",
    "Problems",
    "Study",
    "UnusableImage",
    "evaluate_study",
    "folder_study",
    "score_study",
]
