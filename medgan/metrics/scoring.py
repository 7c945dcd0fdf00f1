"""All fusion scores of a method at once, image by image, averaged by patient."""

import numpy as np

from medgan import ops
from medgan.ops.visual_information import SMALLEST_SIDE

# Shorter sides have no room for the four scales of VIF.
SMALLEST_SCORED_SIDE = SMALLEST_SIDE

FUSION_SCORES = {
    "sf": lambda sources, fused: ops.spatial_frequency(fused),
    "ssim": lambda sources, fused: ops.fusion_ssim(sources, fused, 255.0),
    "ssim_head": ops.head_ssim,
    "scd": ops.sum_of_correlations_of_differences,
    "qabf": ops.edge_preservation,
    "vif": ops.visual_information,
}


def score_fusion(method, batches):
    """Scores what a method makes of batches of sources.

    Args:
        method: callable from sources `(batch, height, width, 2)` in [0, 1] to fused images
            `(batch, height, width, 1)`; a Keras model is called with `training=False` by default.
        batches: iterable of sources.

    Returns:
        Score name (`sf`, `ssim`, `ssim_head`, `scd`, `qabf`, `vif`) to an array with one value per
        image, on 0..255, clipped and rounded.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import score_fusion
        >>> sources = np.random.default_rng(0).uniform(size=(2, 48, 48, 2))
        >>> scores = score_fusion(lambda x: x.max(-1, keepdims=True), [sources])
        >>> sorted(scores), scores["sf"].shape
        (['qabf', 'scd', 'sf', 'ssim', 'ssim_head', 'vif'], (2,))
    """
    values = {name: [] for name in FUSION_SCORES}
    for sources in batches:
        grey_sources, grey_fused = ops.quantise(sources), ops.quantise(method(sources))
        for name, score in FUSION_SCORES.items():
            values[name].append(np.asarray(score(grey_sources, grey_fused)))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def mean_by_patient(values, patients=None):
    """Averages within each patient first, then over the patients, so that each counts the same.

    Args:
        values: one value per image.
        patients: the image's patient, as many; None counts every image alike.

    Returns:
        A float.

    Example:
        >>> from medgan.metrics import mean_by_patient
        >>> mean_by_patient([1.0, 1.0, 4.0], ["a", "a", "b"])
        2.5
    """
    values = np.asarray(values, dtype="float64")
    if patients is None:
        return float(values.mean())
    patients = np.asarray(patients)
    if len(patients) != len(values):
        raise ValueError(
            f"Received {len(patients)} patients for {len(values)} images, expected one per image."
        )
    return float(np.mean([values[patients == patient].mean() for patient in np.unique(patients)]))
