"""The scores of synthesis: how close a set of generated images is to a set of real ones."""

import functools

import numpy as np

from medgan import ops
from medgan.metrics.score import Score
from medgan.networks.scattering_encoder import SMALLEST_SIDE, scattering_encoder

SMALLEST_SET = 6  # coverage asks for the fifth nearest of the other images
BATCH = 16

SYNTHESIS_SCORES = {
    "fid": Score(
        "FID",
        ops.frechet_distance,
        "Frechet distance of Gaussians over the encoder's features; comparable for one encoder and "
        "one number of images only. n < 200: biased upwards, read KID.",
        "Heusel et al. 2017",
        better="lower",
        main=True,
    ),
    "kid": Score(
        "KID",
        ops.kernel_distance,
        "Unbiased squared MMD, kernel (x.y / features + 1)^3, over all images; about 0, of either "
        "sign, for one distribution.",
        "Binkowski et al. 2018",
        better="lower",
        decimals=4,
        main=True,
    ),
    "precision": Score(
        "precision",
        lambda real, generated: ops.precision_recall(real, generated)[0],
        "Share of generated images within reach of real ones, third nearest neighbour. Blind to "
        "missing variety: read it with recall.",
        "Kynkaanniemi et al. 2019",
        main=True,
    ),
    "recall": Score(
        "recall",
        lambda real, generated: ops.precision_recall(real, generated)[1],
        "Share of real images within reach of generated ones, third nearest neighbour. Outliers "
        "raise it: read it with coverage.",
        "Kynkaanniemi et al. 2019",
        main=True,
    ),
    "density": Score(
        "density",
        lambda real, generated: ops.density_coverage(real, generated)[0],
        "How many real neighbourhoods (fifth nearest) a generated image lies in, over five; about "
        "1 for one distribution. Images in a few dense places raise it: read it with coverage.",
        "Naeem et al. 2020",
        better=None,
        main=True,
    ),
    "coverage": Score(
        "coverage",
        lambda real, generated: ops.density_coverage(real, generated)[1],
        "Share of real neighbourhoods (fifth nearest) with a generated image inside; about 0.97 "
        "for one distribution.",
        "Naeem et al. 2020",
        main=True,
    ),
}
"""Name to `Score`, in the order of tables; functions of two matrices of features to a scalar."""


@functools.cache
def _built_in(channels):
    """One scattering encoder for all, so that it is compiled once."""
    return scattering_encoder(channels=channels)


def _checked(batch, encoder):
    images = np.clip(np.asarray(batch, "float32"), 0, 1)
    if images.ndim != 4:
        raise ValueError(
            f"Received a batch of shape {images.shape}, expected images "
            "(batch, height, width, channels). Add the axis of channels."
        )
    if encoder is None and min(images.shape[1:3]) < SMALLEST_SIDE:
        height, width = images.shape[1:3]
        raise ValueError(
            f"Received images of {height}x{width}, expected at least {SMALLEST_SIDE} pixels a side "
            "for the built-in encoder. Use larger images or an encoder of your own."
        )
    return images


def encode(encoder, batches):
    """Features of images, a few at a time.

    Args:
        encoder: Keras model from `(batch, height, width, channels)` in [0, 1] to
            `(batch, features)`; None means `medgan.networks.scattering_encoder`, for images of 25
            pixels a side or more.
        batches: iterable of images `(batch, height, width, channels)`; clipped to [0, 1].

    Returns:
        NumPy array `(images, features)`, float64, so that distances lose nothing.

    Raises:
        ValueError: if there are no images, or they are too small for the built-in encoder.
    """
    features = []
    for batch in batches:
        images = _checked(batch, encoder)
        model = _built_in(images.shape[-1]) if encoder is None else encoder
        for start in range(0, len(images), BATCH):
            part = model.predict_on_batch(images[start : start + BATCH])
            features.append(np.asarray(part, "float64"))
    if not features:
        raise ValueError("Received no images, expected batches of them. Check the data.")
    return np.concatenate(features)


def score_features(real, generated):
    """Every score of `SYNTHESIS_SCORES` from features.

    Args:
        real: `(images, features)`, 6 or more rows, from `encode`.
        generated: like `real`; equal numbers, if values shall be compared.

    Returns:
        Score name to a float.

    Raises:
        ValueError: if there are too few images, or features that are not finite.
    """
    sets = {"real": np.asarray(real), "generated": np.asarray(generated)}
    for kind, features in sets.items():
        if len(features) < SMALLEST_SET:
            raise ValueError(
                f"Received {len(features)} {kind} images, expected at least {SMALLEST_SET} to "
                "compare distributions. Give more images."
            )
        broken = int((~np.isfinite(features)).any(axis=tuple(range(1, features.ndim))).sum())
        if broken:
            raise ValueError(
                f"Received {broken} {kind} images without finite features, expected images in "
                "[0, 1]. Leave out images with NaN."
            )
    return {
        key: float(score.function(sets["real"], sets["generated"]))
        for key, score in SYNTHESIS_SCORES.items()
    }


def score_synthesis(encoder, real_batches, generated_batches):
    """Scores generated images as a set against real ones that the generator has not seen.

    Against its own training images a generator that copies them is perfect; look at
    `medgan.ops.nearest` as well.

    Args:
        encoder: Keras model from images to features; None means the built-in one. See `encode`.
        real_batches: iterable of images `(batch, height, width, channels)` in [0, 1].
        generated_batches: like `real_batches`; equal numbers, if values shall be compared.

    Returns:
        Score name (`fid`, `kid`, `precision`, `recall`, `density`, `coverage`) to a float.

    Raises:
        ValueError: if there are fewer than 6 images of a kind, or features that are not finite.

    Example:
        >>> import numpy as np
        >>> from medgan.metrics import score_synthesis
        >>> real = np.random.default_rng(0).uniform(size=(8, 32, 32, 1))
        >>> scores = score_synthesis(None, [real], [real[:4], real[4:]])
        >>> round(scores["fid"], 3), scores["precision"], scores["coverage"]
        (0.0, 1.0, 1.0)
    """
    return score_features(encode(encoder, real_batches), encode(encoder, generated_batches))
