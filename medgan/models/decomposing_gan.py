"""Fusion with the objectives of CycleGAN and CSGAN: what was fused must come apart again."""

import keras
from keras import ops

from medgan.losses import LeastSquaresLoss
from medgan.losses.fusion_loss import check_weights
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary
from medgan.models.fusion_gan import check_judges, content_terms
from medgan.ops.distance import mean_distance


@keras.saving.register_keras_serializable(package="medgan")
class DecomposingGAN(AdversarialModel):
    """A generator that fuses two images, and two decomposers that get them back.

    CycleGAN and CSGAN translate one image into one other; neither fuses. For a table in which they
    stand beside fusion networks, their objectives are carried over. With sources a and b, fused
    image F = G(a, b), decomposers R1 and R2 and judges D1 and D2, the networks G, R1, R2 minimise

        adversarial  adversarial_weight * (L_G(D1(F)) + L_G(D2(F)))
        cycle        cycle_weight * (mean |R1(F) - a| + mean |R2(F) - b|)
        synthesized  synthesized_weight * mean |F - G(R1(F), R2(F))|

    and, where there is a content loss, its terms. The cycle is fuse, decompose, compare. With
    `synthesized_weight=0` this is the objective of CycleGAN, with 30 that of CSGAN, whose second
    fused image is without gradient, as in its authors' code. Without a content loss nothing says
    what a fused image must look like, only that it hides both sources and resembles each kind.

    Args:
        generator: `keras.Model` from `(batch, height, width, 2)` in [0, 1] to
            `(batch, height, width, 1)`.
        first_decomposer: `keras.Model` from a fused image `(batch, height, width, 1)` to the first
            source, of the same shape.
        second_decomposer: another, to the second source.
        discriminator: `keras.Model` from `(batch, height, width, 2)` to raw logits with one channel
            per source, such as `medgan.networks.modality_discriminator()`.
        content_loss: loss of (sources, fused image), such as `StructuralFusionLoss()`, or None.
        adversarial_loss: an `AdversarialLoss`, `LeastSquaresLoss()` by default.
        adversarial_weight: weight of the generator's adversarial loss.
        cycle_weight: weight of the sources that come back.
        synthesized_weight: weight of the fused image that comes back.
        augmentation: layer that augments what the discriminator sees, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminator for one of the generator.

    Raises:
        ValueError: if a weight is negative, one network is given in two parts, a decomposer does
            not take and make one channel, or the discriminator has not one channel per source.

    Example:
        >>> import numpy as np
        >>> from medgan.models import DecomposingGAN
        >>> from medgan.networks import dense_fusion_generator, modality_discriminator
        >>> model = DecomposingGAN(
        ...     dense_fusion_generator(width=2, dense_layers=1),
        ...     dense_fusion_generator(width=2, dense_layers=1, head="tanh", sources=1),
        ...     dense_fusion_generator(width=2, dense_layers=1, head="tanh", sources=1),
        ...     modality_discriminator(width=2),
        ...     synthesized_weight=30.0,
        ... )
        >>> model.compile("adam", "adam", run_eagerly=True)
        >>> x = np.random.default_rng(0).uniform(size=(2, 24, 24, 2)).astype("float32")
        >>> sorted(model.train_on_batch(x, return_dict=True))
        ['adversarial', 'cycle', 'discriminator', 'loss', 'synthesized']

    Reference:
        The terms: Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent
        Adversarial Networks, 2017; Kancharagunta and Dubey, CSGAN, 2019. Fusing and decomposing:
        Zhang and Ma, SDNet, 2021. To put them together is ours: the paper's Table 1 has both
        translators among fusion methods and does not say how.
    """

    def __init__(
        self,
        generator,
        first_decomposer,
        second_decomposer,
        discriminator,
        *,
        content_loss=None,
        adversarial_loss=None,
        adversarial_weight=1.0,
        cycle_weight=10.0,
        synthesized_weight=0.0,
        augmentation=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_weights(
            adversarial_weight=adversarial_weight,
            cycle_weight=cycle_weight,
            synthesized_weight=synthesized_weight,
        )
        networks = (generator, first_decomposer, second_decomposer, discriminator)
        if len({id(network) for network in networks}) < len(networks):
            raise ValueError(
                "Received one network in two parts; generator, decomposers and discriminator learn "
                "different things. Give each part a network of its own."
            )
        self.generator = generator
        self.first_decomposer = first_decomposer
        self.second_decomposer = second_decomposer
        self.discriminator = discriminator
        self.content_loss = content_loss
        self.adversarial_loss = LeastSquaresLoss() if adversarial_loss is None else adversarial_loss
        self.adversarial_weight = adversarial_weight
        self.cycle_weight = cycle_weight
        self.synthesized_weight = synthesized_weight
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        if all(network.built for network in networks):
            check_judges(generator, discriminator)
            judges = discriminator.output_shape[-1]
            if judges != generator.input_shape[-1]:
                raise ValueError(
                    f"Received a discriminator that makes {judges} logits per patch, expected one "
                    "per source, such as those of modality_discriminator()."
                )
            for name in ("first_decomposer", "second_decomposer"):
                _check_decomposer(name, getattr(self, name))
            self.build()

    generator_networks = property(
        lambda self: [self.generator, self.first_decomposer, self.second_decomposer]
    )
    discriminator_networks = property(lambda self: [self.discriminator])

    def call(self, inputs, training=False):
        """Fuses `(batch, height, width, 2)` into `(batch, height, width, 1)`."""
        return self.generator(inputs, training=training)

    def synthesize(self, batch, training):
        """Returns the fused image, what comes back of the sources, and those fused again."""
        fused = self.generator(batch["x"], training=training)
        first = self.first_decomposer(fused, training=training)
        second = self.second_decomposer(fused, training=training)
        images = {"fused": fused, "first": first, "second": second}
        if self.synthesized_weight:
            # Without gradient on both sides: nothing is kept of this pass for one backwards.
            again = ops.stop_gradient(ops.concatenate([first, second], axis=-1))
            images["fused_again"] = ops.stop_gradient(self.generator(again, training=training))
        return images

    def discriminator_terms(self, batch, images):
        """The judges' losses, summed over the sources."""
        real = ops.cast(batch["x"], "float32")
        loss = self._adversary.discriminator_loss(real, images["fused"])
        return {"discriminator": real.shape[-1] * loss}

    def generator_terms(self, batch, images):
        """The content terms, and those of the objective that is carried over."""
        sources, fused = ops.cast(batch["x"], "float32"), ops.cast(images["fused"], "float32")
        terms = {}
        if self.content_loss is not None:
            terms = content_terms(self.content_loss, batch["x"], fused)
        # The adversary's loss is a mean over the judges' patches, the objective a sum of judges.
        adversarial = sources.shape[-1] * self._adversary.generator_loss(fused)
        terms["adversarial"] = self.adversarial_weight * adversarial
        cycle = mean_distance(images["first"], sources[..., :1])
        cycle += mean_distance(images["second"], sources[..., 1:])
        terms["cycle"] = self.cycle_weight * cycle
        if self.synthesized_weight:
            synthesized = mean_distance(fused, images["fused_again"])
            terms["synthesized"] = self.synthesized_weight * synthesized
        return terms

    def compared(self, batch, images):
        """The sources and the fused image."""
        return batch["x"], images["fused"]

    def judged(self, batch, images):
        """Logits of the sources and of the fused image, one channel per modality."""
        return self._adversary.judged(batch["x"], images["fused"])


def _check_decomposer(name, network):
    """Raises ValueError for a network that is not from one channel to one."""
    taken, made = network.input_shape[-1], network.output_shape[-1]
    if (taken, made) != (1, 1):
        raise ValueError(
            f"Received a {name} from {taken} to {made} channels, expected from one fused image to "
            "one source: 1 to 1, such as dense_fusion_generator(sources=1, head='tanh')."
        )
