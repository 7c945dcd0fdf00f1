"""The adversarial losses of the literature."""

import keras
from keras import ops

from medgan.losses.adversarial_loss import AdversarialLoss, float32


@keras.saving.register_keras_serializable(package="medgan")
class NonSaturatingLoss(AdversarialLoss):
    """The logarithmic GAN loss whose generator does not saturate.

    With D = sigmoid(d) of the raw logit d, the discriminator minimises
    `-E log D(x) - E log(1 - D(G))` (the paper's eq. 9) and the generator `-E log D(G)` (eq. 8),
    both computed as softplus of the logits, which is exact and never overflows. At equilibrium
    (d = 0) they are 2 ln 2 = 1.386 and ln 2.

    Args:
        real_label: target of the discriminator on real images; 0.9 is one-sided label smoothing.

    Raises:
        ValueError: if the label is not above 0.5 and at most 1.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import NonSaturatingLoss
        >>> round(float(NonSaturatingLoss().discriminator(np.zeros(4), np.zeros(4))), 3)
        1.386

    Reference:
        Goodfellow et al., Generative Adversarial Nets, 2014; Salimans et al., Improved Techniques
        for Training GANs, 2016 (one-sided smoothing).
    """

    def __init__(self, real_label=1.0):
        if not 0.5 < real_label <= 1:
            raise ValueError(f"Received real_label={real_label}, expected above 0.5 and at most 1.")
        self.real_label = real_label

    def generator(self, fake_logits):
        """`E softplus(-d(G))`."""
        return ops.mean(ops.softplus(-float32(fake_logits)))

    def discriminator(self, real_logits, fake_logits):
        """`E [softplus(d(x)) - label d(x)] + E softplus(d(G))`."""
        real, fake = float32(real_logits), float32(fake_logits)
        real_term = ops.mean(ops.softplus(real) - self.real_label * real)
        return real_term + ops.mean(ops.softplus(fake))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"real_label": self.real_label}


@keras.saving.register_keras_serializable(package="medgan")
class MinimaxLoss(AdversarialLoss):
    """The logarithmic GAN loss as one game: what the discriminator gains the generator loses.

    With D = sigmoid(d), the discriminator minimises `-E log D(x) - E log(1 - D(G))` and the
    generator `E log(1 - D(G))` (the paper's eq. 3), both computed as softplus of the logits. The
    generator saturates: images that are found out with certainty give it no gradient. Train with
    `NonSaturatingLoss`; this is for comparison. At equilibrium (d = 0) they are 2 ln 2 = 1.386 and
    -ln 2.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import MinimaxLoss
        >>> round(float(MinimaxLoss().generator(np.zeros(4))), 3)
        -0.693

    Reference:
        Goodfellow et al., Generative Adversarial Nets, 2014, eq. 1; the paper, eq. 3.
    """

    def generator(self, fake_logits):
        """`-E softplus(d(G))`."""
        return -ops.mean(ops.softplus(float32(fake_logits)))

    def discriminator(self, real_logits, fake_logits):
        """`E softplus(-d(x)) + E softplus(d(G))`."""
        real, fake = float32(real_logits), float32(fake_logits)
        return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))


@keras.saving.register_keras_serializable(package="medgan")
class LeastSquaresLoss(AdversarialLoss):
    """The least squares GAN loss.

    Discriminator: `(E (d(x) - real)^2 + E (d(G) - fake)^2) / 2`; generator: `E (d(G) - real)^2`,
    with the labels 1 and 0. The half stands on the discriminator alone, as in CycleGAN and CSGAN.
    With these labels the discriminator's loss at d = 0 is 0.5.

    FusionGAN draws its labels, U(0.7, 1.2) for real images and U(0, 0.3) for fused ones. In the
    mean over the draws `(d - label)^2` is `(d - mean)^2` and a constant, so that fixed labels of
    their means, `real_label=0.95, fake_label=0.15`, give exactly the expected gradient, without
    the noise.

    Args:
        real_label: target of the discriminator on real images, and of the generator.
        fake_label: target of the discriminator on generated images.

    Raises:
        ValueError: if the label of real images is not above that of generated ones.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import LeastSquaresLoss
        >>> float(LeastSquaresLoss().discriminator(np.zeros(4), np.zeros(4)))
        0.5

    Reference:
        Mao et al., Least Squares Generative Adversarial Networks, 2017, eqs. 2 and 9; Ma et al.,
        FusionGAN, 2019, whose discriminator's loss has no half.
    """

    def __init__(self, real_label=1.0, fake_label=0.0):
        if not real_label > fake_label:
            raise ValueError(
                f"Received real_label={real_label} and fake_label={fake_label}, expected the "
                "label of real images above the other. Exchange them."
            )
        self.real_label = real_label
        self.fake_label = fake_label

    def generator(self, fake_logits):
        """`E (d(G) - real_label)^2`."""
        return ops.mean(ops.square(float32(fake_logits) - self.real_label))

    def discriminator(self, real_logits, fake_logits):
        """`(E (d(x) - real_label)^2 + E (d(G) - fake_label)^2) / 2`."""
        real, fake = float32(real_logits), float32(fake_logits)
        of_real = ops.mean(ops.square(real - self.real_label))
        return (of_real + ops.mean(ops.square(fake - self.fake_label))) / 2

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"real_label": self.real_label, "fake_label": self.fake_label}


@keras.saving.register_keras_serializable(package="medgan")
class HingeLoss(AdversarialLoss):
    """The hinge GAN loss.

    Discriminator: `E relu(1 - d(x)) + E relu(1 + d(G))`; generator: `-E d(G)`. The discriminator's
    loss at d = 0 is 2.

    Reference:
        Lim and Ye, Geometric GAN, 2017; Miyato et al., Spectral Normalization for GANs, 2018.
    """

    def generator(self, fake_logits):
        """`-E d(G)`."""
        return -ops.mean(float32(fake_logits))

    def discriminator(self, real_logits, fake_logits):
        """`E relu(1 - d(x)) + E relu(1 + d(G))`."""
        real, fake = float32(real_logits), float32(fake_logits)
        return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))


@keras.saving.register_keras_serializable(package="medgan")
class WassersteinLoss(AdversarialLoss):
    """The loss of a critic whose values are no probabilities.

    Discriminator (the critic): `E d(G) - E d(x)` (the paper's eq. 4); generator: `-E d(G)` (eq. 5).
    Over all critics of slope 1 at most, the negative of the critic's smallest loss is the
    Wasserstein distance of real and generated images. The loss bounds no slope: that is the task
    of clipping (`WGAN`), of a penalty (`WGANGP`) or of spectral normalisation. The critic's loss at
    d = 0 is 0.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import WassersteinLoss
        >>> float(WassersteinLoss().discriminator(np.full(4, 3.0), np.full(4, 1.0)))
        -2.0

    Reference:
        Arjovsky, Chintala and Bottou, Wasserstein Generative Adversarial Networks, 2017,
        algorithm 1.
    """

    def generator(self, fake_logits):
        """`-E d(G)`."""
        return -ops.mean(float32(fake_logits))

    def discriminator(self, real_logits, fake_logits):
        """`E d(G) - E d(x)`."""
        return ops.mean(float32(fake_logits)) - ops.mean(float32(real_logits))
