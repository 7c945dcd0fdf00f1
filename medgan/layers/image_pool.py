"""A memory of generated images, for discriminators that would forget."""

import keras
from keras import ops

from medgan.ops.replicas import gathered, own_rows


@keras.saving.register_keras_serializable(package="medgan")
class ImagePool(keras.layers.Layer):
    """Hands out images of earlier steps in place of half of those that come in.

    Shown the newest images alone, a discriminator forgets what the generator did before, and the
    two chase each other in circles. In training each image, one after the other, is kept and
    returned while the pool is filling; later, by the toss of a coin, it is returned and forgotten,
    or kept in a place drawn by lot, and what was there is returned instead. No gradient flows
    through it. In inference, and with a capacity of 0, it is the identity.

    What it holds are weights that are not trained: they are saved, and a training that is taken up
    again goes on with them. With several replicas each holds the images of all.

    Args:
        capacity: number of images it holds, 0 or more.
        image_shape: `(height, width, channels)` of an image; not needed with a capacity of 0.
        seed: seed of the draws; their state is saved with the layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        training: whether the pool is at work.

    Raises:
        ValueError: if the capacity is negative, or a shape is missing or not of three positive
            sizes; in a call in training, for images of another shape.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import ImagePool
        >>> pool = ImagePool(2, (1, 1, 1), seed=3)
        >>> [float(pool(np.full((1, 1, 1, 1), i, "float32"), training=True)[0, 0, 0, 0])
        ...  for i in range(7)]
        [0.0, 1.0, 2.0, 0.0, 4.0, 5.0, 6.0]

    Reference:
        Shrivastava et al., Learning from Simulated and Unsupervised Images through Adversarial
        Training, 2017; as Zhu et al., CycleGAN, 2017, have it in their code, with 50 images.
    """

    def __init__(self, capacity=50, image_shape=None, seed=None, **kwargs):
        # Images are kept as they are, whatever precision the networks compute in.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if capacity < 0:
            raise ValueError(f"Received capacity={capacity}, expected 0 or more images.")
        if capacity and (
            image_shape is None
            or len(image_shape) != 3
            or any(side is None or side < 1 for side in image_shape)
        ):
            raise ValueError(
                f"Received image_shape={image_shape}, expected (height, width, channels) of the "
                "images, three whole numbers, or capacity=0 for no pool."
            )
        self.capacity = capacity
        self.image_shape = None if image_shape is None else tuple(image_shape)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        if capacity:
            # Every replica computes the same, so that any one's is everybody's.
            kept = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
            self.images = self.add_weight(
                (capacity, *self.image_shape), "zeros", "float32", name="images", **kept
            )
            self.filled = self.add_weight((), "zeros", "int32", name="filled", **kept)
        self.built = True

    def call(self, inputs, training=False):
        """Returns as many images as came in, some of them older."""
        if not training or not self.capacity:
            return inputs
        if tuple(inputs.shape[1:]) != self.image_shape:
            raise ValueError(
                f"Received images of {tuple(inputs.shape[1:])} for a pool of {self.image_shape} "
                "(height, width, channels). Make the pool for the images of training, the crops."
            )
        new = gathered(ops.stop_gradient(inputs))
        count = ops.shape(new)[0]
        turn = ops.arange(count, dtype="int32")
        swapped = keras.random.uniform((count,), seed=self.seed_generator) > 0.5
        lot = keras.random.randint((count,), 0, self.capacity, seed=self.seed_generator)
        filled = ops.convert_to_tensor(self.filled)

        # Where each image goes; `capacity` is nowhere.
        filling = filled + turn < self.capacity
        place = ops.where(filling, filled + turn, ops.where(swapped, lot, self.capacity))
        # What is there when its turn comes: an image of this batch, or one that was there before.
        same_place = ops.logical_and(place[None] == place[:, None], turn[None] < turn[:, None])
        latest = ops.max(ops.where(same_place, turn[None], -1), axis=1)
        found = ops.where(latest >= 0, self.capacity + latest, place)
        itself = ops.logical_or(filling, place == self.capacity)
        known = ops.concatenate([ops.convert_to_tensor(self.images), new], axis=0)
        shown = ops.take(known, ops.where(itself, self.capacity + turn, found), axis=0)

        places = ops.arange(self.capacity, dtype="int32")
        last = ops.max(ops.where(place[None] == places[:, None], turn[None], -1), axis=1)
        kept = ops.where(last >= 0, self.capacity + last, places)
        self.images.assign(ops.take(known, kept, axis=0))
        self.filled.assign(ops.minimum(filled + count, self.capacity))
        return own_rows(lambda _: shown, ops.shape(inputs)[0])

    def compute_output_shape(self, input_shape):
        """The inputs'."""
        return input_shape

    def save_own_variables(self, store):
        """Saves the images, and the state of the draws, which Keras leaves out."""
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)
        if self.capacity:
            store["images"] = ops.convert_to_numpy(self.images)
            store["filled"] = ops.convert_to_numpy(self.filled)

    def load_own_variables(self, store):
        """Continues where it was saved."""
        self.seed_generator.state.assign(store["seed_state"])
        if self.capacity:
            self.images.assign(store["images"])
            self.filled.assign(store["filled"])

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"capacity": self.capacity, "image_shape": self.image_shape, "seed": self.seed}
        return {**super().get_config(), **config}
