"""Trainers: Keras models that train networks against each other."""

import medgan.layers  # noqa: F401  a saved trainer holds networks with these layers
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.decomposing_gan import DecomposingGAN
from medgan.models.distilling_gan import DistillingGAN
from medgan.models.fusion_gan import FusionGAN

__all__ = ["AdversarialModel", "DecomposingGAN", "DistillingGAN", "FusionGAN"]
