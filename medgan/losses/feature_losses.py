"""What a student owes to the inside of its teacher: losses of feature maps."""

import abc

import keras
from keras import ops

from medgan.losses.fusion_loss import check_weights
from medgan.losses.relation_loss import kernel_alignment
from medgan.ops.replicas import gathered


class FeatureLoss(keras.losses.Loss, abc.ABC):
    """A loss of pairs of feature maps, the teacher's and the student's, at named layers.

    As a Keras loss it takes one pair of maps; `DistillingGAN` taps the networks at `pairs` and adds
    up the pairs.

    Args:
        layers: names of layers that both networks have, or pairs of names, the teacher's first.
        weight: weight of every pair.

    Attributes:
        adapts: whether the student's maps go through a 1x1 convolution to the teacher's channels.
    """

    adapts = False

    def __init__(self, layers, weight=1.0, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        check_weights(weight=weight)
        if isinstance(layers, str) or not layers or not all(map(_is_pair, layers)):
            raise ValueError(
                f"Received layers={layers!r}, expected a list of names of layers, or of pairs "
                "[teacher's, student's], such as [\"embedding\"]."
            )
        self.layers = [each if isinstance(each, str) else list(each) for each in layers]
        self.weight = weight

    @abc.abstractmethod
    def call(self, y_true, y_pred):
        """Returns `(batch,)`, weighted, of the teacher's and the student's map of one pair."""

    @property
    def pairs(self):
        """Names of the teacher's and of the student's layer, pair by pair."""
        return [(each, each) if isinstance(each, str) else tuple(each) for each in self.layers]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "layers": self.layers, "weight": self.weight}


def _is_pair(names):
    if isinstance(names, str):
        return True
    pair = isinstance(names, list | tuple) and len(names) == 2
    return pair and all(isinstance(name, str) for name in names)


@keras.saving.register_keras_serializable(package="medgan")
class AdaptedFeatureLoss(FeatureLoss):
    """Mean squared difference of feature maps, the student's adapted to the teacher's channels.

    `DistillingGAN` puts a 1x1 convolution behind every tapped layer of the student. It is trained
    with the student and belongs to the trainer, so that the student is exported without it.

    Call arguments: teacher's map and the student's adapted map, both
    `(batch, height, width, channels)`.

    Args:
        layers: names of layers that both networks have, or pairs `[teacher's, student's]`.
        weight: weight of every pair.

    Raises:
        ValueError: if the layers are no list of names, or the weight is negative; in a call, if the
            maps differ in shape.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import AdaptedFeatureLoss
        >>> loss = AdaptedFeatureLoss(["embedding"], weight=2.0)
        >>> float(loss(np.ones((1, 4, 4, 3)), np.zeros((1, 4, 4, 3))))
        2.0

    Reference:
        Li et al., GAN Compression, 2020: four taps, weight 1 (0.01 for horse to zebra).
    """

    adapts = True

    def __init__(self, layers, weight=1.0, name="adapted_feature_loss", **kwargs):
        super().__init__(layers, weight, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        _check_same_shape(y_true, y_pred)
        difference = ops.cast(y_pred, "float32") - ops.cast(y_true, "float32")
        return self.weight * _mean_of_each(difference * difference)


@keras.saving.register_keras_serializable(package="medgan")
class KernelAlignmentLoss(FeatureLoss):
    """1 - KA: do the teacher's and the student's maps tell the images of a batch apart alike?

    With the maps of a batch flattened to X and Y, one row per image,

        KA(X, Y) = <X X', Y Y'> / (|X X'| |Y Y'|),

    1 if one is the other times a number or an orthogonal map. Channels and sizes may differ: no
    adapter is needed. It compares the images of a batch, those of all replicas: with one image
    there is nothing to compare, and KA is 1.

    Call arguments: teacher's map `(batch, ...)` and student's map `(batch, ...)`. The value belongs
    to the batch and is repeated for each of its images.

    Args:
        layers: names of layers that both networks have, or pairs `[teacher's, student's]`.
        weight: weight of every pair.

    Raises:
        ValueError: if the layers are no list of names, or the weight is negative.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import KernelAlignmentLoss
        >>> maps = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype("float32")
        >>> bool(abs(KernelAlignmentLoss(["embedding"])(maps, 3 * maps)) < 1e-5)
        True

    Reference:
        Jin et al., Teachers Do More Than Teach (CAT), 2021, who minimise -KA.
    """

    def __init__(self, layers, weight=1.0, name="kernel_alignment_loss", **kwargs):
        super().__init__(layers, weight, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns `(batch,)`, the same value for every image."""
        alignment = kernel_alignment(_rows(y_true), _rows(y_pred))
        return ops.broadcast_to(self.weight * (1 - alignment), (ops.shape(y_pred)[0],))


@keras.saving.register_keras_serializable(package="medgan")
class DiscriminatorFeatureLoss(keras.losses.Loss):
    """Mean absolute difference of what the teacher's discriminator sees in two images.

    The discriminator stands in for a network that was trained on photographs: it knows the
    teacher's images. `DistillingGAN` shows it the teacher's and the student's images and adds up
    the layers.

    Call arguments: activations for the teacher's and for the student's images, both `(batch, ...)`.

    Args:
        layers: names of layers of the teacher's discriminator; None takes every activation.
        weight: weight of every layer.

    Raises:
        ValueError: if the layers are no list of names, or the weight is negative; in a call, if the
            activations differ in shape.

    Reference:
        Chen et al., Distilling Portable Generative Adversarial Networks for Image Translation,
        2020, who square the differences; Hu et al., Discriminator-Cooperated Feature Map
        Distillation for GAN Compression, 2023, who do not.
    """

    def __init__(self, layers=None, weight=3.0, name="discriminator_feature_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        check_weights(weight=weight)
        names = isinstance(layers, list | tuple) and all(isinstance(each, str) for each in layers)
        if layers is not None and not (layers and names):
            raise ValueError(
                f"Received layers={layers!r}, expected a list of names of layers, or None for "
                "every activation."
            )
        self.layers = None if layers is None else list(layers)
        self.weight = weight

    def call(self, y_true, y_pred):
        """Returns `(batch,)`."""
        _check_same_shape(y_true, y_pred)
        difference = ops.cast(y_pred, "float32") - ops.cast(y_true, "float32")
        return self.weight * _mean_of_each(ops.abs(difference))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "layers": self.layers, "weight": self.weight}


def _mean_of_each(values):
    """Mean over everything but the batch."""
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


def _rows(maps):
    """One row per image of all replicas, in units of the largest entry: KA does not see a scale."""
    maps = gathered(ops.cast(maps, "float32"))
    rows = ops.reshape(maps, (ops.shape(maps)[0], -1))
    return rows / ops.stop_gradient(ops.maximum(ops.max(ops.abs(rows)), 1e-12))


def _check_same_shape(teacher, student):
    """Raises ValueError where two maps are known to differ in rank, size or channels."""
    first, second = tuple(teacher.shape[1:]), tuple(student.shape[1:])
    sides = zip(first, second, strict=False)
    if len(first) != len(second) or any(a != b for a, b in sides if None not in (a, b)):
        raise ValueError(
            f"Received maps of shape {first} of the teacher and {second} of the student, expected "
            "the same. Tap layers of the same resolution, or use a KernelAlignmentLoss."
        )
