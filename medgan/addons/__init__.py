"""Models from tensorflow-addons: its layers under Keras 3, and a door for its files."""

from medgan.addons.group_normalization import GroupNormalization
from medgan.addons.instance_normalization import InstanceNormalization
from medgan.addons.loading import load_model
from medgan.addons.spectral_normalization import SpectralNormalization
from medgan.addons.weight_normalization import WeightNormalization

__all__ = [
    "GroupNormalization",
    "InstanceNormalization",
    "SpectralNormalization",
    "WeightNormalization",
    "load_model",
]
