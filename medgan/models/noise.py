"""Generators that make images of noise: what a trainer asks of them, and how it draws."""

import keras
from keras import ops

from medgan.ops.replicas import own_rows


def check_networks(generator, discriminator):
    """Raises ValueError unless one network makes images of noise and the other can judge them."""
    noise, made, judged = (
        getattr(network, f"{end}_shape", None)
        for network, end in ((generator, "input"), (generator, "output"), (discriminator, "input"))
    )
    if not isinstance(noise, tuple) or len(noise) < 2 or None in noise[1:]:
        raise ValueError(
            f"Received a generator with the input shape {noise}, expected noise of known size such "
            "as (None, 100). Give a functional model, such as dcgan_generator()."
        )
    if not _fit(made, judged):
        raise ValueError(
            f"Received a generator of images {made} and a discriminator of images {judged}, "
            "expected the same sides and channels. Build both with the same arguments."
        )


def drawn_for(images, generator, seed_generator):
    """Noise from N(0, 1) for a generator, as many rows as a batch has images."""

    def draw(rows):
        shape = (rows, *generator.input_shape[1:])
        return keras.random.normal(shape, dtype="float32", seed=seed_generator)

    return own_rows(draw, ops.shape(images)[0])


def check_images(real, made):
    """Raises ValueError for real images of another size than the generator's."""
    if not _fit(made.shape, real.shape):
        raise ValueError(
            f"Received real images {tuple(real.shape)}, and the generator makes "
            f"{tuple(made.shape)}. Resize the images, or build both networks for theirs."
        )


def _fit(first, second):
    """Whether two shapes of batches of images agree as far as they are known."""
    first, second = tuple(first or ()), tuple(second or ())
    if not len(first) == len(second) == 4:
        return False
    pairs = zip(first[1:], second[1:], strict=True)
    return all(None in pair or pair[0] == pair[1] for pair in pairs)
