"""What TensorFlow computes faster on a CPU when it is told how: the same results, in training.

A layer takes these ways in training alone: they are no operations that an export knows, and a GPU
or another backend is better served by the plain ones.
"""

import functools

import keras
import numpy as np


@functools.cache
def pays():
    """Whether this process computes with TensorFlow on CPUs alone."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return all(device.device_type == "CPU" for device in tf.config.get_visible_devices())


def normalized(maps, epsilon):
    """Maps with mean 0 and variance 1 in each channel of each image, in three passes over them.

    To the operation for batches, an image is a batch of its own if all images lie side by side as
    channels. It takes statistics and gradient in one go; written out, each of both reads and
    writes all maps half a dozen times.

    Args:
        maps: `(batch, height, width, channels)`, float32.
        epsilon: added to the variance.
    """
    import tensorflow as tf

    batch, height, width, channels = tf.unstack(tf.shape(maps))
    # For one image this moves nothing: TensorFlow sees that the order in memory is the same.
    aside = tf.reshape(tf.transpose(maps, (1, 2, 0, 3)), (1, height, width, batch * channels))
    ones = tf.ones((batch * channels,))
    aside = tf.raw_ops.FusedBatchNormV3(
        x=aside,
        scale=ones,
        offset=tf.zeros_like(ones),
        mean=tf.zeros((0,)),
        variance=tf.zeros((0,)),
        epsilon=epsilon,
        is_training=True,
    ).y
    back = tf.transpose(tf.reshape(aside, (height, width, batch, channels)), (2, 0, 1, 3))
    return tf.ensure_shape(back, maps.shape)


def reflected(images, padding):
    """Images padded by reflection, copied once; and once on the way back.

    Args:
        images: `(batch, height, width, channels)`.
        padding: rows and columns added on each side; smaller than the image.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def pad(images):
        batch, height, width, channels = tf.unstack(tf.shape(images))
        sources = width * _mirrored(height, padding)[:, None] + _mirrored(width, padding)[None]
        padded_shape = (batch, height + 2 * padding, width + 2 * padding, channels)
        pixels = tf.reshape(images, (batch, height * width, channels))
        padded = tf.gather(pixels, tf.reshape(sources, (-1,)), axis=1)

        def gradient(slopes):
            """Each border pixel's slope goes to the pixel that it mirrors."""
            inner = slopes[:, padding : padding + height, padding : padding + width]
            starts = tf.range(batch)[:, None]
            taken = starts * padded_shape[1] * padded_shape[2] + _border(
                tf.reshape(tf.range(padded_shape[1] * padded_shape[2]), tf.shape(sources)), padding
            )
            given = starts * height * width + _border(sources, padding)
            border = tf.gather(tf.reshape(slopes, (-1, channels)), tf.reshape(taken, (-1,)))
            summed = tf.tensor_scatter_nd_add(
                tf.reshape(inner, (-1, channels)), tf.reshape(given, (-1, 1)), border
            )
            return tf.reshape(summed, (batch, height, width, channels))

        return tf.reshape(padded, padded_shape), gradient

    height, width = (None if n is None else n + 2 * padding for n in images.shape[1:3])
    return tf.ensure_shape(pad(images), (images.shape[0], height, width, images.shape[3]))


def halved(images, kernel):
    """A convolution of stride 2 with one pixel of zeros on each side, without a copy of the images.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(3, 3, channels, filters)`, of the images' type.
    """
    import tensorflow as tf

    return tf.nn.conv2d(images, kernel, 2, ((0, 0), (1, 1), (1, 1), (0, 0)))


def doubled(images, kernel):
    """A transposed convolution of stride 2 that leaves out the first row and column.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(3, 3, filters, channels)`, of the images' type.
    """
    import tensorflow as tf

    batch, height, width, _ = tf.unstack(tf.shape(images))
    sides = (None if n is None else 2 * n for n in images.shape[1:3])
    maps = tf.nn.conv2d_transpose(
        images,
        kernel,
        (batch, 2 * height, 2 * width, kernel.shape[2]),
        2,
        ((0, 0), (1, 0), (1, 0), (0, 0)),
    )
    return tf.ensure_shape(maps, (images.shape[0], *sides, kernel.shape[2]))


def convolved(images, kernel):
    """A convolution to few channels, of stride 1 and without padding, column by column.

    The columns of the kernel become filters of a kernel one column wide; a second kernel, one row
    high, takes each filter's map from where its column lay, and sums.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(rows, columns, channels, filters)`, of the images' type.
    """
    import tensorflow as tf

    rows, columns, channels, filters = kernel.shape
    narrow = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3)), (rows, 1, channels, columns * filters))
    summing = np.eye(columns * filters).reshape(1, columns, filters, columns * filters)
    summing = summing.transpose(0, 1, 3, 2)
    maps = tf.nn.conv2d(images, narrow, 1, "VALID")
    return tf.nn.conv2d(maps, tf.constant(summing, images.dtype), 1, "VALID")


def _mirrored(length, padding):
    """Which pixel of a line each pixel of the padded line shows."""
    import tensorflow as tf

    places = tf.abs(tf.range(-padding, length + padding))
    return length - 1 - tf.abs(length - 1 - places)


def _border(grid, padding):
    """The places of a grid that padding has added, in one line."""
    import tensorflow as tf

    inside = grid[padding:-padding]
    parts = grid[:padding], grid[-padding:], inside[:, :padding], inside[:, -padding:]
    return tf.concat([tf.reshape(part, (-1,)) for part in parts], axis=0)
