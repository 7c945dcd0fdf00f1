"""Generator and discriminator of DCGAN: images from noise."""

import keras

from medgan.networks.blocks import (
    Blocks,
    centred,
    check_sizes,
    halvings,
    unit_image,
)


def dcgan_generator(
    *,
    image_size=64,
    width=64,
    channels=1,
    latent_size=100,
    upsampling="resize",
    seed=None,
    name="dcgan_generator",
):
    """DCGAN's generator: a dense layer to 4x4 pixels, doubled until the image is there.

    At 64 pixels a side: 16, 8, 4 and 2 times `width` channels at 4, 8, 16 and 32 pixels, then the
    image; batch normalisation and ReLU after all but the last, tanh. Larger images start with more
    doublings, of at most `8 width` channels. Kernels start as N(0, 0.02).

    Args:
        image_size: height and width of the image, a power of two from 8 up.
        width: channels of the map that would have the image's size.
        channels: channels of the image.
        latent_size: numbers in a noise vector.
        upsampling: how maps are doubled: `"resize"` (pixels repeated, 3x3 convolution),
            `"transposed"` (4x4 transposed convolution, the paper's way, which leaves checkerboards)
            or `"depth_to_space"`.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from noise `(batch, latent_size)`, N(0, 1), to
        `(batch, image_size, image_size, channels)` in [0, 1]. Its layer `"embedding"` is the last
        map; `"before_head"` is what tanh takes.

    Raises:
        ValueError: if the choice is unknown or a size out of its range.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import dcgan_generator
        >>> dcgan_generator(image_size=16, width=2)(np.zeros((3, 100))).shape
        TensorShape([3, 16, 16, 1])

    Reference:
        Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks, 2016, figure 1; taps and initial weights as in the authors'
        first port to Torch. Resizing instead of transposed convolutions, noise from N(0, 1) instead
        of a cube, and [0, 1] instead of [-1, 1] are ours.
    """
    doublings = halvings(image_size)
    check_sizes(width=width, channels=channels, latent_size=latent_size)
    make = Blocks(normalization="batch", upsampling=upsampling, seed=seed)
    most = (16 if image_size <= 64 else 8) * width

    def finished(features, label, step):
        last = "embedding" if step == doublings - 1 else None
        return make.activated(make.normalized(features, label), label, name=last)

    noise = keras.Input((latent_size,), name="noise")
    # Batch statistics take every bias away again.
    start = min(most, width * image_size // 4)
    features = make.dense(noise, 16 * start, "stem", bias=False)
    features = keras.layers.Reshape((4, 4, start), name="stem_map")(features)
    features = finished(features, "stem", 0)
    for step in range(1, doublings):
        label = f"up_{step}"
        count = min(most, width * image_size // (4 * 2**step))
        features = finished(make.upsampled(features, count, label, bias=False), label, step)
    features = make.upsampled(features, channels, "before_head")
    return keras.Model(noise, unit_image(features), name=name)


def dcgan_discriminator(
    *,
    image_size=64,
    width=64,
    channels=1,
    normalization="batch",
    seed=None,
    name="dcgan_discriminator",
):
    """DCGAN's discriminator: 4x4 convolutions of stride 2 down to 4x4 pixels, then one logit.

    `width` channels after the first, twice as many after each of the next, at most `8 width`;
    LeakyReLU 0.2; normalisation after all but the first and the logit. Kernels start as N(0, 0.02).

    Args:
        image_size: height and width of the image, a power of two from 8 up.
        width: channels of the first layer.
        channels: channels of the image.
        normalization: `"batch"` (DCGAN), `"layer"` or `"none"` (a critic with a gradient penalty:
            statistics of a batch would let images see each other), `"spectral"` (kernels are
            normalised, maps are not) or `"instance"`.
        seed: seed of the initial weights.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, image_size, image_size, channels)` in [0, 1] to raw
        logits `(batch, 1)`.

    Raises:
        ValueError: if the choice is unknown or a size out of its range.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import dcgan_discriminator
        >>> dcgan_discriminator(image_size=16, width=2)(np.zeros((3, 16, 16, 1))).shape
        TensorShape([3, 1])

    Reference:
        Radford, Metz and Chintala, 2016. Layer normalisation under a gradient penalty: Gulrajani et
        al., 2017; spectral normalisation: Miyato et al., 2018.
    """
    steps = halvings(image_size)
    check_sizes(width=width, channels=channels)
    make = Blocks(normalization=normalization, seed=seed)
    image = keras.Input((image_size, image_size, channels), name="image")
    features = centred(image)
    for step in range(1, steps + 1):
        label = f"down_{step}"
        # Batch statistics take a bias away again.
        bias = step == 1 or normalization != "batch"
        count = width * min(2 ** (step - 1), 8)
        features = make.convolution(features, count, 4, label, strides=2, bias=bias)
        if step > 1:
            features = make.normalized(features, label)
        features = make.activated(features, label, negative_slope=0.2)
    features = make.convolution(features, 1, 4, "logits", padding=None, dtype="float32")
    logits = keras.layers.Flatten(name="logit", dtype="float32")(features)
    return keras.Model(image, logits, name=name)
