"""Patch discriminators: small judges of local realism."""

import keras

from medgan.layers import SpectralNormalization


def patch_discriminator(*, width=32, channels=1, seed=None, name="patch_discriminator"):
    """A spectrally normalised patch discriminator with a receptive field of 34x34 pixels.

    Convolutions 4x4: stride 2 to `width`, stride 2 to `2 width`, stride 1 to `4 width`, stride 1 to
    one logit per patch; LeakyReLU 0.2, no normalisation. Every kernel is divided by its largest
    singular value, which bounds the slope. `width=32`: 166,625 parameters, 62x62 logits at 256x256.

    Args:
        width: channels of the first layer.
        channels: channels of the image it judges.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1] to raw logits
        `(batch, height / 4 - 2, width / 4 - 2, 1)`; images of at least 16 pixels a side.

    Example:
        >>> from medgan.networks import patch_discriminator
        >>> sum(v.shape.num_elements() for v in patch_discriminator().trainable_variables)
        166625

    Reference:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017;
        Miyato et al., Spectral Normalization for GANs, 2018. Narrower and with a smaller field than
        the 70x70 original (2.76 million parameters), for a few hundred slices.
    """
    if width < 1 or channels < 1:
        raise ValueError(
            f"Received width={width} and channels={channels}, expected 1 or more of each."
        )
    image = keras.Input((None, None, channels), name="image")
    return keras.Model(image, _patch_logits(image, width, seed, "patch"), name=name)


def modality_discriminator(
    *, modalities=("ct", "mr"), width=32, seed=None, name="modality_discriminator"
):
    """One patch discriminator per modality, side by side in one network.

    Channel i of the input goes to the i-th discriminator alone and comes back as channel i of the
    logits: for real images the stacked sources, for a fused image the image repeated. A fused image
    is good when the judge of CT takes it for a CT and the judge of MR for an MR.

    Args:
        modalities: names of the input's channels; layers are named after them.
        width: channels of the first layer of each discriminator.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, modalities)` in [0, 1] to raw logits
        `(batch, height / 4 - 2, width / 4 - 2, modalities)`.

    Reference:
        Ma et al., DDcGAN: A Dual-Discriminator Conditional GAN for Multi-Resolution Image Fusion,
        2020.
    """
    if width < 1 or not modalities:
        raise ValueError(
            f"Received width={width} and {len(modalities)} modalities, expected 1 or more of each."
        )
    images = keras.Input((None, None, len(modalities)), name="images")
    logits = []
    for index, modality in enumerate(modalities):
        image = images[..., index : index + 1]
        part_seed = None if seed is None else seed + 1000 * index
        logits.append(_patch_logits(image, width, part_seed, modality))
    if len(logits) > 1:
        logits = [keras.layers.Concatenate(name="logits", dtype="float32")(logits)]
    return keras.Model(images, logits[0], name=name)


def _patch_logits(image, width, seed, prefix):
    features = image
    layers = ((width, 2), (2 * width, 2), (4 * width, 1), (1, 1))
    for index, (channels, stride) in enumerate(layers, 1):
        features = keras.layers.ZeroPadding2D(1, name=f"{prefix}_padding_{index}")(features)
        convolution = keras.layers.Conv2D(
            channels,
            4,
            strides=stride,
            kernel_initializer=keras.initializers.GlorotUniform(
                None if seed is None else seed + index
            ),
            dtype="float32" if index == len(layers) else None,  # logits
        )
        features = SpectralNormalization(
            convolution,
            seed=None if seed is None else seed + 100 + index,
            name=f"{prefix}_convolution_{index}",
        )(features)
        if index < len(layers):
            features = keras.layers.LeakyReLU(
                negative_slope=0.2, name=f"{prefix}_activation_{index}"
            )(features)
    return features
