"""Generator and discriminators of DDcGAN: fusion with one judge for each source."""

import keras

from medgan.networks.blocks import Blocks, check_sizes, padded, unit_image

SMALLEST_IMAGE = 5  # the third convolution reflects a border of a map of two pixels


def ddcgan_generator(*, width=48, sources=2, seed=None, name="ddcgan_generator"):
    """DDcGAN's generator: a dense encoder and a decoder that keep the size.

    3x3 convolutions behind reflection padding: one to `width`, four dense ones of `width` channels,
    each fed with everything after the first; then `5 width` channels twice with the same kernel,
    8/3, 4/3 and 2/3 of `width` (at least 4), and the image, tanh. Batch normalisation after all but
    the first pass of the shared kernel and the image, ReLU after all but the image.

    Args:
        width: channels of the encoder's layers.
        sources: channels of the input.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, sources)` in [0, 1] to
        `(batch, height, width, 1)` in [0, 1], for sides from 2 up. Its layer `"embedding"` is the
        last dense map; `"before_head"` is what tanh takes.

    Raises:
        ValueError: if a size is below 1.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import ddcgan_generator
        >>> ddcgan_generator(width=3)(np.zeros((1, 20, 24, 2))).shape
        TensorShape([1, 20, 24, 1])

    Reference:
        Ma et al., DDcGAN: A Dual-Discriminator Conditional Generative Adversarial Network for
        Multi-Resolution Image Fusion, 2020. As in the authors' code for PET and MR, the sources of
        one size: its loop applies the decoder's first kernel twice, and so do we. It normalises by
        the statistics of the batch at all times; here those of training are kept for inference.
    """
    check_sizes(width=width, sources=sources)
    make = Blocks(normalization="batch", initializer=_truncated(0.05), seed=seed)

    def convolution(features, channels, label):
        return make.convolution(features, channels, 3, label, padding="reflection")

    def finished(features, label):
        return make.activated(make.normalized(features, label), label)

    stacked = keras.Input((None, None, sources), name="sources")
    features = finished(convolution(stacked, width, "stem"), "stem")
    for index in range(1, 5):
        label = f"dense_{index}"
        grown = finished(convolution(features, width, label), label)
        label = "embedding" if index == 4 else f"{label}_joined"
        features = keras.layers.Concatenate(name=label)([grown, features])
    shared = keras.layers.Conv2D(
        5 * width, 3, kernel_initializer=make.initializer(), name="decode_1"
    )
    for step in ("first", "second"):
        features = padded(features, 3, f"decode_1_{step}", "reflection")
        features = shared(features)
        if step == "first":
            features = make.activated(features, "decode_1_first")
    features = finished(features, "decode_1")
    for index, share in enumerate((8, 4, 2), 2):
        label = f"decode_{index}"
        features = finished(convolution(features, max(4, share * width // 3), label), label)
    features = convolution(features, 1, "before_head")
    return keras.Model(stacked, unit_image(features, name="fused"), name=name)


def ddcgan_discriminator(
    *,
    modalities=("ct", "mr"),
    width=16,
    image_size=84,
    seed=None,
    name="ddcgan_discriminator",
):
    """DDcGAN's discriminators, one for each source, side by side in one network.

    Each sees its own channel alone: three 3x3 convolutions of stride 2 behind reflection padding to
    `width`, `2 width` and `4 width` channels, ReLU, batch normalisation after all but the first;
    then a dense layer to one logit.

    Args:
        modalities: names of the input's channels; layers are named after them.
        width: channels of the first layer of each discriminator.
        image_size: height and width of the image, the crop of a training; at least 5.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, image_size, image_size, modalities)` in [0, 1] to
        raw logits `(batch, modalities)`: the stacked sources, or a fused image repeated.

    Raises:
        ValueError: if there is no modality or a size is too small.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import ddcgan_discriminator
        >>> ddcgan_discriminator(width=2, image_size=16)(np.zeros((3, 16, 16, 2))).shape
        TensorShape([3, 2])

    Reference:
        Ma et al., 2020, as in the authors' code; raw logits instead of `tanh / 2 + 1 / 2` of them.
    """
    check_sizes(width=width)
    if not modalities:
        raise ValueError("Received no modalities, expected 1 or more.")
    if image_size < SMALLEST_IMAGE:
        raise ValueError(f"Received image_size={image_size}, expected {SMALLEST_IMAGE} or more.")
    make = Blocks(normalization="batch", initializer=_truncated(0.1), seed=seed)
    images = keras.Input((image_size, image_size, len(modalities)), name="images")
    logits = []
    channels = keras.ops.split(images, len(modalities), axis=-1)
    for modality, features in zip(modalities, channels, strict=True):
        for layer in range(3):
            label = f"{modality}_convolution_{layer + 1}"
            features = make.convolution(
                features, 2**layer * width, 3, label, strides=2, padding="reflection"
            )
            if layer:
                features = make.normalized(features, label)
            features = make.activated(features, label)
        features = keras.layers.Flatten(name=f"{modality}_flat")(features)
        logits.append(
            keras.layers.Dense(
                1,
                kernel_initializer=keras.initializers.GlorotUniform(make.next_seed()),
                dtype="float32",
                name=f"{modality}_logit",
            )(features)
        )
    if len(logits) > 1:
        logits = [keras.layers.Concatenate(name="logits", dtype="float32")(logits)]
    return keras.Model(images, logits[0], name=name)


def _truncated(stddev):
    return lambda seed: keras.initializers.TruncatedNormal(stddev=stddev, seed=seed)
