"""Fusion without learning: the baselines that a network must beat."""

from medgan.classical.fusion import average, maximum

__all__ = ["average", "maximum"]
