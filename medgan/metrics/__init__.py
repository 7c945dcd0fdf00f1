"""Scores of fused images: as Keras metrics, and as one table over images and patients."""

from medgan.metrics.fusion_metric import FusionMetric
from medgan.metrics.fusion_metrics import (
    CorrelationsOfDifferences,
    EdgePreservation,
    HeadStructuralSimilarity,
    SpatialFrequency,
    StructuralSimilarity,
    VisualInformation,
)
from medgan.metrics.scoring import (
    FUSION_SCORES,
    SMALLEST_SCORED_SIDE,
    mean_by_patient,
    score_fusion,
)

__all__ = [
    "FUSION_SCORES",
    "SMALLEST_SCORED_SIDE",
    "CorrelationsOfDifferences",
    "EdgePreservation",
    "FusionMetric",
    "HeadStructuralSimilarity",
    "SpatialFrequency",
    "StructuralSimilarity",
    "VisualInformation",
    "mean_by_patient",
    "score_fusion",
]
