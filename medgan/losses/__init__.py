"""Losses: objects that take tensors and return tensors, and know no model."""

from medgan.losses.adversarial_loss import AdversarialLoss
from medgan.losses.adversarial_losses import (
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    WassersteinLoss,
)
from medgan.losses.distillation_loss import DistillationLoss
from medgan.losses.feature_losses import (
    AdaptedFeatureLoss,
    DiscriminatorFeatureLoss,
    FeatureLoss,
    KernelAlignmentLoss,
)
from medgan.losses.fusion_loss import FusionLoss
from medgan.losses.fusion_losses import MetricAwareFusionLoss, StructuralFusionLoss
from medgan.losses.intensity_detail_loss import IntensityDetailLoss
from medgan.losses.relation_loss import RelationLoss
from medgan.losses.soft_label_losses import SoftenedLabelLoss, SpatialSoftLabelLoss
from medgan.losses.teacher_image_losses import TeacherImageLoss, WaveletLoss

__all__ = [
    "AdaptedFeatureLoss",
    "AdversarialLoss",
    "DiscriminatorFeatureLoss",
    "DistillationLoss",
    "FeatureLoss",
    "FusionLoss",
    "HingeLoss",
    "IntensityDetailLoss",
    "KernelAlignmentLoss",
    "LeastSquaresLoss",
    "MetricAwareFusionLoss",
    "MinimaxLoss",
    "NonSaturatingLoss",
    "RelationLoss",
    "SoftenedLabelLoss",
    "SpatialSoftLabelLoss",
    "StructuralFusionLoss",
    "TeacherImageLoss",
    "WassersteinLoss",
    "WaveletLoss",
]
