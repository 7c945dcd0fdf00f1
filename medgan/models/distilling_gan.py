"""KGAN: the knowledge of a teacher GAN distilled into a light student."""

import keras
from keras import ops

from medgan.losses import DistillationLoss, NonSaturatingLoss, RelationLoss
from medgan.losses.fusion_loss import check_weights
from medgan.losses.fusion_losses import MetricAwareFusionLoss
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary
from medgan.models.fusion_gan import content_terms
from medgan.ops.replicas import gathered


@keras.saving.register_keras_serializable(package="medgan")
class DistillingGAN(AdversarialModel):
    """Trains a student generator on real images and on what a frozen teacher makes of them.

    The student minimises the paper's eq. 7 and the relations of its Figure 3,

        alpha * L_soft + beta * (content_loss + adversarial_weight * L_G) + gamma * L_relation,

    against a discriminator of its own. L_soft is `DistillationLoss`; the hard label is eq. 8 with
    the content loss against real images: the sources of a fusion (`x`), or the target of a
    translation (`y`, where the batch has one). Teacher and student may be any Keras models with
    the same task.

    Relations are taken between the batch's embeddings: the mean over all places of the layer named
    `"embedding"` where both networks have one, else an 8x8 thumbnail of the output.

    The teacher and its discriminator are frozen. `model.student` is what you keep and export;
    `model(x)` is the student.

    Args:
        teacher: trained `keras.Model` from images to images in [0, 1].
        student: `keras.Model` of the same task, usually far smaller.
        discriminator: the student's `keras.Model` from real images to raw logits.
        teacher_discriminator: the teacher's trained discriminator; None leaves the soft label of
            eq. 6 out. For a fast start give `discriminator` its weights.
        content_loss: hard loss of (real images, output), `MetricAwareFusionLoss()` by default.
        distillation_loss: L_soft, `DistillationLoss()` by default.
        relation_loss: L_relation, `RelationLoss()` by default.
        adversarial_loss: an `AdversarialLoss`, `NonSaturatingLoss()` by default.
        alpha: weight of the soft part.
        beta: weight of the hard part.
        gamma: weight of the relations.
        adversarial_weight: weight of the adversarial loss within the hard part.
        augmentation: layer that augments what the discriminator sees, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminator for one of the generator.

    Raises:
        ValueError: if a weight is negative, or a network is given twice.

    Example:
        >>> import numpy as np
        >>> from medgan.losses import StructuralFusionLoss
        >>> from medgan.models import DistillingGAN
        >>> from medgan.networks import dense_fusion_generator, modality_discriminator
        >>> teacher, student = (dense_fusion_generator(width=width) for width in (4, 2))
        >>> networks = teacher, student, modality_discriminator(width=2)
        >>> model = DistillingGAN(*networks, content_loss=StructuralFusionLoss())
        >>> model.compile("adam", "adam")
        >>> x = np.random.default_rng(0).uniform(size=(4, 48, 48, 2)).astype("float32")
        >>> history = model.fit(x, batch_size=4, epochs=1, verbose=0)
        >>> model.student.predict(x, verbose=0).shape
        (4, 48, 48, 1)

    Reference:
        The paper, eqs. 6 to 9 and Figure 3; Hinton, Vinyals and Dean, 2015. What the paper leaves
        open (soft labels of an image, weights) is said at the losses.
    """

    def __init__(
        self,
        teacher,
        student,
        discriminator,
        *,
        teacher_discriminator=None,
        content_loss=None,
        distillation_loss=None,
        relation_loss=None,
        adversarial_loss=None,
        alpha=1.0,
        beta=1.0,
        gamma=1.0,
        adversarial_weight=0.1,
        augmentation=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_weights(alpha=alpha, beta=beta, gamma=gamma, adversarial_weight=adversarial_weight)
        if teacher is student or discriminator is teacher_discriminator:
            raise ValueError(
                "Received one network in two parts; the teacher's networks are frozen and the "
                "student's are trained. Give each part a network of its own."
            )
        self.teacher = teacher
        self.student = student
        self.discriminator = discriminator
        self.teacher_discriminator = teacher_discriminator
        self.content_loss = MetricAwareFusionLoss() if content_loss is None else content_loss
        self.distillation_loss = distillation_loss or DistillationLoss()
        self.relation_loss = relation_loss or RelationLoss()
        self.adversarial_loss = adversarial_loss or NonSaturatingLoss()
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.adversarial_weight = adversarial_weight
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        teacher.trainable = False
        if teacher_discriminator is not None:
            teacher_discriminator.trainable = False
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        self._teacher_adversary = Adversary(teacher_discriminator, self.adversarial_loss)
        self._outputs_of = _tapped(teacher, student)
        if student.built and discriminator.built:
            self.build()

    generator_networks = property(lambda self: [self.student])
    discriminator_networks = property(lambda self: [self.discriminator])

    def call(self, inputs, training=False):
        """What the student makes of the inputs."""
        return self.student(inputs, training=training)

    def train_step(self, *data):
        """Asks the teacher once (`as_batch`), outside every tape, then steps both players."""
        return super().train_step(*data)

    def as_batch(self, data):
        """Adds to the batch what the teacher knows of it."""
        batch = super().as_batch(data)
        image, embedding = self._outputs_of(self.teacher, batch["x"], training=False)
        teacher = {"image": image, "embedding": embedding}
        if self.teacher_discriminator is not None:
            teacher["logits"] = self._teacher_adversary.logits(image)
        return {**batch, "teacher": {key: ops.stop_gradient(v) for key, v in teacher.items()}}

    def synthesize(self, batch, training):
        """Returns the student's images and embeddings."""
        image, embedding = self._outputs_of(self.student, batch["x"], training=training)
        return {"image": image, "embedding": embedding}

    def discriminator_terms(self, batch, images):
        """Eq. 9 on real images and the student's."""
        real = ops.cast(_real(batch), "float32")
        return {"discriminator": self._adversary.discriminator_loss(real, images["image"])}

    def generator_terms(self, batch, images):
        """Eq. 7, the relations, and eq. 8."""
        teacher, image = batch["teacher"], images["image"]
        logits = ()
        if "logits" in teacher and isinstance(self.distillation_loss, DistillationLoss):
            logits = teacher["logits"], self._teacher_adversary.logits(image)
        soft = content_terms(self.distillation_loss, teacher["image"], image, *logits)
        hard = content_terms(self.content_loss, _real(batch), image)
        hard["adversarial"] = self.adversarial_weight * self._adversary.generator_loss(image)
        relation = self.relation_loss.call(
            gathered(teacher["embedding"]), gathered(images["embedding"])
        )
        return {
            **{f"soft_{name}": self.alpha * value for name, value in soft.items()},
            **{name: self.beta * value for name, value in hard.items()},
            "relation": self.gamma * ops.mean(relation),
        }

    def compared(self, batch, images):
        """The real images and the student's."""
        return _real(batch), images["image"]

    def judged(self, batch, images):
        """Logits of the real images and of the student's, by the student's discriminator."""
        return self._adversary.judged(_real(batch), images["image"])


def _real(batch):
    """What is real in a batch: the target of a translation, the sources of a fusion."""
    return batch["x"] if batch["y"] is None else batch["y"]


def _tapped(*networks):
    """Makes `(network, x, training) -> (image, embedding)` for the given networks.

    The tapping models live in a closure: as attributes of the trainer Keras would save their layers
    a second time.
    """
    taps = {}
    if all(_has_embedding(network) for network in networks):
        for network in networks:
            outputs = [network.outputs[0], network.get_layer("embedding").output]
            taps[id(network)] = keras.Model(network.inputs[0], outputs)

    def outputs_of(network, x, training):
        if taps:
            image, features = taps[id(network)](x, training=training)
            return image, ops.mean(ops.cast(features, "float32"), axis=(1, 2))
        image = network(x, training=training)
        return image, _thumbnail(image)

    return outputs_of


def _has_embedding(network):
    """Whether a functional network has a layer named "embedding" that makes a map."""
    return any(
        layer.name == "embedding" and len(layer.output.shape) == 4
        for layer in getattr(network, "layers", ())
        if getattr(network, "inputs", None)
    )


def _thumbnail(images):
    """An 8x8 thumbnail of every image as a vector."""
    small = keras.ops.image.resize(ops.cast(images, "float32"), (8, 8), antialias=True)
    return ops.reshape(small, (ops.shape(images)[0], 64 * images.shape[-1]))
