"""Paired translation: an image of one modality into that of another."""

import keras

from medgan.losses import NonSaturatingLoss
from medgan.losses.fusion_loss import check_weights
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary
from medgan.ops.distance import mean_distance


@keras.saving.register_keras_serializable(package="medgan")
class Pix2Pix(AdversarialModel):
    """A generator that translates x into y, and a discriminator that sees both.

    With source x, target y and G = G(x), the discriminator judges the pairs (x, y) and (x, G) and
    minimises half of L_D; the generator minimises

        adversarial  L_G(D(x, G))
        absolute     absolute_weight * mean |G - y|

    Data are pairs `(x, y)`: registered images of the same slice. A draw of the augmentation falls
    on source and image together.

    Args:
        generator: `keras.Model` from x to y, such as `medgan.networks.unet_generator()`; images in
            [0, 1], `(batch, height, width, channels)`.
        discriminator: `keras.Model` from source and image, stacked as channels in this order, to
            raw logits, such as `patch_discriminator(channels=2)`.
        adversarial_loss: an `AdversarialLoss`, `NonSaturatingLoss()` by default.
        absolute_weight: weight of the absolute difference.
        augmentation: layer that augments what the discriminator sees, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminator for one of the generator.

    Raises:
        ValueError: if the weight is negative, or the discriminator has not the channels of source
            and image.

    Example:
        >>> import numpy as np
        >>> from medgan.models import Pix2Pix
        >>> from medgan.networks import patch_discriminator
        >>> generator = keras.Sequential([
        ...     keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")
        ... ])
        >>> model = Pix2Pix(generator, patch_discriminator(width=2, channels=2))
        >>> model.compile("adam", "adam")
        >>> x = np.random.default_rng(0).uniform(size=(2, 16, 16, 1)).astype("float32")
        >>> history = model.fit(x, 1 - x, batch_size=2, epochs=1, verbose=0)
        >>> sorted(history.history)
        ['absolute', 'adversarial', 'discriminator', 'loss']

    Reference:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, eq. 4
        and section 3.3 (the half). Dropout acts in training alone: the paper leaves it on for its
        noise, and a medical image should be the same twice. Its batch normalisation at batch size 1
        is the networks' business (instance normalisation).
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        adversarial_loss=None,
        absolute_weight=100.0,
        augmentation=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_weights(absolute_weight=absolute_weight)
        if generator.built and discriminator.built:
            taken, made = generator.input_shape[-1], generator.output_shape[-1]
            judged = discriminator.input_shape[-1]
            if judged != taken + made:
                raise ValueError(
                    f"Received a discriminator of {judged} channels, expected {taken + made}: "
                    f"{taken} of the source and {made} of the image. Make it with "
                    f"channels={taken + made}."
                )
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial_loss = (
            NonSaturatingLoss() if adversarial_loss is None else adversarial_loss
        )
        self.absolute_weight = absolute_weight
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        if generator.built and discriminator.built:
            self.build()

    generator_networks = property(lambda self: [self.generator])
    discriminator_networks = property(lambda self: [self.discriminator])

    def call(self, inputs, training=False):
        """Translates `(batch, height, width, channels)`."""
        return self.generator(inputs, training=training)

    def as_batch(self, data):
        """Source and target.

        Raises:
            ValueError: if there is no target.
        """
        return paired(self, super().as_batch(data))

    def synthesize(self, batch, training):
        """Returns the translated images."""
        return {"translated": self.generator(batch["x"], training=training)}

    def discriminator_terms(self, batch, images):
        """Half of the discriminator's loss: it is to learn half as fast as the generator."""
        loss = self._adversary.discriminator_loss(
            batch["y"], images["translated"], given=batch["x"]
        )
        return {"discriminator": loss / 2}

    def generator_terms(self, batch, images):
        """Eq. 4: the adversarial loss and the absolute difference."""
        translated = images["translated"]
        return {
            "adversarial": self._adversary.generator_loss(translated, given=batch["x"]),
            "absolute": self.absolute_weight * mean_distance(translated, batch["y"]),
        }

    def compared(self, batch, images):
        """The target and the translated image."""
        return batch["y"], images["translated"]

    def judged(self, batch, images):
        """Logits of the target and of the translated image, each with its source."""
        return self._adversary.judged(batch["y"], images["translated"], given=batch["x"])


def paired(model, batch):
    """A batch with both parts, x and y.

    Raises:
        ValueError: if there is no y.
    """
    if batch["y"] is None:
        raise ValueError(
            f"Received a batch without y; a {type(model).__name__} learns from (x, y), images of "
            "both domains. Give both, such as fit(x, y)."
        )
    return batch
