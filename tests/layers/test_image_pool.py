import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import ImagePool


def batches(sizes, start=1):
    """Batches of images that are all their number, from 1."""
    numbers = np.arange(start, start + sum(sizes)).astype("float32")
    images = np.tile(numbers[:, None, None, None], (1, 2, 3, 1))
    return np.split(images, np.cumsum(sizes)[:-1])


def by_hand(capacity, sizes, seed):
    """What CycleGAN's code returns, image after image, and what is stored in the end.

    It tosses a coin for each image, and draws a place: here for a batch at once.
    """
    draws = keras.random.SeedGenerator(seed)
    stored, returned = [], []
    for batch in batches(sizes):
        coins = np.array(keras.random.uniform((len(batch),), seed=draws))
        places = np.array(keras.random.randint((len(batch),), 0, capacity, seed=draws))
        for image, coin, place in zip(batch, coins, places, strict=True):
            if len(stored) < capacity:
                stored.append(image)
                returned.append(image)
            elif coin > 0.5:
                returned.append(stored[place])
                stored[place] = image
            else:
                returned.append(image)
    return np.stack(returned), np.stack(stored)


@pytest.mark.parametrize(
    "capacity, sizes",
    [(3, [1] * 40), (4, [3] * 12), (2, [9, 1, 7]), (5, [2, 2]), (50, [16] * 10)],
    ids=["one by one", "filled within a batch", "batches above capacity", "not full", "usual"],
)
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_returns_what_a_loop_over_the_images_returns(capacity, sizes, graph):
    pool = ImagePool(capacity, (2, 3, 1), seed=4)
    ask = lambda images: pool(images, training=True)  # noqa: E731
    if graph:
        ask = tf.function(ask, reduce_retracing=True)
    returned = np.concatenate([ask(tf.constant(batch)) for batch in batches(sizes)])
    expected, stored = by_hand(capacity, sizes, seed=4)
    assert_array_equal(returned, expected)
    assert_array_equal(np.array(pool.images)[: len(stored)], stored)
    assert int(pool.filled) == len(stored)
    if sum(sizes) > 3 * capacity:  # the loop swaps images of one batch with each other, too
        assert (returned != np.concatenate(batches(sizes))).any()


def test_half_of_the_images_come_from_earlier_steps():
    pool = ImagePool(10, (1, 1, 1), seed=1)
    new = np.arange(4000, dtype="float32").reshape(-1, 40, 1, 1, 1)
    returned = np.stack([pool(batch, training=True) for batch in new])
    older = np.mean(returned[1:] != new[1:])
    # Of 3,960 tosses one in two; four standard deviations are 0.032.
    assert_allclose(older, 0.5, atol=0.032)


def test_in_inference_nothing_is_exchanged_and_nothing_moves():
    pool = ImagePool(2, (2, 3, 1), seed=1)
    for batch in batches([1] * 6):
        pool(batch, training=True)
    before = [keras.ops.convert_to_numpy(variable) for variable in pool.variables]
    assert len(before) == 3  # images, their number, the draws
    (images,) = batches([5], start=90)
    for _ in range(5):
        assert_array_equal(pool(images), images)
        assert_array_equal(pool(images, training=False), images)
    for old, new in zip(before, pool.variables, strict=True):
        assert_array_equal(keras.ops.convert_to_numpy(new), old)


def test_without_capacity_it_is_the_identity():
    pool = ImagePool(0)
    (images,) = batches([5])
    assert_array_equal(pool(images, training=True), images)
    assert not pool.weights


def test_no_gradient_flows_through():
    pool = ImagePool(2, (2, 3, 1), seed=1)
    images = tf.constant(batches([3])[0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(pool(images, training=True))
    assert tape.gradient(total, images) is None


def test_replicas_hold_the_images_of_all(two_replicas):
    """Two replicas with two images each are one with four."""
    local = two_replicas.experimental_local_results
    with two_replicas.scope():
        shared = ImagePool(5, (2, 3, 1), seed=2)
    alone = ImagePool(5, (2, 3, 1), seed=2)
    for batch in batches([4] * 8):
        expected = alone(batch, training=True)
        halves = two_replicas.experimental_distribute_values_from_function(
            lambda context, batch=batch: tf.constant(
                np.split(batch, 2)[context.replica_id_in_sync_group]
            )
        )
        returned = two_replicas.run(lambda images: shared(images, training=True), args=(halves,))
        assert_array_equal(np.concatenate(local(returned)), expected)
        for one, other in zip(shared.variables, alone.variables, strict=True):
            for copy in local(one.value):
                assert_array_equal(copy, other)
    assert int(alone.filled) == 5


def test_images_are_kept_in_full_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        pool = ImagePool(2, (2, 3, 1), seed=1)
    finally:
        keras.config.set_dtype_policy(policy)
    images = np.full((1, 2, 3, 1), 1 / 3, "float32")
    assert pool(images, training=True).dtype == "float32"
    assert_array_equal(pool.images[0], images[0])


def test_what_is_wrong_is_refused():
    with pytest.raises(ValueError, match="capacity=-1"):
        ImagePool(-1, (2, 2, 1))
    for shape in (None, (2, 2), (None, 2, 1)):
        with pytest.raises(ValueError, match="image_shape="):
            ImagePool(2, shape)
    with pytest.raises(ValueError, match=r"images of \(2, 3, 1\) for a pool of \(3, 3, 1\)"):
        ImagePool(2, (3, 3, 1))(batches([1])[0], training=True)
