"""Objectives side by side, all else equal: trained and scored cell by cell, told in one table."""

from medgan.comparison.cells import Cell, Plan
from medgan.comparison.folds import fold_splits, patient_folds
from medgan.comparison.no_content import NoContentLoss
from medgan.comparison.protocol import Protocol, read_protocol
from medgan.comparison.verdict import paired, sentence

__all__ = [
    "Cell",
    "NoContentLoss",
    "Plan",
    "Protocol",
    "fold_splits",
    "paired",
    "patient_folds",
    "read_protocol",
    "sentence",
]
