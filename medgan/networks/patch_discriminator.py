"""Patch discriminators: small judges of local realism."""

import keras

from medgan.layers import DivisibleSides
from medgan.networks.blocks import Blocks, check_choice, check_sizes

RECEPTIVE_FIELDS = (16, 34, 70, 142, 286)


def patch_discriminator(
    *,
    width=32,
    channels=1,
    receptive_field=34,
    normalization="spectral",
    seed=None,
    name="patch_discriminator",
):
    """A patch discriminator: one logit for every patch of an image.

    4x4 convolutions, padding 1: of stride 2 to `width`, `2 width` and so on up to `8 width`, as
    many as the receptive field wants (16: 1, 34: 2, 70: 3, 142: 4, 286: 5), one of stride 1 to
    twice as many, one of stride 1 to the logit; LeakyReLU 0.2.

    With `"spectral"` every kernel is divided by its largest singular value, which bounds the slope,
    and maps are not normalised: for a few hundred slices. The default has 166,625 parameters and
    62x62 logits at 256x256. The papers' 70x70 discriminator is `width=64, receptive_field=70,
    normalization="instance"`: all maps but those of the first and the last convolution are
    normalised, kernels start as N(0, 0.02); 2.763 million parameters, 30x30 logits at 256x256.

    Args:
        width: channels of the first layer.
        channels: channels of the image it judges; where it judges a pair, of both together.
        receptive_field: pixels a side that a logit sees: 16, 34, 70, 142 or 286.
        normalization: `"spectral"`, `"instance"` (without learned factors) or `"none"`, as
            a critic with a gradient penalty wants it.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1] to raw logits
        `(batch, height / s - 2, width / s - 2, 1)`, where s is 2 to the number of halvings: 4 for a
        receptive field of 34. Images of at least `3 s` pixels a side.

    Raises:
        ValueError: if a choice is unknown or a size is below 1; when called, if an image is smaller
            than that.

    Example:
        >>> from medgan.networks import patch_discriminator
        >>> sum(v.shape.num_elements() for v in patch_discriminator().trainable_variables)
        166625

    Reference:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017;
        Miyato et al., Spectral Normalization for GANs, 2018. Images in [0, 1] instead of [-1, 1],
        the smaller field and the narrower default are ours.
    """
    check_sizes(width=width, channels=channels)
    if receptive_field not in RECEPTIVE_FIELDS:
        expected = ", ".join(map(str, RECEPTIVE_FIELDS))
        raise ValueError(f"Received receptive_field={receptive_field}, expected one of {expected}.")
    check_choice("normalization", normalization, ("spectral", "instance", "none"))
    halvings = RECEPTIVE_FIELDS.index(receptive_field) + 1
    image = keras.Input((None, None, channels), name="image")
    judged = DivisibleSides(1, smallest=3 * 2**halvings, name="sides")(image)
    logits = _patch_logits(judged, width, seed, "patch", halvings, normalization)
    return keras.Model(image, logits, name=name)


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
    if not modalities:
        raise ValueError("Received no modalities, expected 1 or more.")
    check_sizes(width=width)
    images = keras.Input((None, None, len(modalities)), name="images")
    logits = []
    channels = keras.ops.split(images, len(modalities), axis=-1)
    for index, (modality, image) in enumerate(zip(modalities, channels, strict=True)):
        part_seed = None if seed is None else seed + 1000 * index
        logits.append(_patch_logits(image, width, part_seed, modality))
    if len(logits) > 1:
        logits = [keras.layers.Concatenate(name="logits", dtype="float32")(logits)]
    return keras.Model(images, logits[0], name=name)


def _patch_logits(image, width, seed, prefix, halvings=2, normalization="spectral"):
    # The scale of a kernel that is divided by its norm is a matter of taste.
    initializer = keras.initializers.GlorotUniform if normalization == "spectral" else None
    make = Blocks(normalization=normalization, initializer=initializer, seed=seed)
    features = image
    layers = [(min(2**index, 8) * width, 2) for index in range(halvings)]
    layers += [(min(2**halvings, 8) * width, 1), (1, 1)]
    for index, (channels, stride) in enumerate(layers, 1):
        label = f"{prefix}_convolution_{index}"
        last = index == len(layers)
        features = make.convolution(
            features, channels, 4, label, strides=stride, dtype="float32" if last else None
        )
        if 1 < index < len(layers):
            features = make.normalized(features, label)
        if not last:
            features = make.activated(features, label, negative_slope=0.2)
    return features
