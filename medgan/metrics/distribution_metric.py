"""A distance between sets of images as a Keras metric."""

import abc
import logging

import keras
from keras import ops

from medgan.networks.scattering_encoder import FixedKernel, scattering_encoder
from medgan.ops.replicas import gathered

_logger = logging.getLogger(__name__)


class DistributionMetric(keras.metrics.Metric, abc.ABC):
    """Collects features of real and of generated images, and compares the two sets.

    Batches may have any size, also different ones for the two kinds. The first `capacity` images of
    each kind are kept, as features; what comes later is ignored. Until there are `smallest` images
    of each kind the result is 0, as it is with Keras's own metrics before the first batch.

    The result costs a singular value decomposition or a sort, and each metric encodes the images
    for itself: take `score_synthesis` or the callback `SynthesisReport` for all scores, and a
    metric for your own loops, or for `compile(metrics=[...], jit_compile=False)` of a model whose
    targets and outputs are images. It runs eagerly and in a `tf.function`. Updating can be jitted,
    under JAX and by XLA under TensorFlow; `result` cannot: its shapes depend on the number of
    images (under TensorFlow these are dynamic slices).

    Call arguments of `update_state`: real images and generated images, both
    `(batch, height, width, channels)` in [0, 1], clipped. Images cannot be weighted:
    `sample_weight` must be None.

    Args:
        encoder: Keras model from images to `(batch, features)`; None means
            `medgan.networks.scattering_encoder()`, for grey images. A configuration holds its
            architecture, not its weights: give an encoder that has learned something to the
            constructor again; a warning is logged where weights were lost.
        capacity: number of images of each kind that are kept.
        name: name of the metric.
        dtype: type of the features.

    Raises:
        ValueError: if the encoder does not return vectors of known length, or the capacity is too
            small.
    """

    smallest = 2

    def __init__(self, encoder=None, capacity=2000, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.encoder = scattering_encoder() if encoder is None else encoder
        shape = getattr(self.encoder, "output_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
            raise ValueError(
                f"Received an encoder with the output shape {shape}, expected (batch, features). "
                "End it with a pooling layer."
            )
        if capacity < self.smallest:
            raise ValueError(
                f"Received capacity={capacity}, expected at least {self.smallest} images."
            )
        self.capacity = capacity
        for kind in ("real", "generated"):
            features, count = (
                # Every replica keeps the images of all; a sum over replicas would be nonsense.
                self.add_variable(size, "zeros", dtype, "only_first_replica", f"{kind}_{what}")
                for size, dtype, what in (
                    ((capacity, shape[1]), None, "features"),
                    ((), "int32", "count"),
                )
            )
            setattr(self, f"{kind}_features", features)
            setattr(self, f"{kind}_count", count)

    @abc.abstractmethod
    def score(self, real, generated):
        """Compares features `(images, features)`; returns a scalar."""

    def update_state(self, real_images, generated_images, sample_weight=None):
        """Encodes and keeps a batch of each kind."""
        if sample_weight is not None:
            raise ValueError(
                f"Received a sample_weight for {self.name!r}, expected None: it compares sets of "
                "images that all count the same. Leave the weights out."
            )
        self._keep(self.real_features, self.real_count, real_images)
        self._keep(self.generated_features, self.generated_count, generated_images)

    def _keep(self, kept, count, images):
        images = ops.clip(ops.cast(images, "float32"), 0.0, 1.0)
        features = gathered(ops.cast(self.encoder(images, training=False), kept.dtype))
        arrived = ops.shape(features)[0]
        # Each place asks which row of the batch is for it: no shape depends on the count.
        row = ops.arange(self.capacity) - ops.convert_to_tensor(count)
        asks = ops.logical_and(row >= 0, row < arrived)
        rows = ops.take(features, ops.clip(row, 0, arrived - 1), axis=0)
        kept.assign(ops.where(asks[:, None], rows, ops.convert_to_tensor(kept)))
        count.assign(ops.minimum(ops.convert_to_tensor(count) + arrived, self.capacity))

    def result(self):
        """Returns the score of what has been kept."""
        real, generated = (
            ops.convert_to_tensor(count) for count in (self.real_count, self.generated_count)
        )
        # Too few are filled up with rows of zeros, and the score of these is thrown away.
        score = self.score(
            self.real_features[: ops.maximum(real, self.smallest)],
            self.generated_features[: ops.maximum(generated, self.smallest)],
        )
        score = ops.cast(score, self.dtype)
        enough = ops.minimum(real, generated) >= self.smallest
        return ops.where(enough, score, ops.zeros_like(score))

    def get_config(self):
        """Returns the constructor's arguments."""
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder, "capacity": self.capacity}

    @classmethod
    def from_config(cls, config):
        """Builds the metric with the encoder's architecture."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        if _loses_weights(encoder):
            _logger.warning(
                "The encoder of %r was built from its configuration, which holds no weights: what "
                "it has learned is lost and its scores mean nothing. Pass the encoder itself to "
                "%s(encoder=...).",
                config.get("name"),
                cls.__name__,
            )
        return cls(**{**config, "encoder": encoder})


def _loses_weights(layer):
    """Whether there are weights that do not come back from a configuration, as `FixedKernel` do."""
    inner = getattr(layer, "layers", None)
    if inner:
        return any(map(_loses_weights, inner))
    fixed = any(isinstance(value, FixedKernel) for value in vars(layer).values())
    return bool(layer.weights) and not fixed
