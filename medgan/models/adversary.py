"""A discriminator at work: how it is shown images, and what is made of its logits."""

from keras import ops


class Adversary:
    """A discriminator with its loss and its augmentation, for the use of trainers.

    A discriminator may judge several kinds of image at once, one per channel
    (`modality_discriminator`): real images then come stacked, and a generated image is shown once
    for each. It holds no state of its own: the trainer owns and saves the parts.

    Args:
        discriminator: `keras.Model` from images to raw logits.
        loss: an `AdversarialLoss`.
        augmentation: a layer such as `DiffAugment`, or None.
    """

    def __init__(self, discriminator, loss, augmentation=None):
        self.model = discriminator
        self.loss = loss
        self.augmentation = augmentation

    def _augmented(self, images):
        return images if self.augmentation is None else self.augmentation(images)

    def _repeated(self, images):
        """Repeats channels until there are as many as the discriminator takes."""
        expected, received = self.model.input_shape[-1], images.shape[-1]
        if expected % received:
            raise ValueError(
                f"Received generated images of {received} channels for a discriminator of "
                f"{expected}; expected a multiple. Give the discriminator as many channels as the "
                "real images have."
            )
        return ops.concatenate([images] * (expected // received), axis=-1)

    def discriminator_loss(self, real, fake):
        """Loss of the discriminator; both kinds go through it in one pass."""
        expected, received = self.model.input_shape[-1], real.shape[-1]
        if expected != received:
            raise ValueError(
                f"Received real images of {received} channels for a discriminator of {expected}. "
                "Fusion needs one channel per source (modality_discriminator)."
            )
        fake = ops.cast(self._repeated(fake), real.dtype)
        # Augmented apart: then an image's draws are the same on any number of replicas.
        shown = ops.concatenate([self._augmented(real), self._augmented(fake)], axis=0)
        logits = self.model(shown, training=True)
        count = ops.shape(real)[0]
        return self.loss.discriminator(logits[:count], logits[count:])

    def generator_loss(self, fake):
        """Loss of the generator against the discriminator as it stands."""
        logits = self.model(self._augmented(self._repeated(fake)), training=False)
        return self.loss.generator(logits)

    def logits(self, images):
        """Raw logits of generated images, not augmented."""
        return self.model(self._repeated(images), training=False)

    def judged(self, real, fake):
        """Raw logits of both kinds, not augmented; nothing in the discriminator moves."""
        return {"real": self.logits(ops.cast(real, "float32")), "fake": self.logits(fake)}
