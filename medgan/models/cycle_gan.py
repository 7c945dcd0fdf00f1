"""Unpaired translation: there and back again."""

import keras

from medgan.losses import LeastSquaresLoss
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.pix2pix import paired
from medgan.models.two_way import TwoWay, check_parts, pools
from medgan.ops.distance import mean_distance


@keras.saving.register_keras_serializable(package="medgan")
class CycleGAN(AdversarialModel):
    """Two generators that translate between domains of which no pairs are known.

    With G from x to y and B back, and their discriminators D of y and E of x, the generators
    minimise the sum of

        adversarial           L_G(D(G(x)))
        backward_adversarial  L_G(E(B(y)))
        cycle                 cycle_weight * mean |B(G(x)) - x|
        backward_cycle        cycle_weight * mean |G(B(y)) - y|
        identity              identity_weight * mean |G(y) - y|
        backward_identity     identity_weight * mean |B(x) - x|

    and each discriminator its L_D. Both generators get the gradient of both cycles. The
    discriminators see generated images from a pool (`medgan.layers.ImagePool`). The generators step
    first, as in the authors' code.

    Data are `(x, y)`, an image of each domain that need not belong together; `model(x)` is G(x).
    Compiled metrics compare y with G(x): they mean something where both are of the same slice.

    Args:
        generator: `keras.Model` from x to y, such as `medgan.networks.resnet_generator()`; images
            in [0, 1], `(batch, height, width, channels)`.
        backward_generator: another, from y to x.
        discriminator: `keras.Model` from y to raw logits, such as `patch_discriminator()`.
        backward_discriminator: another, from x.
        adversarial_loss: an `AdversarialLoss`, `LeastSquaresLoss()` by default.
        cycle_weight: weight of both cycles.
        identity_weight: weight of both identities; 0 leaves them and their passes out.
        pool_size: number of images in the pool of each domain; 0 for none.
        image_size: side of the images of training, or `(height, width)`; may be None if there is no
            pool, or the networks take images of one size only.
        augmentation: layer that augments what the discriminators see, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminators for one of the generators.
        seed: seed of the pools' draws.

    Raises:
        ValueError: if a weight is negative, the networks do not fit each other, or nothing says how
            large the pools' images are.

    Example:
        >>> import numpy as np
        >>> from medgan.models import CycleGAN
        >>> from medgan.networks import patch_discriminator
        >>> def generator():
        ...     layer = keras.layers.Conv2D(1, 1, activation="sigmoid")
        ...     return keras.Sequential([keras.Input((None, None, 1)), layer])
        >>> model = CycleGAN(
        ...     generator(),
        ...     generator(),
        ...     patch_discriminator(width=2),
        ...     patch_discriminator(width=2),
        ...     image_size=16,
        ... )
        >>> model.compile("adam", "adam", run_eagerly=True)
        >>> x, y = np.random.default_rng(0).uniform(size=(2, 2, 16, 16, 1)).astype("float32")
        >>> sorted(model.train_on_batch(x, y, return_dict=True))[-4:]
        ['cycle', 'discriminator', 'identity', 'loss']

    Reference:
        Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
        2017, eqs. 1 to 3 and sections 4 and 5.2, with the weights, the identity and the pool of 50
        of their code. Images are in [0, 1] here and were in [-1, 1] there: absolute differences are
        half as large beside the adversarial loss.
    """

    generator_first = True

    def __init__(
        self,
        generator,
        backward_generator,
        discriminator,
        backward_discriminator,
        *,
        adversarial_loss=None,
        cycle_weight=10.0,
        identity_weight=5.0,
        pool_size=50,
        image_size=None,
        augmentation=None,
        discriminator_steps=1,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_parts(
            generator,
            backward_generator,
            discriminator,
            backward_discriminator,
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
        )
        taken, made = generator.input_shape[-1], generator.output_shape[-1]
        if identity_weight and taken != made:
            raise ValueError(
                f"Received identity_weight={identity_weight} for a generator from {taken} to "
                f"{made} channels, which cannot keep an image as it is. Give identity_weight=0."
            )
        self.generator = generator
        self.backward_generator = backward_generator
        self.discriminator = discriminator
        self.backward_discriminator = backward_discriminator
        self.adversarial_loss = LeastSquaresLoss() if adversarial_loss is None else adversarial_loss
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.pool_size = pool_size
        self.image_size = image_size
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self.pool, self.backward_pool = pools(
            self.generator_networks, self.discriminator_networks, pool_size, image_size, seed
        )
        self._two_way = TwoWay(self)
        self.build()

    generator_networks = property(lambda self: [self.generator, self.backward_generator])
    discriminator_networks = property(
        lambda self: [self.discriminator, self.backward_discriminator]
    )

    @property
    def products(self):
        """Both generators."""
        return {"generator": self.generator, "backward_generator": self.backward_generator}

    def call(self, inputs, training=False):
        """Translates x into y, `(batch, height, width, channels)`."""
        return self.generator(inputs, training=training)

    def as_batch(self, data):
        """An image of each domain.

        Raises:
            ValueError: if there is no y.
        """
        return paired(self, super().as_batch(data))

    def synthesize(self, batch, training):
        """Returns translations, ways back and, with a weight, what is to stay as it is."""
        images = self._two_way.translate(batch, training)
        if self.identity_weight:
            images["same_y"] = self.generator(batch["y"], training=training)
            images["same_x"] = self.backward_generator(batch["x"], training=training)
        return images

    def discriminator_terms(self, batch, images):
        """The loss of each discriminator, on images from the pools."""
        return self._two_way.discriminator_terms(batch, images)

    def generator_terms(self, batch, images):
        """Eq. 3, and the identities."""
        terms = self._two_way.generator_terms(batch, images)
        if self.identity_weight:
            same_y = mean_distance(images["same_y"], batch["y"])
            same_x = mean_distance(images["same_x"], batch["x"])
            terms["identity"] = self.identity_weight * same_y
            terms["backward_identity"] = self.identity_weight * same_x
        return terms

    def compared(self, batch, images):
        """y, and what was made of x."""
        return batch["y"], images["fake_y"]

    def judged(self, batch, images):
        """Logits of y and of what was made of x."""
        return self._two_way.judged(batch, images)
