"""Soft labels: the teacher's probabilities at a temperature (the paper's eq. 6)."""

import keras
from keras import ops


def _check_temperature(temperature):
    if temperature <= 0:
        raise ValueError(f"Received temperature={temperature}, expected a number above 0.")


@keras.saving.register_keras_serializable(package="medgan")
class SoftenedLabelLoss(keras.losses.Loss):
    """How far a student's image is from its teacher's in the eyes of the teacher's discriminator.

    Eq. 6 with the two classes real and generated and the logit pair (d, 0) is
    q = sigmoid(d / temperature). The loss is

        temperature^2 * mean over patches of KL(q_teacher || q_student),

    the cross-entropy of eq. 7 less the teacher's entropy, which has no gradient: it is 0 where
    the logits agree. The squared temperature, absent from the paper, keeps the gradient at about
    (d_student - d_teacher) / 4 for every temperature (Hinton, Vinyals and Dean, 2015).

    Call arguments: teacher's logits and student's logits, both `(batch, ...)`.

    Args:
        temperature: softness of the labels, above 0.

    Raises:
        ValueError: if the temperature is not above 0.
    """

    def __init__(self, temperature=4.0, name="softened_label_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_temperature(temperature)
        self.temperature = temperature

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        teacher = ops.cast(y_true, "float32") / self.temperature
        student = ops.cast(y_pred, "float32") / self.temperature
        label = ops.sigmoid(teacher)
        divergence = ops.softplus(student) - ops.softplus(teacher) - label * (student - teacher)
        axes = tuple(range(1, len(divergence.shape)))
        return self.temperature**2 * ops.mean(divergence, axis=axes)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="medgan")
class SpatialSoftLabelLoss(keras.losses.Loss):
    """Eq. 6 with the pixels of a window as the classes: where does the teacher put its light?

    With u = logit(clip(image, 0.01, 0.99)) and q = softmax(u / temperature) over each window,

        temperature^2 * mean over windows of KL(q_teacher || q_student).

    It does not see an offset of a whole window: use it beside a loss on the image.

    Call arguments: teacher's image and student's image, both `(batch, height, width, channels)` in
    [0, 1]; rows and columns that do not fill a window are left out.

    Args:
        temperature: softness of the labels, above 0.
        window: side of a window in pixels.

    Raises:
        ValueError: if the temperature is not above 0 or the window is below 2; in a call, if the
            images are smaller than a window.

    Reference:
        The paper, eq. 6; spatial classes after Shu et al., Channel-wise Knowledge Distillation for
        Dense Prediction, 2021, who take the whole map as one window.
    """

    def __init__(self, temperature=4.0, window=16, name="spatial_soft_label_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_temperature(temperature)
        if window < 2:
            raise ValueError(f"Received window={window}, expected 2 or more pixels.")
        self.temperature = temperature
        self.window = window

    def _log_labels(self, images):
        images = ops.clip(ops.cast(images, "float32"), 0.01, 0.99)
        logits = ops.log(images) - ops.log(1 - images)
        count, height, width, channels = ops.shape(logits)
        sides = images.shape[1:3]
        if any(side is not None and side < self.window for side in sides):
            raise ValueError(
                f"Received images of {sides[0]}x{sides[1]}, expected at least one window of "
                f"{self.window}x{self.window}. Use a smaller window or larger crops."
            )
        rows, columns = height // self.window, width // self.window
        logits = logits[:, : rows * self.window, : columns * self.window]
        shape = (count, rows, self.window, columns, self.window, channels)
        logits = ops.transpose(ops.reshape(logits, shape), (0, 1, 3, 5, 2, 4))
        logits = ops.reshape(logits, (count, rows * columns * channels, self.window**2))
        return ops.log_softmax(logits / self.temperature, axis=-1)

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        teacher, student = self._log_labels(y_true), self._log_labels(y_pred)
        divergence = ops.sum(ops.exp(teacher) * (teacher - student), axis=-1)
        return self.temperature**2 * ops.mean(divergence, axis=-1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "window": self.window,
        }
