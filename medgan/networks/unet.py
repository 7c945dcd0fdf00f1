"""U-Nets: the translators of pix2pix."""

import keras

from medgan.layers import DivisibleSides
from medgan.networks.blocks import Blocks, centred, check_choice, check_sizes, unit_image


def unet_generator(
    *,
    width=64,
    depth=8,
    channels=1,
    output_channels=1,
    upsampling="resize",
    normalization="instance",
    dropout=0.5,
    seed=None,
    name="unet_generator",
):
    """A U-Net that translates an image into one of the same size.

    `depth` 4x4 convolutions of stride 2 to `width`, `2 width`, `4 width` and `8 width` channels,
    the deepest all of `8 width`, and as many doublings back. Every doubling but the innermost is
    also fed with the map of the same size on the way down. LeakyReLU 0.2 on the way down, ReLU on
    the way up; all maps are normalised but the first, the innermost and the image. Kernels start as
    N(0, 0.02).

    The 256 pixels of pix2pix want `depth=8` (down to one pixel). With `upsampling="transposed"` and
    `width=64` it has 54.41 million parameters from and to 3 channels, with `width=16` 3.40 million;
    the default, with 3x3 convolutions on the way up, 39.15 and 2.45 million.

    Args:
        width: channels of the first map.
        depth: halvings, from 2 up: `2^depth` must divide the sides.
        channels: channels of the input.
        output_channels: channels of the output.
        upsampling: how maps are doubled: `"resize"` (pixels repeated, 3x3 convolution),
            `"transposed"` (4x4 transposed convolution, the paper's way, which leaves checkerboards)
            or `"depth_to_space"`.
        normalization: `"instance"` (without learned factors), `"batch"` or `"none"`.
        dropout: share of channel values that are dropped after each doubling among maps of
            `8 width` channels, the innermost excepted: three of them at depth 8, `depth - 5` in
            general. In training only.
        seed: seed of the initial weights and of dropout.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1] to
        `(batch, height, width, output_channels)` in [0, 1]; sides divisible by `2^depth`. Its layer
        `"embedding"` is the innermost map; `"before_head"` is what tanh takes.

    Raises:
        ValueError: if a choice is unknown or a number out of its range; when called, if a side does
            not fit.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import unet_generator
        >>> unet_generator(width=2, depth=3)(np.zeros((1, 40, 64, 1))).shape
        TensorShape([1, 40, 64, 1])

    Reference:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, after
        Ronneberger et al., U-Net, 2015. Resizing instead of transposed convolutions, no dropout at
        inference (the paper keeps it there, as its only noise), instance statistics instead of
        those of a batch of one, and [0, 1] instead of [-1, 1] at both ends are ours.
    """
    check_sizes(width=width, channels=channels, output_channels=output_channels)
    if depth < 2:
        raise ValueError(f"Received depth={depth}, expected 2 or more.")
    if not 0 <= dropout < 1:
        raise ValueError(f"Received dropout={dropout}, expected a share from 0 to below 1.")
    check_choice("normalization", normalization, ("instance", "batch", "none"))
    make = Blocks(normalization=normalization, upsampling=upsampling, seed=seed)
    options = {"bias": normalization != "batch"}  # batch statistics take a bias away again
    widths = [width * min(2**level, 8) for level in range(depth)]

    image = keras.Input((None, None, channels), name="image")
    features = centred(DivisibleSides(2**depth, name="sides")(image))
    on_the_way = []
    for level, count in enumerate(widths, 1):
        label = f"down_{level}"
        features = make.convolution(features, count, 4, label, strides=2, **options)
        if 1 < level < depth:
            features = make.normalized(features, label)
        if level < depth:
            on_the_way.append(features)
            features = make.activated(features, label, negative_slope=0.2)
    features = make.activated(features, label, name="embedding")
    for level in range(depth - 1, 0, -1):
        label = f"up_{level}"
        features = make.upsampled(features, widths[level - 1], label, **options)
        features = make.normalized(features, label)
        if dropout and 4 <= level < depth - 1:
            features = keras.layers.Dropout(
                dropout, seed=make.next_seed(), name=f"{label}_dropout"
            )(features)
        features = keras.layers.Concatenate(name=f"{label}_joined")(
            [on_the_way[level - 1], features]
        )
        features = make.activated(features, label)
    features = make.upsampled(features, output_channels, "before_head")
    return keras.Model(image, unit_image(features), name=name)
