"""Cropping at the beginning."""

import keras

from medgan.layers import on_cpu


@keras.saving.register_keras_serializable(package="medgan")
class LeadingCrop2D(keras.layers.Layer):
    """Drops the first rows and columns.

    What `keras.layers.Cropping2D` does at one end, without its gradient, which TensorFlow fills in
    pixel by pixel on a CPU: behind a transposed convolution it took longer than the convolution.

    Args:
        crop: rows and columns to drop; fewer than the image has.

    Raises:
        ValueError: if the number is negative.

    Example:
        >>> import numpy as np
        >>> from medgan.layers import LeadingCrop2D
        >>> square = np.arange(9.0).reshape(1, 3, 3, 1)
        >>> LeadingCrop2D(1)(square)[0, :, :, 0].numpy().tolist()
        [[4.0, 5.0], [7.0, 8.0]]
    """

    def __init__(self, crop=1, **kwargs):
        super().__init__(**kwargs)
        if crop < 0:
            raise ValueError(f"Received crop={crop}, expected 0 or more.")
        self.crop = crop

    def call(self, inputs, training=False):
        """Crops `(batch, height, width, channels)`."""
        if training and on_cpu.pays():
            return on_cpu.cropped(inputs, self.crop)
        return inputs[:, self.crop :, self.crop :, :]

    def compute_output_shape(self, input_shape):
        """Takes the crop from the sides that are known."""
        batch, height, width, channels = input_shape
        height, width = (None if n is None else n - self.crop for n in (height, width))
        return batch, height, width, channels

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "crop": self.crop}
