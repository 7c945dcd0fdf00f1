"""What a fused image owes to its sources."""

import abc

import keras


class FusionLoss(keras.losses.Loss, abc.ABC):
    """A content loss of a fused image, made of named terms.

    There is no ground truth in fusion: the target is the pair of sources itself. As a Keras loss it
    serves `model.compile(loss=...)` with `y = x`; a trainer logs `terms` one by one.
    """

    @abc.abstractmethod
    def terms(self, sources, fused):
        """Weighted terms whose sum is the loss.

        Args:
            sources: `(batch, height, width, 2)` in [0, 1].
            fused: `(batch, height, width, 1)`, nominally in [0, 1].

        Returns:
            Name to tensor of shape `(batch,)`, float32.
        """

    def call(self, y_true, y_pred):
        """Sum of the terms, `(batch,)`."""
        return sum(self.terms(y_true, y_pred).values())


def check_weights(**weights):
    """Raises ValueError for a negative weight."""
    for name, value in weights.items():
        if value < 0:
            raise ValueError(f"Received {name}={value}, expected a weight of 0 or more.")
