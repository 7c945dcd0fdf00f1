"""The trainer of KGAN's teacher: a fusion generator against one judge per modality."""

import keras
from keras import ops

from medgan.losses import MetricAwareFusionLoss, NonSaturatingLoss
from medgan.losses.fusion_loss import check_weights
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary
from medgan.ops.replicas import count


@keras.saving.register_keras_serializable(package="medgan")
class FusionGAN(AdversarialModel):
    """A generator that fuses two images, judged by discriminators of both modalities.

    The generator minimises `content_loss(x, F) + adversarial_weight * L_G(D(F))`, the
    discriminator L_D: with the default loss the paper's eqs. 8 and 9. The content stands far above
    the adversary, as in FusionGAN and DDcGAN: realism alone does not say what to keep.

    It expresses the published fusion GANs as well, with their networks of `medgan.networks` and
    `medgan.losses.IntensityDetailLoss`:

        FusionGAN  one judge of the source with the details, `judged_source=1`;
                   `LeastSquaresLoss(0.95, 0.15)`, `adversarial_weight=1`, `discriminator_steps=2`
        DDcGAN     one judge per source; the loss of kind `"contrast"`, `NonSaturatingLoss()` and
                   `adversarial_weight=2`, for the adversarial loss is a mean over both judges here
                   and a sum there

    FusionGAN draws its labels from [0.7, 1.2] and [0, 0.3]; their means have the same expected
    gradient. DDcGAN repeats either player's step while it lags; here `discriminator_steps` are
    fixed.

    Args:
        generator: `keras.Model` from `(batch, height, width, 2)` in [0, 1] to
            `(batch, height, width, 1)`.
        discriminator: `keras.Model` from `(batch, height, width, 2)` to raw logits, such as
            `medgan.networks.modality_discriminator()`.
        content_loss: loss of (sources, fused image), `MetricAwareFusionLoss()` by default.
        adversarial_loss: an `AdversarialLoss`, `NonSaturatingLoss()` by default.
        adversarial_weight: weight of the generator's adversarial loss.
        augmentation: layer that augments what the discriminator sees, such as `DiffAugment()`.
        judged_source: index of the one source that a discriminator of one channel takes for real,
            as in FusionGAN (1, the MR, whose detail the fused image is to show); None if the
            discriminator judges all sources.
        discriminator_steps: steps of the discriminator for one of the generator.

    Raises:
        ValueError: if the weight is negative, the discriminator has not one channel per judged
            source, or there is no such source.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import StructuralFusionLoss
        >>> from medgan.models import FusionGAN
        >>> from medgan.networks import dense_fusion_generator, modality_discriminator
        >>> networks = dense_fusion_generator(width=2), modality_discriminator(width=2)
        >>> model = FusionGAN(*networks, content_loss=StructuralFusionLoss())
        >>> model.compile("adam", "adam")
        >>> x = np.random.default_rng(0).uniform(size=(2, 48, 48, 2)).astype("float32")
        >>> history = model.fit(x, batch_size=2, epochs=1, verbose=0)
        >>> model.predict(x, verbose=0).shape
        (2, 48, 48, 1)

    Reference:
        The paper, eqs. 8 and 9; Ma et al., FusionGAN, 2019; Ma et al., DDcGAN, 2020. The default
        content loss is ours: the paper leaves it open.
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        content_loss=None,
        adversarial_loss=None,
        adversarial_weight=0.1,
        augmentation=None,
        judged_source=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_weights(adversarial_weight=adversarial_weight)
        if generator.built and discriminator.built:
            check_judges(generator, discriminator, judged_source)
        self.generator = generator
        self.discriminator = discriminator
        self.content_loss = MetricAwareFusionLoss() if content_loss is None else content_loss
        self.adversarial_loss = (
            NonSaturatingLoss() if adversarial_loss is None else adversarial_loss
        )
        self.adversarial_weight = adversarial_weight
        self.augmentation = augmentation
        self.judged_source = judged_source
        self.discriminator_steps = discriminator_steps
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        if generator.built and discriminator.built:
            self.build()

    generator_networks = property(lambda self: [self.generator])
    discriminator_networks = property(lambda self: [self.discriminator])

    def call(self, inputs, training=False):
        """Fuses `(batch, height, width, 2)` into `(batch, height, width, 1)`."""
        return self.generator(inputs, training=training)

    def synthesize(self, batch, training):
        """Returns the fused images."""
        return {"fused": self.generator(batch["x"], training=training)}

    def discriminator_terms(self, batch, images):
        """Eq. 9, a mean over the patches of all judged modalities."""
        real = ops.cast(self._real(batch), "float32")
        return {"discriminator": self._adversary.discriminator_loss(real, images["fused"])}

    def generator_terms(self, batch, images):
        """The content terms and eq. 8."""
        terms = content_terms(self.content_loss, batch["x"], images["fused"])
        adversarial = self._adversary.generator_loss(images["fused"])
        return {**terms, "adversarial": self.adversarial_weight * adversarial}

    def compared(self, batch, images):
        """The sources and the fused image."""
        return batch["x"], images["fused"]

    def judged(self, batch, images):
        """Logits of the judged sources and of the fused image, one channel per modality."""
        return self._adversary.judged(self._real(batch), images["fused"])

    def _real(self, batch):
        """The sources that the discriminator takes for real."""
        source = self.judged_source
        return batch["x"] if source is None else batch["x"][..., source : source + 1]


def check_judges(generator, discriminator, judged_source=None):
    """Raises ValueError unless the discriminator has one channel per judged source."""
    sources, judged = generator.input_shape[-1], discriminator.input_shape[-1]
    if judged_source is None:
        if judged != sources:
            raise ValueError(
                f"Received a discriminator of {judged} channels for {sources} sources, expected "
                "one channel per source, such as modality_discriminator(); or say which source one "
                "channel judges (judged_source)."
            )
    elif not 0 <= judged_source < sources:
        raise ValueError(
            f"Received judged_source={judged_source} for {sources} sources, expected "
            f"0 to {sources - 1} or None."
        )
    elif judged != 1:
        raise ValueError(
            f"Received a discriminator of {judged} channels with judged_source={judged_source}, "
            "expected one channel, such as patch_discriminator()."
        )


def content_terms(loss, reference, output, *further):
    """Batch means of a loss: of its named terms, or of a plain Keras loss as one."""
    if hasattr(loss, "terms"):
        terms = loss.terms(reference, output, *further)
        return {name: ops.mean(value) for name, value in terms.items()}
    value = loss(reference, output)
    # Keras's losses give each replica its share of the sum already; the step does that here.
    return {"content": count() * value if isinstance(loss, keras.losses.Loss) else value}
