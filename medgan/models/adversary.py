"""A discriminator at work: how it is shown images, and what is made of its logits."""

import keras
from keras import ops


class Adversary:
    """A discriminator with its loss and its augmentation, for the use of trainers.

    A discriminator may judge several kinds of image at once, one per channel
    (`modality_discriminator`): real images then come stacked, and a generated image is shown once
    for each. It may judge images with what they were made from (`given`): then it is shown both,
    stacked in this order, and one draw augments both. It holds no state of its own: the trainer
    owns and saves the parts.

    Both kinds go through it in one pass. With batch normalisation each kind takes a pass of its
    own, and the generator is judged by the statistics of its own batch, which move no average: one
    pass would normalise real images by generated ones, and the averages of a discriminator that
    moves are always late.

    Args:
        discriminator: `keras.Model` from images to raw logits.
        loss: an `AdversarialLoss`.
        augmentation: a layer such as `DiffAugment`, or None.
    """

    def __init__(self, discriminator, loss, augmentation=None):
        self.model = discriminator
        self.loss = loss
        self.augmentation = augmentation
        self._by_batch = discriminator is not None and has_batch_normalization(discriminator)

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

    def _together(self, images, given):
        """Images as the discriminator takes them: alone, or with what they were made from."""
        if given is None:
            return images
        images, given = ops.cast(images, "float32"), ops.cast(given, "float32")
        return ops.concatenate([given, images], axis=-1)

    def _real(self, images, given):
        shown = self._together(images, given)
        expected, received = self.model.input_shape[-1], shown.shape[-1]
        if expected != received:
            remedy = (
                "Fusion needs one channel per source (modality_discriminator)."
                if given is None
                else "It is shown an image and what it was made from, and has the channels of both."
            )
            raise ValueError(
                f"Received real images of {received} channels for a discriminator of {expected}. "
                + remedy
            )
        return shown

    def _fake(self, images, given):
        return self._repeated(images) if given is None else self._together(images, given)

    def shown(self, real, fake, given=None):
        """Real and generated images as the discriminator sees them."""
        real, fake = self._real(real, given), self._fake(fake, given)
        # Augmented apart: then an image's draws are the same on any number of replicas.
        return self._augmented(real), self._augmented(ops.cast(fake, real.dtype))

    def discriminator_loss(self, real, fake, given=None):
        """Loss of the discriminator."""
        return self.loss_of_shown(*self.shown(real, fake, given))

    def loss_of_shown(self, real, fake):
        """Loss of the discriminator on what `shown` returned."""
        if self._by_batch:
            logits = [self.model(images, training=True) for images in (real, fake)]
            return self.loss.discriminator(*logits)
        logits = self.model(ops.concatenate([real, fake], axis=0), training=True)
        count = ops.shape(real)[0]
        return self.loss.discriminator(logits[:count], logits[count:])

    def generator_loss(self, fake, given=None):
        """Loss of the generator against the discriminator as it stands."""
        shown = self._augmented(self._fake(fake, given))
        if not self._by_batch:
            return self.loss.generator(self.model(shown, training=False))
        state = [(variable, variable.value) for variable in self.model.variables]
        with keras.StatelessScope(state_mapping=state):  # what moves is dropped
            logits = self.model(shown, training=True)
        return self.loss.generator(logits)

    def logits(self, images, given=None):
        """Raw logits of generated images, not augmented."""
        return self.model(self._fake(images, given), training=False)

    def judged(self, real, fake, given=None):
        """Raw logits of both kinds, not augmented; nothing in the discriminator moves."""
        real = ops.cast(self._together(real, given), "float32")
        return {"real": self.logits(real), "fake": self.logits(fake, given)}


def has_batch_normalization(network):
    """Whether a network normalises images by others of their batch."""
    layers = network._flatten_layers()
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
