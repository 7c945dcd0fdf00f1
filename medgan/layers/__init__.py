"""Keras layers that Keras lacks."""

from medgan.layers.cell_means import CellMeans
from medgan.layers.depth_to_space import DepthToSpace
from medgan.layers.diff_augment import DiffAugment
from medgan.layers.divisible_sides import DivisibleSides
from medgan.layers.doubling_convolution import DoublingConv2DTranspose
from medgan.layers.fusion_heads import Blend, MaximumResidual
from medgan.layers.halving_convolution import HalvingConv2D
from medgan.layers.image_pool import ImagePool
from medgan.layers.instance_normalization import InstanceNormalization
from medgan.layers.narrow_convolution import NarrowConv2D
from medgan.layers.reflection_padding import ReflectionPadding2D
from medgan.layers.scaled_noise import ScaledNoise
from medgan.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "Blend",
    "CellMeans",
    "DepthToSpace",
    "DiffAugment",
    "DivisibleSides",
    "DoublingConv2DTranspose",
    "HalvingConv2D",
    "ImagePool",
    "InstanceNormalization",
    "MaximumResidual",
    "NarrowConv2D",
    "ReflectionPadding2D",
    "ScaledNoise",
    "SpectralNormalization",
]
