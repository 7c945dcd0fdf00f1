"""A network's word on the sizes of images that it takes."""

import keras


@keras.saving.register_keras_serializable(package="medgan")
class DivisibleSides(keras.layers.Layer):
    """Lets images through whose sides a network can halve and double, and refuses others in words.

    Without it, an image of 30x30 comes back as 32x32, or two maps of different sizes meet deep in
    the network and the message tells of a layer that nobody knows.

    Args:
        divisor: height and width must be divisible by it.
        smallest: smallest height and width.

    Call arguments:
        inputs: `(batch, height, width, channels)`; sides that are not known while a graph is
            traced are not checked.

    Raises:
        ValueError: if an argument is below 1; when called, if a side does not fit.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import DivisibleSides
        >>> DivisibleSides(4)(np.zeros((1, 8, 12, 1), "float32")).shape
        TensorShape([1, 8, 12, 1])
    """

    def __init__(self, divisor, smallest=1, **kwargs):
        super().__init__(**kwargs)
        if divisor < 1 or smallest < 1:
            raise ValueError(
                f"Received divisor={divisor} and smallest={smallest}, expected 1 or more of each."
            )
        self.divisor = divisor
        self.smallest = smallest

    def call(self, inputs):
        """Returns the inputs."""
        sides = inputs.shape[1:3]
        known = [side for side in sides if side is not None]
        if any(side % self.divisor or side < self.smallest for side in known):
            height, width = ("?" if side is None else side for side in sides)
            least = -(-self.smallest // self.divisor) * self.divisor
            expected = f"sides divisible by {self.divisor}, " if self.divisor > 1 else "sides "
            raise ValueError(
                f"Received images of {height}x{width} pixels, expected {expected}"
                f"from {least} up: crop, pad or resize the images, or build a network that halves "
                "them less often."
            )
        return inputs

    def compute_output_shape(self, input_shape):
        """The inputs'."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "divisor": self.divisor, "smallest": self.smallest}
