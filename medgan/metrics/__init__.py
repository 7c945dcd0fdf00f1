"""Scores of images: as Keras metrics, and as one table over images and patients."""

from medgan.metrics.cautions import Cautions
from medgan.metrics.distribution_metric import DistributionMetric
from medgan.metrics.distribution_metrics import (
    Coverage,
    Density,
    FrechetDistance,
    GenerativePrecision,
    GenerativeRecall,
    KernelDistance,
)
from medgan.metrics.fusion_scores import FUSION_SCORES
from medgan.metrics.image_scores import FusionScore, ImageScore, TranslationScore
from medgan.metrics.phantom_scores import (
    PHANTOM_SCORES,
    STRUCTURES,
    RelativeContrast,
    phantom_contrast,
    score_phantoms,
)
from medgan.metrics.score import Score
from medgan.metrics.scoring import (
    applicable,
    mean_by_patient,
    score_fusion,
    score_images,
    score_translation,
    scorer,
)
from medgan.metrics.synthesis_scores import (
    SYNTHESIS_SCORES,
    encode,
    score_features,
    score_synthesis,
)
from medgan.metrics.translation_scores import TRANSLATION_SCORES

__all__ = [
    "FUSION_SCORES",
    "PHANTOM_SCORES",
    "STRUCTURES",
    "SYNTHESIS_SCORES",
    "TRANSLATION_SCORES",
    "Cautions",
    "Coverage",
    "Density",
    "DistributionMetric",
    "FrechetDistance",
    "FusionScore",
    "GenerativePrecision",
    "GenerativeRecall",
    "ImageScore",
    "KernelDistance",
    "RelativeContrast",
    "Score",
    "TranslationScore",
    "applicable",
    "encode",
    "mean_by_patient",
    "phantom_contrast",
    "score_features",
    "score_fusion",
    "score_images",
    "score_phantoms",
    "score_synthesis",
    "score_translation",
    "scorer",
]
