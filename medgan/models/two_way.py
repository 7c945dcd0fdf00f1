"""Translation there and back: what CycleGAN and CSGAN have in common."""

from keras import ops

from medgan.layers import ImagePool
from medgan.losses.fusion_loss import check_weights
from medgan.models.adversary import Adversary
from medgan.ops.distance import mean_distance


class TwoWay:
    """Two generators, each judged in its own domain, for the use of trainers.

    `generator` makes y of x and `discriminator` judges y; those called `backward` make x of y and
    judge x. It holds no state of its own: the trainer owns and saves the parts.

    Args:
        trainer: has the attributes `generator`, `backward_generator`, `discriminator`,
            `backward_discriminator`, `adversarial_loss`, `augmentation`, `cycle_weight`,
            `pool` and `backward_pool`.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        loss, augmentation = trainer.adversarial_loss, trainer.augmentation
        self.adversary = Adversary(trainer.discriminator, loss, augmentation)
        self.backward_adversary = Adversary(trainer.backward_discriminator, loss, augmentation)

    def translate(self, batch, training):
        """Both translations and both ways back; in training also what the discriminators see.

        The pools are asked here: once for a step, and never in an evaluation.
        """
        forward, backward = self.trainer.generator, self.trainer.backward_generator
        fake_y = forward(batch["x"], training=training)
        fake_x = backward(batch["y"], training=training)
        images = {
            "fake_y": fake_y,
            "fake_x": fake_x,
            "cycled_x": backward(fake_y, training=training),
            "cycled_y": forward(fake_x, training=training),
        }
        if training:
            images["shown_y"] = self.trainer.pool(fake_y, training=True)
            images["shown_x"] = self.trainer.backward_pool(fake_x, training=True)
        return images

    def discriminator_terms(self, batch, images):
        """The loss of each discriminator, on the images that the pools gave."""
        x, y = (ops.cast(batch[name], "float32") for name in ("x", "y"))
        shown_y = images.get("shown_y", images["fake_y"])
        shown_x = images.get("shown_x", images["fake_x"])
        return {
            "discriminator": self.adversary.discriminator_loss(y, shown_y),
            "backward_discriminator": self.backward_adversary.discriminator_loss(x, shown_x),
        }

    def generator_terms(self, batch, images):
        """The adversarial loss of each generator, and both cycles."""
        weight = self.trainer.cycle_weight
        return {
            "adversarial": self.adversary.generator_loss(images["fake_y"]),
            "backward_adversarial": self.backward_adversary.generator_loss(images["fake_x"]),
            "cycle": weight * mean_distance(images["cycled_x"], batch["x"]),
            "backward_cycle": weight * mean_distance(images["cycled_y"], batch["y"]),
        }

    def judged(self, batch, images):
        """Logits of y and of what was made of x."""
        return self.adversary.judged(batch["y"], images["fake_y"])


def check_parts(generator, backward_generator, discriminator, backward_discriminator, **weights):
    """Raises ValueError for a negative weight, and for networks that do not fit each other."""
    check_weights(**weights)
    networks = (generator, backward_generator, discriminator, backward_discriminator)
    if len({id(network) for network in networks}) < len(networks):
        raise ValueError(
            "Received one network in two parts; each of two directions has a generator and a "
            "discriminator. Give each part a network of its own."
        )
    if not all(network.built for network in networks):
        raise ValueError(
            "Received a network without shapes, expected built ones, such as functional models or "
            "keras.Sequential with a keras.Input."
        )
    x, y = generator.input_shape[-1], generator.output_shape[-1]
    for what, expected, received in (
        ("backward_generator that takes", y, backward_generator.input_shape[-1]),
        ("backward_generator that makes", x, backward_generator.output_shape[-1]),
        ("discriminator that takes", y, discriminator.input_shape[-1]),
        ("backward_discriminator that takes", x, backward_discriminator.input_shape[-1]),
    ):
        if received != expected:
            raise ValueError(
                f"Received a {what} {received} channels, expected {expected}: the generator makes "
                f"{y} of {x}."
            )


def pools(generators, discriminators, pool_size, image_size, seed):
    """The pools of both domains, first of y.

    Args:
        generators: network from x to y, and network from y to x.
        discriminators: network that judges y, and network that judges x.
        pool_size: number of images in each pool.
        image_size: side of the images of training, or `(height, width)`; None for that of the
            networks, if one of them has it fixed.
        seed: seed of the draws, or None.

    Raises:
        ValueError: if a pool is wanted and nothing says how large an image is.
    """
    made = []
    for number, networks in enumerate(zip(generators, discriminators, strict=True)):
        shape = None
        if pool_size:
            shape = (*_sides(*networks, pool_size, image_size), networks[0].output_shape[-1])
        made.append(ImagePool(pool_size, shape, None if seed is None else seed + number))
    return made


def _sides(generator, discriminator, pool_size, image_size):
    """Height and width of the images that one generator makes in training."""
    if image_size is not None:
        return (image_size, image_size) if isinstance(image_size, int) else image_size
    for shape in (generator.output_shape, discriminator.input_shape):
        if None not in shape[1:3]:
            return shape[1:3]
    raise ValueError(
        f"Received pool_size={pool_size} without image_size for networks that take any size, "
        f"{generator.name} and {discriminator.name}: a pool keeps images of one size. Give "
        "image_size, the crop of training, or pool_size=0 for none."
    )
