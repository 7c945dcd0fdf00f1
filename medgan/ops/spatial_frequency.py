"""Spatial frequency (SF): how much detail an image holds."""

from keras import ops

from medgan.ops.filters import grey, image_mean, safe_sqrt


def spatial_frequency(images):
    """Root of the summed mean squares of row and column differences.

    `SF = sqrt(mean((F[:, 1:] - F[:, :-1])^2) + mean((F[1:] - F[:-1])^2))`, each mean over the
    differences that exist. It is in the images' own unit: give 0..255 to compare with tables.
    Noise and ringing raise it too; never read it without Qabf.

    Args:
        images: `(batch, height, width, 1)`.

    Returns:
        `(batch,)`, at least 0.

    Example:
        >>> import numpy as np
        >>> from medgan.ops import spatial_frequency
        >>> ramp = np.tile(np.arange(8.0) * 3, (8, 1))[None, :, :, None]
        >>> float(spatial_frequency(ramp)[0])
        3.0

    Reference:
        Eskicioglu and Fisher, Image quality measures and their performance, 1995.
    """
    images = grey(ops.convert_to_tensor(images))
    along_x = image_mean(ops.square(images[:, :, 1:] - images[:, :, :-1]))
    along_y = image_mean(ops.square(images[:, 1:] - images[:, :-1]))
    return safe_sqrt(along_x + along_y)
