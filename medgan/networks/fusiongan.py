"""Generator and discriminator of FusionGAN, the first GAN that fused images."""

import keras

from medgan.layers import ReflectionPadding2D
from medgan.networks.blocks import Blocks, centred, check_sizes, unit_image

SMALLEST_IMAGE = 31  # four unpadded halvings leave one pixel


def fusiongan_generator(*, width=256, sources=2, seed=None, name="fusiongan_generator"):
    """FusionGAN's generator: five convolutions that keep the size.

    5x5 to `width` and to `width / 2`, 3x3 to `width / 4` and to `width / 8`, 1x1 to the image and
    tanh; batch normalisation and LeakyReLU 0.2 after all but the last. Every kernel is divided by
    its largest singular value.

    Args:
        width: channels of the first layer, at least 8.
        sources: channels of the input.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, sources)` in [0, 1] to
        `(batch, height, width, 1)` in [0, 1], for sides from 7 up. Its layer `"embedding"` is the
        last map; `"before_head"` is what tanh takes.

    Raises:
        ValueError: if a size is too small.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import fusiongan_generator
        >>> fusiongan_generator(width=8)(np.zeros((1, 20, 24, 2))).shape
        TensorShape([1, 20, 24, 1])

    Reference:
        Ma et al., FusionGAN: A Generative Adversarial Network for Infrared and Visible Image
        Fusion, 2019; layers, spectral normalisation and initial kernels (N(0, 0.001), truncated) as
        in the authors' code. There, images of 132 pixels a side become 120, and the border is
        repeated for tests only; here 6 pixels are reflected at all times. [0, 1] instead of [-1, 1]
        is ours.
    """
    check_sizes(sources=sources)
    if width < 8:
        raise ValueError(f"Received width={width}, expected 8 or more.")
    make = Blocks(normalization="spectral", initializer=_small, seed=seed)
    stacked = keras.Input((None, None, sources), name="sources")
    features = ReflectionPadding2D(6, name="padding")(centred(stacked))
    for index, (size, share) in enumerate(((5, 1), (5, 2), (3, 4), (3, 8)), 1):
        label = f"convolution_{index}"
        features = make.convolution(features, width // share, size, label, padding=None)
        features = make.batch_normalized(features, f"{label}_normalization")
        last = "embedding" if index == 4 else None
        features = make.activated(features, label, negative_slope=0.2, name=last)
    features = make.convolution(features, 1, 1, "before_head")
    return keras.Model(stacked, unit_image(features, name="fused"), name=name)


def fusiongan_discriminator(
    *, width=32, channels=1, image_size=120, seed=None, name="fusiongan_discriminator"
):
    """FusionGAN's discriminator: does an image come from the source with the details?

    Four unpadded 3x3 convolutions of stride 2 to `width`, `2 width`, `4 width` and `8 width`
    channels, LeakyReLU 0.2, batch normalisation after all but the first; a dense layer to one
    logit. Every kernel is divided by its largest singular value.

    Args:
        width: channels of the first layer.
        channels: channels of the image it judges.
        image_size: height and width of the image, the crop of a training; at least 31.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, image_size, image_size, channels)` in [0, 1] to raw
        logits `(batch, 1)`.

    Raises:
        ValueError: if a size is too small.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import fusiongan_discriminator
        >>> fusiongan_discriminator(width=2, image_size=32)(np.zeros((3, 32, 32, 1))).shape
        TensorShape([3, 1])

    Reference:
        Ma et al., 2019, as in the authors' code.
    """
    check_sizes(width=width, channels=channels)
    if image_size < SMALLEST_IMAGE:
        raise ValueError(f"Received image_size={image_size}, expected {SMALLEST_IMAGE} or more.")
    make = Blocks(normalization="spectral", initializer=_small, seed=seed)
    image = keras.Input((image_size, image_size, channels), name="image")
    features = centred(image)
    for index in range(4):
        label = f"convolution_{index + 1}"
        features = make.convolution(features, 2**index * width, 3, label, strides=2, padding=None)
        if index:
            features = make.batch_normalized(features, f"{label}_normalization")
        features = make.activated(features, label, negative_slope=0.2)
    features = keras.layers.Flatten(name="flat")(features)
    return keras.Model(image, make.dense(features, 1, "logit", dtype="float32"), name=name)


def _small(seed):
    return keras.initializers.TruncatedNormal(stddev=1e-3, seed=seed)
