"""A light generator that learns from a few hundred images."""

import keras

from medgan.layers import ScaledNoise
from medgan.networks.blocks import Blocks, check_sizes, halvings, unit_image


def fastgan_generator(
    *,
    image_size=256,
    width=1.0,
    channels=1,
    latent_size=256,
    seed=None,
    name="fastgan_generator",
):
    """FastGAN's generator, lightened: images from noise, from a few hundred examples.

    A dense layer to 4x4 pixels of `256 width` channels, each place of length 1; then doublings:
    bilinear resizing, a 3x3 convolution to twice the channels, learned noise (in training only),
    batch normalisation and a gated linear unit. A map of p pixels a side has `8192 / p` channels
    times `width`, at most `512 width` and at least 4. Each map of 64 pixels a side and more is
    multiplied, channel by channel, by what the map of a sixteenth of its size says (skip-layer
    excitation), so that gradients reach coarse maps by a short way. Kernels start as N(0, 0.02).

    The default has 12.7 million parameters, `width=0.25` 1.2 million. Its partner is
    `dcgan_discriminator(normalization="spectral")`, with `DiffAugment`.

    Args:
        image_size: height and width of the image, a power of two from 8 up.
        width: factor of all numbers of channels.
        channels: channels of the image.
        latent_size: numbers in a noise vector.
        seed: seed of the initial weights and of the noise in training.
        name: name of the model.

    Returns:
        A functional `keras.Model` from noise `(batch, latent_size)`, N(0, 1), to
        `(batch, image_size, image_size, channels)` in [0, 1]. In inference an image depends on its
        noise vector alone. Its layer `"embedding"` is the last map; `"before_head"` is what tanh
        takes.

    Raises:
        ValueError: if a size is out of its range.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import fastgan_generator
        >>> fastgan_generator(image_size=64, width=0.02)(np.zeros((3, 256))).shape
        TensorShape([3, 64, 64, 1])

    Reference:
        Liu et al., Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
        Synthesis, 2021. Lengths of 1 at the start, attention instead of average pooling in the
        excitation and the numbers of channels follow the port `lightweight-gan`; its repeated
        pixels behind a blur of [1, 2, 1] are bilinear resizing. One noise layer a doubling, none in
        inference, and [0, 1] instead of [-1, 1] are ours.
    """
    doublings = halvings(image_size)
    check_sizes(channels=channels, latent_size=latent_size)
    if width <= 0:
        raise ValueError(f"Received width={width}, expected a number above 0.")
    make = Blocks(normalization="batch", seed=seed)

    def scaled(count):
        return max(4, int(width * count))

    def gated(features, label):
        features = make.normalized(features, label)
        half = features.shape[-1] // 2
        gate = keras.layers.Activation("sigmoid", name=f"{label}_gate")(features[..., half:])
        return keras.layers.Multiply(name=f"{label}_gated")([features[..., :half], gate])

    noise = keras.Input((latent_size,), name="noise")
    start = scaled(256)
    # Batch statistics take every bias away again.
    features = make.dense(noise, 16 * 2 * start, "stem", bias=False)
    features = keras.layers.Reshape((4, 4, 2 * start), name="stem_map")(features)
    features = gated(features, "stem")
    features = keras.layers.UnitNormalization(name="stem_length", dtype="float32")(features)
    maps = {4: features}
    for side in (4 * 2**step for step in range(1, doublings + 1)):
        label = f"up_{side}"
        count = scaled(min(512, 8192 // side))
        features = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{label}_resize")(
            features
        )
        features = make.convolution(features, 2 * count, 3, label, bias=False)
        features = ScaledNoise(seed=make.next_seed(), name=f"{label}_noise")(features)
        features = gated(features, label)
        if side >= 64:
            excitation = _excitation(make, maps[side // 16], count, f"{label}_excitation")
            features = keras.layers.Multiply(name=f"{label}_excited")([features, excitation])
        maps[side] = features
    features = keras.layers.Activation("linear", name="embedding")(features)
    features = make.convolution(features, channels, 3, "before_head")
    return keras.Model(noise, unit_image(features), name=name)


def _excitation(make, small, channels, label):
    """A factor from 0 to 1 for each channel, `(batch, 1, 1, channels)`, from a coarse map."""
    side, count = small.shape[1], small.shape[-1]
    attention = make.convolution(small, 1, 1, f"{label}_attention")
    attention = keras.layers.Reshape((side * side, 1), name=f"{label}_places")(attention)
    attention = keras.layers.Softmax(axis=1, name=f"{label}_shares")(attention)
    values = keras.layers.Reshape((side * side, count), name=f"{label}_values")(small)
    mean = keras.layers.Dot(axes=1, name=f"{label}_mean")([attention, values])
    hidden = make.dense(mean, max(3, count // 2), f"{label}_hidden")
    hidden = make.activated(hidden, f"{label}_hidden", negative_slope=0.1)
    factors = make.dense(hidden, channels, f"{label}_factors")
    factors = keras.layers.Activation("sigmoid", name=f"{label}_sigmoid")(factors)
    return keras.layers.Reshape((1, 1, channels), name=label)(factors)
