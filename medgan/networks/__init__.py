"""Networks: functions that return a named functional `keras.Model` for any image size."""

from medgan.networks.compiled import compiled
from medgan.networks.cost import multiply_accumulates
from medgan.networks.dcgan import dcgan_discriminator, dcgan_generator
from medgan.networks.ddcgan import ddcgan_discriminator, ddcgan_generator
from medgan.networks.dense_fusion import dense_fusion_generator
from medgan.networks.fastgan import fastgan_generator
from medgan.networks.full_precision import full_precision
from medgan.networks.fusiongan import fusiongan_discriminator, fusiongan_generator
from medgan.networks.inception_encoder import inception_encoder
from medgan.networks.loading import saved_network
from medgan.networks.patch_discriminator import modality_discriminator, patch_discriminator
from medgan.networks.resnet import resnet_generator
from medgan.networks.scattering_encoder import scattering_encoder
from medgan.networks.unet import unet_generator

__all__ = [
    "compiled",
    "dcgan_discriminator",
    "dcgan_generator",
    "ddcgan_discriminator",
    "ddcgan_generator",
    "dense_fusion_generator",
    "fastgan_generator",
    "full_precision",
    "fusiongan_discriminator",
    "fusiongan_generator",
    "inception_encoder",
    "modality_discriminator",
    "multiply_accumulates",
    "patch_discriminator",
    "resnet_generator",
    "saved_network",
    "scattering_encoder",
    "unet_generator",
]
