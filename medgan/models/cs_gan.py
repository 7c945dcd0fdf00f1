"""Paired translation there and back, with both translations of an image held together."""

import keras
from keras import ops

from medgan.losses import LeastSquaresLoss
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.pix2pix import paired
from medgan.models.two_way import TwoWay, check_parts, pools
from medgan.ops.distance import mean_distance


@keras.saving.register_keras_serializable(package="medgan")
class CSGAN(AdversarialModel):
    """CycleGAN with a term between synthesised and cycled images.

    With G from x to y and B back, and their discriminators D of y and E of x, the generators
    minimise the sum of

        adversarial           L_G(D(G(x)))
        backward_adversarial  L_G(E(B(y)))
        cycle                 cycle_weight * mean |B(G(x)) - x|
        backward_cycle        cycle_weight * mean |G(B(y)) - y|
        synthesized           synthesized_weight * mean |G(x) - G(B(y))|
        backward_synthesized  synthesized_weight * mean |B(y) - B(G(x))|

    and each discriminator its L_D. In the last two the cycled image, G(B(y)) or B(G(x)), is without
    gradient, as in the authors' code. They mean something only if x and y are of the same slice:
    the data are registered pairs `(x, y)`, though no term compares G(x) with y. `model(x)` is G(x).
    Everything else is CycleGAN's: pools, and generators that step first. The paper has no identity.

    The last two terms are also 0 for generators that make one grey of every image. With the
    published weight of 30 they did just that on discs of 16x16 pixels within 8 epochs, and with 3
    they learned them (`tests/models/test_cs_gan.py`). If the translations lose their contrast,
    lower `synthesized_weight`.

    Args:
        generator: `keras.Model` from x to y, such as `medgan.networks.resnet_generator()`; images
            in [0, 1], `(batch, height, width, channels)`.
        backward_generator: another, from y to x.
        discriminator: `keras.Model` from y to raw logits, such as `patch_discriminator()`.
        backward_discriminator: another, from x.
        adversarial_loss: an `AdversarialLoss`, `LeastSquaresLoss()` by default.
        cycle_weight: weight of both cycles.
        synthesized_weight: weight of both terms between synthesised and cycled images.
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
        >>> from medgan.models import CSGAN
        >>> from medgan.networks import patch_discriminator
        >>> def generator():
        ...     layer = keras.layers.Conv2D(1, 1, activation="sigmoid")
        ...     return keras.Sequential([keras.Input((None, None, 1)), layer])
        >>> model = CSGAN(
        ...     generator(),
        ...     generator(),
        ...     patch_discriminator(width=2),
        ...     patch_discriminator(width=2),
        ...     image_size=16,
        ... )
        >>> list(model.products)
        ['generator', 'backward_generator']

    Reference:
        Kancharagunta and Dubey, CSGAN: Cyclic-Synthesized Generative Adversarial Networks for
        Image-to-Image Transformation, 2019, eqs. 5 to 8, with the weights of their code. Images are
        in [0, 1] here and were in [-1, 1] there: absolute differences are half as large beside the
        adversarial loss.
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
        synthesized_weight=30.0,
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
            synthesized_weight=synthesized_weight,
        )
        self.generator = generator
        self.backward_generator = backward_generator
        self.discriminator = discriminator
        self.backward_discriminator = backward_discriminator
        self.adversarial_loss = LeastSquaresLoss() if adversarial_loss is None else adversarial_loss
        self.cycle_weight = cycle_weight
        self.synthesized_weight = synthesized_weight
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
        """A registered pair.

        Raises:
            ValueError: if there is no y.
        """
        return paired(self, super().as_batch(data))

    def synthesize(self, batch, training):
        """Returns translations and ways back."""
        return self._two_way.translate(batch, training)

    def discriminator_terms(self, batch, images):
        """The loss of each discriminator, on images from the pools."""
        return self._two_way.discriminator_terms(batch, images)

    def generator_terms(self, batch, images):
        """The terms of CycleGAN, and those between synthesised and cycled images."""
        cycled_y, cycled_x = (ops.stop_gradient(images[name]) for name in ("cycled_y", "cycled_x"))
        weight = self.synthesized_weight
        return {
            **self._two_way.generator_terms(batch, images),
            "synthesized": weight * mean_distance(images["fake_y"], cycled_y),
            "backward_synthesized": weight * mean_distance(images["fake_x"], cycled_x),
        }

    def compared(self, batch, images):
        """y, and what was made of x."""
        return batch["y"], images["fake_y"]

    def judged(self, batch, images):
        """Logits of y and of what was made of x."""
        return self._two_way.judged(batch, images)
