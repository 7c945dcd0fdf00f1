"""Dense fusion generators: the family of KGAN's teachers and students."""

import keras

from medgan.layers import Blend, MaximumResidual, ReflectionPadding2D
from medgan.networks.blocks import check_choice, check_sizes, layer_seeds, unit_image

HEADS = ("maximum_residual", "blend", "tanh")


def dense_fusion_generator(
    *,
    width=32,
    head="maximum_residual",
    dense_layers=4,
    sources=2,
    seed=None,
    name="dense_fusion_generator",
):
    """A densely connected generator that fuses two registered images into one.

    A 3x3 convolution of `width` channels, `dense_layers` 3x3 convolutions of `width` channels, each
    fed with everything before it, then 3x3 convolutions of 8/3, 4/3 and 2/3 of `width` (at least 4)
    channels and the head. Reflection padding, LeakyReLU 0.2, He initialisation, no normalisation:
    statistics of a batch or an image would shift intensities that must be kept.

    The same function makes a teacher (`width=32`: 255,702 parameters with the tanh head) and its
    students (16: 63,640; 8: 15,926; 4: 4,018).

    Args:
        width: channels of the dense layers.
        head: `"maximum_residual"` starts at the pixel-wise maximum of the sources and learns a
            correction, `"blend"` a mixture of two sources and a correction, `"tanh"` the image.
        dense_layers: number of dense layers.
        sources: channels of the input: 2 to fuse, 1 to make one source from a fused image (with
            `"maximum_residual"` that starts at the fused image).
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, sources)` in [0, 1] (CT, MR) to
        `(batch, height, width, 1)`, for any height and width from 2 up. Its layer `"embedding"` is
        the last dense map; `"before_head"` is what the head takes.

    Raises:
        ValueError: if the head is unknown, a size is below 1, or a blend has not two sources.

    Example:
        >>> from medgan.networks import dense_fusion_generator
        >>> dense_fusion_generator(width=8, head="tanh").count_params()
        15926

    Reference:
        The encoder follows DDcGAN (Ma et al., 2020) and DenseFuse (Li and Wu, 2019); the paper
        leaves its generator open. Starting from the maximum is ours.
    """
    check_choice("head", head, HEADS)
    check_sizes(width=width, dense_layers=dense_layers, sources=sources)
    if head == "blend" and sources != 2:
        raise ValueError(
            f"Received sources={sources} and head='blend', expected two sources: "
            "'maximum_residual' and 'tanh' take any number."
        )
    next_seed = layer_seeds(seed)

    def convolution(features, channels, label, initializer=None):
        features = ReflectionPadding2D(1, name=f"{label}_padding")(features)
        if initializer is None:
            initializer = keras.initializers.HeNormal(seed=next_seed())
        return keras.layers.Conv2D(channels, 3, kernel_initializer=initializer, name=label)(
            features
        )

    def activated(features, channels, label):
        features = convolution(features, channels, label)
        return keras.layers.LeakyReLU(negative_slope=0.2, name=f"{label}_activation")(features)

    stacked = keras.Input((None, None, sources), name="sources")
    features = activated(stacked, width, "stem")
    for index in range(1, dense_layers + 1):
        grown = activated(features, width, f"dense_{index}")
        label = "embedding" if index == dense_layers else f"dense_{index}_joined"
        features = keras.layers.Concatenate(name=label)([features, grown])
    for index, share in enumerate((8, 4, 2), 1):
        features = activated(features, max(4, share * width // 3), f"decode_{index}")
    if head == "tanh":
        before = convolution(features, 1, "before_head")
        fused = unit_image(before, name="fused")
    else:
        channels, layer = (1, MaximumResidual) if head == "maximum_residual" else (2, Blend)
        before = convolution(features, channels, "before_head", "zeros")
        # The image is float32 in any precision, like the sources that it starts from.
        fused = layer(name="fused", dtype="float32")([stacked, before])
    return keras.Model(stacked, fused, name=name)
