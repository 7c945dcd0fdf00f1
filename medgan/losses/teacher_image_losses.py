"""The teacher's image as a target: the limit of soft labels at high temperature."""

import keras
from keras import ops

from medgan.losses.fusion_loss import check_weights
from medgan.ops import haar, ssim
from medgan.ops.filters import image_mean


@keras.saving.register_keras_serializable(package="medgan")
class TeacherImageLoss(keras.losses.Loss):
    """Absolute difference and structural dissimilarity of two images.

    `absolute * mean |S - T| + structure * (1 - SSIM(S, T))`, SSIM averaged over the channels.

    Call arguments: teacher's image and student's image, both `(batch, height, width, channels)` in
    [0, 1].

    Args:
        absolute: weight of the mean absolute difference.
        structure: weight of the structural term.

    Raises:
        ValueError: if a weight is negative.
    """

    def __init__(self, absolute=20.0, structure=10.0, name="teacher_image_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        check_weights(absolute=absolute, structure=structure)
        self.absolute = absolute
        self.structure = structure

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        teacher, student = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        total = self.absolute * image_mean(ops.abs(student - teacher))
        if not self.structure:  # SSIM costs most of the time, and wants 11 pixels a side
            return total
        channels = teacher.shape[-1]
        similarity = sum(
            ssim(teacher[..., index : index + 1], student[..., index : index + 1])
            for index in range(channels)
        )
        return total + self.structure * (1 - similarity / channels)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "absolute": self.absolute,
            "structure": self.structure,
        }


@keras.saving.register_keras_serializable(package="medgan")
class WaveletLoss(keras.losses.Loss):
    """Absolute difference of the high-frequency Haar bands of two images.

    The sum over levels and over the three detail bands of `mean |HF(S) - HF(T)|`, halved. Small
    generators fail in the high frequencies first.

    Call arguments: teacher's image and student's image, both `(batch, height, width, channels)`.

    Args:
        levels: levels of the wavelet transform.

    Raises:
        ValueError: if there is no level.

    Reference:
        Zhang et al., Wavelet Knowledge Distillation, 2022, who sum over more levels of another
        wavelet.
    """

    def __init__(self, levels=2, name="wavelet_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        if levels < 1:
            raise ValueError(f"Received levels={levels}, expected 1 or more.")
        self.levels = levels

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        low = ops.cast(y_pred, "float32") - ops.cast(y_true, "float32")  # the transform is linear
        total = 0.0
        for _ in range(self.levels):
            low, details = haar(low)
            total = total + 3 * image_mean(ops.abs(details))
        return total / 2

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "levels": self.levels}
