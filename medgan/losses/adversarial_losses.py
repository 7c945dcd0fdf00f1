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
class LeastSquaresLoss(AdversarialLoss):
    """The least squares GAN loss.

    Discriminator: `(E (d(x) - 1)^2 + E d(G)^2) / 2`; generator: `E (d(G) - 1)^2`. The half stands
    on the discriminator alone, as in CycleGAN and CSGAN. The discriminator's loss at d = 0 is 0.5.

    Reference:
        Mao et al., Least Squares Generative Adversarial Networks, 2017, eq. 9.
    """

    def generator(self, fake_logits):
        """`E (d(G) - 1)^2`."""
        return ops.mean(ops.square(float32(fake_logits) - 1))

    def discriminator(self, real_logits, fake_logits):
        """`(E (d(x) - 1)^2 + E d(G)^2) / 2`."""
        real, fake = float32(real_logits), float32(fake_logits)
        return (ops.mean(ops.square(real - 1)) + ops.mean(ops.square(fake))) / 2


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
