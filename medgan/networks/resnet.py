"""Residual generators: the translators of CycleGAN and CSGAN."""

import keras

from medgan.layers import DivisibleSides
from medgan.networks.blocks import Blocks, centred, check_choice, check_sizes, unit_image

REFLECTION = {"padding": "reflection"}


def resnet_generator(
    *,
    width=64,
    blocks=9,
    channels=1,
    output_channels=1,
    separable=False,
    upsampling="resize",
    normalization="instance",
    seed=None,
    name="resnet_generator",
):
    """A residual generator that translates an image into one of the same size.

    A 7x7 convolution to `width` channels, two 3x3 convolutions of stride 2 to `2 width` and
    `4 width`, `blocks` residual blocks of two 3x3 convolutions, two doublings back to `width`, a
    7x7 convolution and tanh. Every convolution but the last is normalised and, but at the end of a
    residual block, followed by ReLU. Zeros are padded at strided convolutions, reflections
    elsewhere. Kernels start as N(0, 0.02).

    `width=64, blocks=9` from and to 3 channels has 11.378 million parameters and 56.80 G
    multiply-accumulates at 256x256, as published. `width=16, separable=True` is the mobile student
    of 0.137 million and 1.41 G.

    Args:
        width: channels at full resolution.
        blocks: residual blocks: 9 for images of 256 pixels a side and more, 6 below.
        channels: channels of the input.
        output_channels: channels of the output.
        separable: whether convolutions in residual blocks are depthwise 3x3, normalised, then 1x1.
        upsampling: how maps are doubled: `"resize"` (pixels repeated, 3x3 convolution),
            `"transposed"` (3x3 transposed convolution, the papers' way, which leaves checkerboards)
            or `"depth_to_space"` (four times the parameters there).
        normalization: `"instance"` (without learned factors), `"batch"` or `"none"`.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1] to
        `(batch, height, width, output_channels)` in [0, 1]; sides divisible by 4, from 8 up. Its
        layer `"embedding"` is the map after the last residual block; `"before_head"` is what tanh
        takes.

    Raises:
        ValueError: if a choice is unknown or a size is below 1; when called, if a side does not
            fit.

    Example:
        >>> from medgan.networks import resnet_generator
        >>> resnet_generator(width=16, channels=3, output_channels=3, separable=True).count_params()
        137347

    Reference:
        Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
        2017, after Johnson et al., Perceptual Losses, 2016. Separable blocks: Li et al., GAN
        Compression, 2020. Resizing instead of transposed convolutions, reflections around the
        convolutions after it, and [0, 1] instead of [-1, 1] at both ends are ours.
    """
    check_sizes(width=width, blocks=blocks, channels=channels, output_channels=output_channels)
    check_choice("normalization", normalization, ("instance", "batch", "none"))
    make = Blocks(normalization=normalization, upsampling=upsampling, seed=seed)
    options = {"bias": normalization != "batch"}  # batch statistics take a bias away again

    def finished(features, label):
        return make.activated(make.normalized(features, label), label)

    def within_block(features, label):
        if separable:
            features = make.depthwise(features, 3, f"{label}_depthwise", **REFLECTION)
            features = make.normalized(features, f"{label}_depthwise")
            return make.convolution(features, 4 * width, 1, label, **options)
        return make.convolution(features, 4 * width, 3, label, **REFLECTION, **options)

    image = keras.Input((None, None, channels), name="image")
    features = centred(DivisibleSides(4, smallest=8, name="sides")(image))
    features = make.convolution(features, width, 7, "stem", **REFLECTION, **options)
    features = finished(features, "stem")
    for factor in (2, 4):
        label = f"down_{factor}"
        features = make.convolution(features, factor * width, 3, label, strides=2, **options)
        features = finished(features, label)
    for index in range(1, blocks + 1):
        first, second = f"block_{index}_first", f"block_{index}_second"
        change = finished(within_block(features, first), first)
        change = make.normalized(within_block(change, second), second)
        label = "embedding" if index == blocks else f"block_{index}"
        features = keras.layers.Add(name=label)([features, change])
    for factor in (2, 1):
        label = f"up_{factor}"
        features = make.upsampled(
            features, factor * width, label, transposed_size=3, **REFLECTION, **options
        )
        features = finished(features, label)
    features = make.convolution(features, output_channels, 7, "before_head", **REFLECTION)
    return keras.Model(image, unit_image(features), name=name)
