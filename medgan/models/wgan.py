"""The trainer of images from noise against a critic with clipped weights."""

import keras
from keras import ops

from medgan.losses import WassersteinLoss
from medgan.models import noise
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary


@keras.saving.register_keras_serializable(package="medgan")
class WGAN(AdversarialModel):
    """A generator of images from noise against a critic whose weights are clipped.

    The critic minimises `E d(G) - E d(x)` (the paper's eq. 4) and the generator `-E d(G)` (eq. 5).
    That all its trainable weights lie in [-clip, clip] bounds the critic's slope, by a constant
    that nobody knows. The bound holds from the start, and the critic's optimizer keeps it with
    every step. It is a constraint of the weights' variables: the optimizer of another model that
    you give the same critic would keep it too; a critic that was saved and loaded is free.

    Noise, metrics and calls are those of `GAN`. The negative of the logged `discriminator` tells
    how far real and generated images are apart, in the critic's own unit: it should fall. A critic
    has no value at which it says "real", so `judged` is None.

    The authors train with RMSprop(5e-5), without momentum, in batches of 64.

    Args:
        generator: `keras.Model` from noise of known size, such as `(batch, 100)`, to images
            `(batch, height, width, channels)` in [0, 1].
        discriminator: the critic, `keras.Model` from images to raw values.
        clip: largest absolute value of the critic's weights.
        augmentation: layer that augments what the critic sees, such as `DiffAugment()`.
        discriminator_steps: steps of the critic for one of the generator, on the same images and
            the same noise.
        seed: seed of the noise.

    Raises:
        ValueError: if `clip` is not positive, a weight of the critic has another constraint, or the
            networks do not fit, as in `GAN`.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from medgan.models import WGAN
        >>> z, image = keras.Input((4,)), keras.Input((8, 8, 1))
        >>> pixels = keras.layers.Dense(64, activation="sigmoid")(z)
        >>> generator = keras.Model(z, keras.layers.Reshape((8, 8, 1))(pixels))
        >>> value = keras.layers.Dense(1)(keras.layers.Flatten()(image))
        >>> model = WGAN(generator, keras.Model(image, value), clip=0.02)
        >>> model.compile(keras.optimizers.RMSprop(5e-5), keras.optimizers.RMSprop(5e-5))
        >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype("float32")
        >>> history = model.fit(images, batch_size=4, verbose=0)
        >>> bool(np.abs(model.discriminator.get_weights()[0]).max() <= np.float32(0.02))
        True

    Reference:
        Arjovsky, Chintala and Bottou, Wasserstein Generative Adversarial Networks, 2017,
        algorithm 1; the paper, eqs. 4 and 5. The algorithm draws new images and noise for every
        step of the critic; here all steps share a batch. The authors' code takes 100 critic steps
        while the generator is young and at every 500th of its steps; this one does not.
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        clip=0.01,
        augmentation=None,
        discriminator_steps=5,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        noise.check_networks(generator, discriminator)
        if not clip > 0:
            raise ValueError(f"Received clip={clip}, expected a positive number such as 0.01.")
        self.generator = generator
        self.discriminator = discriminator
        self.clip = clip
        self.adversarial_loss = WassersteinLoss()
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        _keep_within(clip, discriminator)
        self.build()

    generator_networks = property(lambda self: [self.generator])
    discriminator_networks = property(lambda self: [self.discriminator])

    def call(self, inputs, training=False):
        """Makes images of noise."""
        return self.generator(inputs, training=training)

    def synthesize(self, batch, training):
        """Returns as many generated images as there are real ones, of new noise."""
        z = noise.drawn_for(batch["x"], self.generator, self.seed_generator)
        images = self.generator(z, training=training)
        noise.check_images(batch["x"], images)
        return {"generated": images}

    def discriminator_terms(self, batch, images):
        """Eq. 4, negated."""
        real = ops.cast(batch["x"], "float32")
        return {"discriminator": self._adversary.discriminator_loss(real, images["generated"])}

    def generator_terms(self, batch, images):
        """Eq. 5."""
        return {"adversarial": self._adversary.generator_loss(images["generated"])}

    def compared(self, batch, images):
        """Real and generated images, for metrics that compare sets."""
        return batch["x"], images["generated"]


class _Within(keras.constraints.Constraint):
    """Clips weights; Keras's optimizers ask it after every step, on each replica."""

    def __init__(self, clip):
        self.clip = clip

    def __call__(self, weights):
        return ops.clip(weights, -self.clip, self.clip)


def _keep_within(clip, critic):
    """Clips a critic's weights, and lets its optimizer clip them again after every step."""
    for variable in critic.trainable_variables:
        if variable.constraint is not None and not isinstance(variable.constraint, _Within):
            name = type(variable.constraint).__name__
            raise ValueError(
                f"Received a critic whose {variable.path} has the constraint {name}, which "
                "clipping would replace. Build the critic without it."
            )
        variable.constraint = _Within(clip)
        variable.assign(variable.constraint(variable))
