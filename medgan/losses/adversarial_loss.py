"""What a generator and a discriminator play for."""

import abc

from keras import ops


class AdversarialLoss(abc.ABC):
    """A two-player loss on raw logits of any shape, so that patch maps work unchanged.

    Subclasses say what each player minimises; both return one scalar, float32.
    """

    @abc.abstractmethod
    def generator(self, fake_logits):
        """Loss of the generator, from the logits of its images."""

    @abc.abstractmethod
    def discriminator(self, real_logits, fake_logits):
        """Loss of the discriminator, from the logits of real and of generated images."""

    @property
    def equilibrium(self):
        """The discriminator's loss at logits of 0: when it cannot tell one kind from the other."""
        return float(self.discriminator(ops.zeros((1,)), ops.zeros((1,))))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Builds the loss from `get_config`."""
        return cls(**config)


def float32(logits):
    """Logits in float32, whatever precision the discriminator computes in."""
    return ops.cast(logits, "float32")
