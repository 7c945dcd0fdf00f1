"""The trainer of images from noise: Goodfellow's two players."""

import keras
from keras import ops

from medgan.losses import NonSaturatingLoss
from medgan.models import noise
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary


@keras.saving.register_keras_serializable(package="medgan")
class GAN(AdversarialModel):
    """A generator of images from noise against a discriminator of real images.

    With the default loss the discriminator minimises the paper's eq. 9 and the generator eq. 8;
    `MinimaxLoss()` makes it eq. 3, `LeastSquaresLoss()` the LSGAN. With the DCGAN networks it is
    the DCGAN.

    Trained with `fit(images)`. Noise from N(0, 1) is drawn inside, once a step for both players,
    from a state that is saved with the trainer. An evaluation draws as well. `model(z)` and
    `predict(z)` make images of your own noise `z`. Compiled metrics see real and generated images,
    which belong together as sets and not one by one: take those of distributions, such as
    `medgan.metrics.KernelDistance()`.

    Args:
        generator: `keras.Model` from noise of known size, such as `(batch, 100)`, to images
            `(batch, height, width, channels)` in [0, 1].
        discriminator: `keras.Model` from images to raw logits.
        adversarial_loss: an `AdversarialLoss`, `NonSaturatingLoss()` by default.
        augmentation: layer that augments what the discriminator sees, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminator for one of the generator, on the same images
            and the same noise.
        seed: seed of the noise.

    Raises:
        ValueError: if the generator's noise has no known size, or its images are none that the
            discriminator can judge.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from medgan.models import GAN
        >>> z, image = keras.Input((4,)), keras.Input((8, 8, 1))
        >>> pixels = keras.layers.Dense(64, activation="sigmoid")(z)
        >>> generator = keras.Model(z, keras.layers.Reshape((8, 8, 1))(pixels))
        >>> logit = keras.layers.Dense(1)(keras.layers.Flatten()(image))
        >>> model = GAN(generator, keras.Model(image, logit), seed=1)
        >>> model.compile("adam", "adam")
        >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype("float32")
        >>> history = model.fit(images, batch_size=4, verbose=0)
        >>> sorted(history.history)
        ['adversarial', 'discriminator', 'loss']
        >>> model.predict(np.zeros((3, 4)), verbose=0).shape
        (3, 8, 8, 1)

    Reference:
        Goodfellow et al., Generative Adversarial Nets, 2014; the paper, eqs. 1 to 3, 8 and 9;
        Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks, 2015. Their algorithms draw new images for every step of
        the discriminator; here all steps share a batch.
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        adversarial_loss=None,
        augmentation=None,
        discriminator_steps=1,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        noise.check_networks(generator, discriminator)
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial_loss = (
            NonSaturatingLoss() if adversarial_loss is None else adversarial_loss
        )
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
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
        """Eq. 9."""
        real = ops.cast(batch["x"], "float32")
        return {"discriminator": self._adversary.discriminator_loss(real, images["generated"])}

    def generator_terms(self, batch, images):
        """Eq. 8."""
        return {"adversarial": self._adversary.generator_loss(images["generated"])}

    def compared(self, batch, images):
        """Real and generated images, for metrics that compare sets."""
        return batch["x"], images["generated"]

    def judged(self, batch, images):
        """Logits of real and of generated images."""
        return self._adversary.judged(batch["x"], images["generated"])
