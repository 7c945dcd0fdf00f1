"""Noise in a generator, as much as it learns to want."""

import keras
from keras import ops

from medgan.ops.replicas import own_rows


@keras.saving.register_keras_serializable(package="medgan")
class ScaledNoise(keras.layers.Layer):
    """Adds noise to a map, the same to all channels, times a learned factor that starts at 0.

    A generator need not make texture out of its noise vector alone. In inference nothing is added:
    the mean over the noise stays, so that the same vector gives the same image, exported or not.

    Args:
        stddev: standard deviation of the noise before the factor; 0 for none.
        seed: seed of the draws; their state is saved with the layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        training: whether to add noise.

    Raises:
        ValueError: if the standard deviation is negative.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import ScaledNoise
        >>> layer = ScaledNoise(seed=0)
        >>> float(np.ptp(layer(np.ones((1, 4, 4, 2), "float32"), training=True)))
        0.0

    Reference:
        Liu et al., Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
        Synthesis, 2021, after Karras et al., StyleGAN, 2019. Both draw noise in inference too.
    """

    def __init__(self, stddev=1.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if stddev < 0:
            raise ValueError(f"Received stddev={stddev}, expected 0 or more.")
        self.stddev = stddev
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Adds the factor."""
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor")

    def call(self, inputs, training=False):
        """Adds noise in training."""
        if not training or self.stddev == 0:
            return inputs
        batch, height, width = ops.shape(inputs)[:3]

        def draw(rows):
            return keras.random.normal(
                (rows, height, width, 1),
                stddev=self.stddev,
                dtype="float32",
                seed=self.seed_generator,
            )

        return inputs + self.factor * ops.cast(own_rows(draw, batch), inputs.dtype)

    def compute_output_shape(self, input_shape):
        """The inputs'."""
        return input_shape

    def save_own_variables(self, store):
        """Saves the state of the draws too, which Keras leaves out."""
        store["factor"] = ops.convert_to_numpy(self.factor)
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        """Continues the draws where they were saved."""
        self.factor.assign(store["factor"])
        self.seed_generator.state.assign(store["seed_state"])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
