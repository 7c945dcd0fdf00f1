"""Fusion without learning: the baselines that a network must beat."""

from medgan.classical.dictionaries import cosine_dictionary, learn_dictionary
from medgan.classical.guided_filter import guided_filter
from medgan.classical.laplacian_pyramid import laplacian
from medgan.classical.pixelwise import average, clipped_sum, maximum
from medgan.classical.principal_components import principal_components
from medgan.classical.sparse_representation import sparse_representation
from medgan.classical.wavelets import dwt, swt

FUSION_METHODS = {
    "average": average,
    "maximum": maximum,
    "clipped_sum": clipped_sum,
    "pca": principal_components,
    "laplacian": laplacian,
    "dwt": dwt,
    "swt": swt,
    "guided_filter": guided_filter,
    "sparse_representation": sparse_representation,
}
"""Name to method, in the order of tables: from sources `(batch, height, width, 2)` to fused images
`(batch, height, width, 1)`, both in [0, 1]. Settings are keywords and have defaults."""

__all__ = [
    "FUSION_METHODS",
    "average",
    "clipped_sum",
    "cosine_dictionary",
    "dwt",
    "guided_filter",
    "laplacian",
    "learn_dictionary",
    "maximum",
    "principal_components",
    "sparse_representation",
    "swt",
]
