"""Relations between the images of a batch (the paper's Figure 3)."""

import keras
from keras import ops

from medgan.losses.fusion_loss import check_weights
from medgan.ops.filters import safe_sqrt


def _huber(difference):
    size = ops.abs(difference)
    return ops.mean(ops.where(size < 1, 0.5 * difference**2, size - 0.5))


def _distances(embeddings):
    """Pairwise distances in units of their mean; 0 on the diagonal."""
    steps = embeddings[:, None] - embeddings[None]
    count = ops.shape(embeddings)[0]
    others = 1 - ops.eye(count)
    distances = safe_sqrt(ops.sum(steps * steps, axis=-1)) * others
    pairs = ops.maximum(ops.sum(others), 1.0)
    return distances / ops.maximum(ops.sum(distances) / pairs, 1e-6)


def _angles(embeddings):
    """Cosine of the angle at j between i and k, for all triplets."""
    steps = embeddings[:, None] - embeddings[None]
    lengths = safe_sqrt(ops.sum(steps * steps, axis=-1, keepdims=True))
    directions = ops.where(lengths > 1e-5, steps / lengths, 0.0)
    return ops.einsum("ijc,kjc->ijk", directions, directions)


def kernel_alignment(teacher, student):
    """Kernel alignment: the cosine between the two Gram matrices."""
    teacher = ops.matmul(teacher, ops.transpose(teacher))
    student = ops.matmul(student, ops.transpose(student))
    norms = safe_sqrt(ops.sum(teacher * teacher)) * safe_sqrt(ops.sum(student * student))
    return ops.sum(teacher * student) / ops.maximum(norms, 1e-6)


@keras.saving.register_keras_serializable(package="medgan")
class RelationLoss(keras.losses.Loss):
    """Do two images that the teacher finds alike look alike to the student?

    On one embedding per image, compared between teacher and student, whose widths may differ:

        distance   Huber of the pairwise distances, each in units of the batch's mean distance
        angle      Huber of the cosines of all angles between three images
        alignment  1 - <K_t, K_s> / (|K_t| |K_s|) with the Gram matrices K

    The distance term does not see a scale, the angle term neither a scale nor a rotation, the
    alignment no orthogonal map. Relations need company: 8 images in a batch or more; with fewer
    than 3 there is no angle, with 1 nothing.

    Call arguments: teacher's and student's embeddings, `(batch, features)` each. The value belongs
    to the batch and is repeated for each of its images.

    Args:
        distance: weight of the distance term.
        angle: weight of the angle term.
        alignment: weight of the alignment term.

    Raises:
        ValueError: if a weight is negative.

    Reference:
        Park et al., Relational Knowledge Distillation, 2019, eqs. 6 to 9 (weights 1 and 2); Jin et
        al., Teachers Do More Than Teach (CAT), 2021 (kernel alignment).
    """

    def __init__(self, distance=1.0, angle=2.0, alignment=1.0, name="relation_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        check_weights(distance=distance, angle=angle, alignment=alignment)
        self.distance = distance
        self.angle = angle
        self.alignment = alignment

    def call(self, y_true, y_pred):
        """Returns `(batch,)`, the same value for every image."""
        teacher, student = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        distance = _huber(_distances(student) - _distances(teacher))
        angle = _huber(_angles(student) - _angles(teacher))
        total = self.distance * distance + self.angle * angle
        total = total + self.alignment * (1 - kernel_alignment(teacher, student))
        return ops.broadcast_to(total, (ops.shape(teacher)[0],))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "distance": self.distance,
            "angle": self.angle,
            "alignment": self.alignment,
        }
