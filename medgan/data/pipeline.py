"""Pairs in memory to batches of a `tf.data.Dataset`."""

import numpy as np

from medgan.data.pairs import FULL_SCALE, Pairs
from medgan.errors import DataError

# A pixel counts as head, not air, when one of the two modalities is brighter than this.
FOREGROUND = 0.04
CROP_CANDIDATES = 8


def training_batches(
    pairs: Pairs,
    batch_size: int,
    crop: int | None = None,
    flips: bool = True,
    rotations: bool = True,
    minimum_foreground: float = 0.3,
    seed: int = 0,
    first_step: int = 0,
    vertical_flips: bool = True,
):
    """Endless shuffled, augmented batches for training.

    Every sample is a pure function of `seed` and of its index in the stream, so a run that
    resumes at step k asks for `first_step=k` and gets the very batches that an
    uninterrupted run would have seen, without computing the ones before. Both images of a
    pair are channels of one tensor and share every draw.

    Each epoch is a fresh permutation of all pairs; epochs follow each other without a gap,
    so a batch may hold the end of one and the start of the next.

    Args:
        pairs: at least one pair. Sizes may differ if there is a crop.
        batch_size: samples in a batch.
        crop: edge of a random square crop; None takes whole images of one size.
        flips: whether to flip left-right and, with `vertical_flips`, up-down, each with
            probability one half.
        rotations: whether to rotate by 0, 90, 180 or 270 degrees.
        minimum_foreground: share of a crop, 0 to 1, that should show the head. Of eight
            random positions the first with that share wins, else the one with most. Counting
            takes four more bytes of memory for each pixel.
        seed: any integer of 64 bits.
        first_step: how many batches of the stream to leave out.
        vertical_flips: False keeps what is up up: a network that knows anatomy then never sees a
            head that stands on its head.

    Returns:
        A `tf.data.Dataset` of float32 `(batch_size, crop, crop, 2)` in [0, 1].

    Raises:
        DataError: if there are no pairs, an image is smaller than the crop, sizes differ
            without a crop, or rectangles without a crop would be rotated.

    Example:
        >>> from medgan.data import phantoms, training_batches
        >>> pairs = phantoms(count=3, patients=3, image_size=64)
        >>> batches = training_batches(pairs, batch_size=4, crop=32)
        >>> next(iter(batches)).shape
        TensorShape([4, 32, 32, 2])
    """
    _check_training(pairs, batch_size, crop, rotations, minimum_foreground, first_step)
    import tensorflow as tf

    memory = _Memory(pairs)
    count = len(pairs)
    first_sample = first_step * batch_size
    # Graphs hold what they capture on the device where it lies: pixels stay with the CPU.
    with tf.device("/CPU:0"):
        seed = tf.constant(seed, "int64")
        tables, table_offsets = _foreground_tables(pairs) if crop else (None, None)

    def samples_of_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype="int64"), tf.stack([seed, epoch])
        )
        # Only the epoch in which the stream begins can lack its beginning.
        missing = tf.maximum(first_sample - epoch * count, 0)
        indices = epoch * count + tf.range(missing, count, dtype="int64")
        return tf.data.Dataset.from_tensor_slices((indices, order[missing:]))

    def sample(index, chosen):
        draws = tf.random.stateless_uniform([3 + 2 * CROP_CANDIDATES], tf.stack([seed, index]))
        image = memory.image(chosen)
        if crop:
            table_start = table_offsets[chosen]
            size = memory.sizes[chosen]
            top, left = crop_position(size, table_start, draws[3:])
            image = image[top : top + crop, left : left + crop]
        image = _turn(image, draws[:3], flips, flips and vertical_flips, rotations)
        image.set_shape([crop, crop, 2] if crop else [*pairs.sizes()[0], 2])
        return tf.cast(image, "float32") / memory.full_scale

    def crop_position(size, table_start, draws):
        free = tf.cast(size - crop + 1, "float32")
        corners = tf.cast(tf.reshape(draws, [CROP_CANDIDATES, 2]) * free, "int64")
        top, left = corners[:, 0], corners[:, 1]
        stride = size[1] + 1
        first_row = table_start + top * stride + left
        last_row = first_row + crop * stride
        shown = (
            tf.gather(tables, last_row + crop)
            - tf.gather(tables, last_row)
            - tf.gather(tables, first_row + crop)
            + tf.gather(tables, first_row)
        )
        # Enough is enough: cutting off what exceeds it makes argmax take the first that does.
        enough = int(np.ceil(minimum_foreground * crop * crop))
        best = tf.argmax(tf.minimum(shown, enough))
        return top[best], left[best]

    dataset = tf.data.Dataset.counter(first_sample // count).flat_map(samples_of_epoch)
    dataset = dataset.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    # TensorFlow does not see that the epochs never end; Keras wants to know.
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return dataset.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(pairs: Pairs, batch_size: int = 8):
    """Whole images, in order, once.

    Args:
        pairs: at least one pair.
        batch_size: most images in a batch. Images of different sizes never share one: a
            change of size starts a new batch. The last of a size may be short.

    Returns:
        A `tf.data.Dataset` of float32 `(batch, height, width, 2)` in [0, 1] whose
        cardinality is known.

    Raises:
        DataError: if there are no pairs or `batch_size` is less than 1.

    Example:
        >>> from medgan.data import evaluation_batches, phantoms
        >>> pairs = phantoms(count=3, patients=3, image_size=32)
        >>> [batch.shape[0] for batch in evaluation_batches(pairs, batch_size=2)]
        [2, 1]
    """
    _check_batches(pairs, batch_size)
    import tensorflow as tf

    memory = _Memory(pairs)
    sizes = pairs.sizes()
    starts: list[int] = []
    lengths: list[int] = []
    for index, size in enumerate(sizes):
        if index and size == sizes[index - 1] and lengths[-1] < batch_size:
            lengths[-1] += 1
        else:
            starts.append(index)
            lengths.append(1)

    def batch(start, length):
        # Neighbours of one size lie side by side in memory: a batch is a single slice.
        size = memory.sizes[start]
        shape = tf.stack([length, size[0], size[1], tf.constant(2, "int64")])
        images = tf.reshape(memory.slice(start, tf.reduce_prod(shape)), shape)
        images.set_shape([None, *(sizes[0] if len(set(sizes)) == 1 else (None, None)), 2])
        return tf.cast(images, "float32") / memory.full_scale

    slices = (np.array(starts, "int64"), np.array(lengths, "int64"))
    dataset = tf.data.Dataset.from_tensor_slices(slices)
    dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)


class _Memory:
    """All pixels in one flat tensor of their own type, whatever the sizes of the images."""

    def __init__(self, pairs):
        import tensorflow as tf

        types = {image.dtype.name for image in pairs.images}
        # 8 bits widen to 16 without loss (255 * 257 = 65535); float32 holds either.
        stored = max(types, key=lambda name: np.dtype(name).itemsize)
        images = [_converted(image, stored).ravel() for image in pairs.images]
        offsets = np.cumsum([0, *(image.size for image in images)])
        with tf.device("/CPU:0"):
            self.values = tf.constant(np.concatenate(images))
            self.offsets = tf.constant(offsets[:-1], "int64")
            self.sizes = tf.constant(pairs.sizes(), "int64")
        self.full_scale = FULL_SCALE[stored]

    def slice(self, index, length):
        import tensorflow as tf

        return tf.slice(self.values, [self.offsets[index]], [length])

    def image(self, index):
        import tensorflow as tf

        shape = tf.concat([self.sizes[index], tf.constant([2], "int64")], axis=0)
        return tf.reshape(self.slice(index, tf.reduce_prod(shape)), shape)


def _converted(image, stored):
    if image.dtype.name == stored:
        return image
    if stored == "uint16":
        return image.astype("uint16") * np.uint16(257)
    return image.astype("float32") / np.float32(FULL_SCALE[image.dtype.name])


def _foreground_tables(pairs):
    """Returns summed-area tables of the foreground, flat, and where each begins.

    A table has one row and one column of zeros more than its image, so that the foreground
    in any rectangle is the alternating sum of four entries.
    """
    import tensorflow as tf

    tables = []
    for image in pairs.images:
        bright = image.max(axis=2) > FOREGROUND * FULL_SCALE[image.dtype.name]
        table = np.zeros((image.shape[0] + 1, image.shape[1] + 1), "int32")
        np.cumsum(np.cumsum(bright, axis=0, dtype="int32"), axis=1, out=table[1:, 1:])
        tables.append(table.ravel())
    offsets = np.cumsum([0, *(table.size for table in tables)])[:-1]
    return tf.constant(np.concatenate(tables)), tf.constant(offsets, "int64")


def _turn(image, draws, flips, vertical_flips, rotations):
    """Flips and rotates by one transposition and one reversal of axes.

    These two make every rotation by 90 degrees, and take their choice as data: no branches.
    """
    import tensorflow as tf

    quarter_turns = tf.cast(draws[2] * 4, "int32") if rotations else tf.zeros([], "int32")
    up_down = (quarter_turns == 1) | (quarter_turns == 2)
    left_right = quarter_turns >= 2
    if vertical_flips:
        up_down ^= draws[0] < 0.5
    if flips:
        left_right ^= draws[1] < 0.5
    if rotations:
        image = tf.transpose(image, tf.where(quarter_turns % 2 == 1, [1, 0, 2], [0, 1, 2]))
    if flips or rotations:
        image = tf.reverse(image, tf.boolean_mask([0, 1], tf.stack([up_down, left_right])))
    return image


def _check_batches(pairs, batch_size):
    if len(pairs) == 0:
        raise DataError("Received no pairs; expected at least one. Check the split and the root.")
    if batch_size < 1:
        raise DataError(f"Received batch_size={batch_size}; expected 1 or more.")


def _check_training(pairs, batch_size, crop, rotations, minimum_foreground, first_step):
    _check_batches(pairs, batch_size)
    if first_step < 0:
        raise DataError(f"Received first_step={first_step}; expected 0 or more.")
    if not 0 <= minimum_foreground <= 1:
        raise DataError(
            f"Received minimum_foreground={minimum_foreground}; expected a share from 0 to 1."
        )
    if crop is None:
        _check_whole_images(pairs, rotations)
        return
    if crop < 1:
        raise DataError(f"Received crop={crop}; expected 1 or more, or None for whole images.")
    name, (height, width) = min(
        zip(pairs.names, pairs.sizes(), strict=True), key=lambda named: min(named[1])
    )
    if crop > min(height, width):
        raise DataError(
            f"{name}: received an image of {height} x {width} pixels for a crop of {crop} x "
            f"{crop}; expected at least the crop. Lower data.crop, or leave the image out."
        )


def _check_whole_images(pairs, rotations):
    first = pairs.sizes()[0]
    for name, size in zip(pairs.names, pairs.sizes(), strict=True):
        if size != first:
            raise DataError(
                f"{name}: received {size[0]} x {size[1]} pixels beside {first[0]} x {first[1]} "
                f"of {pairs.names[0]}; expected one size for whole images. Set data.crop."
            )
    if rotations and first[0] != first[1]:
        raise DataError(
            f"{pairs.names[0]}: received {first[0]} x {first[1]} pixels; expected a square for "
            "rotations of whole images. Set data.crop, or data.rotations=false."
        )
