"""Trainers: Keras models that train networks against each other."""

import medgan.layers  # noqa: F401  a saved trainer holds networks with these layers
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.cs_gan import CSGAN
from medgan.models.cycle_gan import CycleGAN
from medgan.models.decomposing_gan import DecomposingGAN
from medgan.models.distilling_gan import DistillingGAN
from medgan.models.fusion_gan import FusionGAN
from medgan.models.gan import GAN
from medgan.models.pix2pix import Pix2Pix
from medgan.models.wgan import WGAN
from medgan.models.wgan_gp import WGANGP

__all__ = [
    "CSGAN",
    "GAN",
    "WGAN",
    "WGANGP",
    "AdversarialModel",
    "CycleGAN",
    "DecomposingGAN",
    "DistillingGAN",
    "FusionGAN",
    "Pix2Pix",
]
