"""The trainer of images from noise against a critic whose slope is held at 1."""

import keras
from keras import ops

from medgan.losses import WassersteinLoss
from medgan.losses.fusion_loss import check_weights
from medgan.models import noise
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary, has_batch_normalization
from medgan.ops import gradient_penalty
from medgan.ops.replicas import own_rows


@keras.saving.register_keras_serializable(package="medgan")
class WGANGP(AdversarialModel):
    """A generator of images from noise against a critic with a penalty on its slope.

    The critic minimises

        E d(G) - E d(x) + penalty_weight * E (||gradient of d at x^|| - 1)^2,
        x^ = e x + (1 - e) G,   e drawn from U(0, 1) for each image,

    and the generator `-E d(G)`. The norm is taken over all pixels of an image; a critic of patches
    counts as the mean of its patches. The slope is measured where the critic looks, between
    augmented images, and with the critic in inference mode, so that dropout makes no slope.

    Noise, metrics and calls are those of `GAN`. The negative of the logged `discriminator`, which
    leaves the `penalty` out, estimates the Wasserstein distance of real and generated images. A
    critic has no value at which it says "real", so `judged` is None.

    Under TensorFlow, Keras's group and layer normalisation lose a term of the second derivative
    (`tf.nn.moments` takes the mean in a variance for a constant): of the penalty's gradient at a
    new `dcgan_discriminator(normalization="layer")` 0.08 %. `medgan.layers.InstanceNormalization`,
    `SpectralNormalization` and JAX lose none.

    The authors train with Adam(1e-4, beta_1=0, beta_2=0.9), in batches of 64.

    Args:
        generator: `keras.Model` from noise of known size, such as `(batch, 100)`, to images
            `(batch, height, width, channels)` in [0, 1].
        discriminator: the critic, `keras.Model` from images to raw values. It may not mix the
            images of a batch: normalise each for itself, or not at all.
        penalty_weight: weight of the penalty.
        augmentation: layer that augments what the critic sees, such as `DiffAugment()`.
        discriminator_steps: steps of the critic for one of the generator, on the same images and
            the same noise.
        seed: seed of the noise and of what is drawn between the images.

    Raises:
        ValueError: if the weight is negative, the critic has batch normalisation, or the networks
            do not fit, as in `GAN`.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from medgan.models import WGANGP
        >>> z, image = keras.Input((4,)), keras.Input((8, 8, 1))
        >>> pixels = keras.layers.Dense(64, activation="sigmoid")(z)
        >>> generator = keras.Model(z, keras.layers.Reshape((8, 8, 1))(pixels))
        >>> value = keras.layers.Dense(1)(keras.layers.Flatten()(image))
        >>> model = WGANGP(generator, keras.Model(image, value), discriminator_steps=2)
        >>> model.compile("adam", "adam")
        >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype("float32")
        >>> history = model.fit(images, batch_size=4, verbose=0)
        >>> sorted(history.history)
        ['adversarial', 'discriminator', 'loss', 'penalty']

    Reference:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, algorithm 1. The algorithm
        draws new images and noise for every step of the critic; here all steps share a batch, and
        each draws its own places between the images.
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        penalty_weight=10.0,
        augmentation=None,
        discriminator_steps=5,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        noise.check_networks(generator, discriminator)
        check_weights(penalty_weight=penalty_weight)
        if has_batch_normalization(discriminator):
            raise ValueError(
                "Received a critic with BatchNormalization, through which images of a batch change "
                "each other's slope. Normalise each image for itself (InstanceNormalization, "
                "GroupNormalization(1)), or nothing."
            )
        self.generator = generator
        self.discriminator = discriminator
        self.penalty_weight = penalty_weight
        self.adversarial_loss = WassersteinLoss()
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
        """The Wasserstein term and the penalty."""
        shown = self._adversary.shown(ops.cast(batch["x"], "float32"), images["generated"])
        penalty = gradient_penalty(
            lambda image: self.discriminator(image, training=False), self._between(*shown)
        )
        return {
            "discriminator": self._adversary.loss_of_shown(*shown),
            "penalty": self.penalty_weight * ops.mean(penalty),
        }

    def _between(self, real, fake):
        """One image somewhere between each real and each generated one."""

        def draw(rows):
            return keras.random.uniform((rows, 1, 1, 1), dtype="float32", seed=self.seed_generator)

        share = own_rows(draw, ops.shape(real)[0])
        real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
        return share * real + (1 - share) * fake

    def generator_terms(self, batch, images):
        """The critic's value, negated."""
        return {"adversarial": self._adversary.generator_loss(images["generated"])}

    def compared(self, batch, images):
        """Real and generated images, for metrics that compare sets."""
        return batch["x"], images["generated"]
