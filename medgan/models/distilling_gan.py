"""KGAN: the knowledge of a teacher GAN distilled into a light student."""

import keras
from keras import ops

from medgan.losses import NonSaturatingLoss, RelationLoss
from medgan.losses.fusion_loss import check_weights
from medgan.models import noise, taps
from medgan.models.adversarial_model import AdversarialModel
from medgan.models.adversary import Adversary
from medgan.models.distillation_tasks import find_task
from medgan.models.fusion_gan import content_terms
from medgan.models.soft_part import SoftPart
from medgan.ops.replicas import gathered

ONLINE = "teacher_"  # begins the names of what a teacher makes, and owes, that learns too


@keras.saving.register_keras_serializable(package="medgan")
class DistillingGAN(AdversarialModel):
    """Trains a student generator on real images and on what its teacher makes of them.

    The student minimises the paper's eq. 7 and the relations of its Figure 3,

        alpha * L_soft + beta * (content_loss + adversarial_weight * L_G) + gamma * L_relation,

    against a discriminator of its own. L_soft is `DistillationLoss` and, where they are given, the
    losses of feature maps; the hard label is eq. 8 with the content loss. Teacher and student may
    be any Keras models with the same task, the teacher one that medgan did not train:

        task         fed with   real for the discriminator       content_loss compares with
        fusion       x          x, the sources                   x, MetricAwareFusionLoss()
        translation  x          y, or x and y side by side (*)   y, 100 * absolute difference
        unpaired     x          y, images of other subjects      nothing
        synthesis    noise      x                                nothing

    (*) where the discriminator has channels for both (conditional, as in Pix2Pix). In synthesis
    teacher and student are fed the same noise, drawn once a step.

    Relations are taken between the batch's embeddings: the mean over all places of the layer named
    `"embedding"` where both networks have one, else an 8x8 thumbnail of the output.

    Offline, the teacher and its discriminator are frozen, and asked once per batch. With
    `online=True` they learn beside the student: the teacher minimises `content_loss +
    adversarial_weight * L_G` against its own discriminator, and the student looks at the teacher as
    it is at that step. In unpaired translation nothing but its first weights ties what a teacher
    makes online to what it was made of: give one that a CycleGAN has trained. One optimizer a side
    moves both networks, which is what two optimizers would do: Keras's keep moments, and clip by
    `clipnorm`, variable by variable (not by `global_clipnorm`).

    `model.student` is what you keep and export; `model(x)` is the student. Adapters of a
    `feature_loss` belong to the trainer.

    Args:
        teacher: `keras.Model` from images (or noise) to images in [0, 1]; trained, unless online.
        student: `keras.Model` of the same task, usually far smaller.
        discriminator: the student's `keras.Model` from real images to raw logits.
        teacher_discriminator: the teacher's discriminator, trained, unless online; None leaves the
            soft label of eq. 6 out. For a fast start give `discriminator` its weights.
        task: `"fusion"`, `"translation"`, `"unpaired"` or `"synthesis"`.
        online: whether the teacher learns beside the student.
        content_loss: hard loss of (real images, output); None takes the task's.
        distillation_loss: L_soft, by default a `DistillationLoss` with the task's weights.
        feature_loss: an `AdaptedFeatureLoss` or a `KernelAlignmentLoss` of the generators' maps, or
            None.
        discriminator_feature_loss: a `DiscriminatorFeatureLoss` of what the teacher's discriminator
            sees in both images, or None.
        relation_loss: L_relation, `RelationLoss()` by default.
        adversarial_loss: an `AdversarialLoss`, `NonSaturatingLoss()` by default.
        alpha: weight of the soft part.
        beta: weight of the hard part.
        gamma: weight of the relations.
        adversarial_weight: weight of the adversarial loss within the hard part; None takes the
            task's, 0.1 for fusion and 1 for the others.
        augmentation: layer that augments what the discriminators see, such as `DiffAugment()`.
        discriminator_steps: steps of the discriminator for one of the generator.
        seed: seed of the noise and of the adapters' initial weights.

    Raises:
        ValueError: if a weight is negative, a network is given twice, networks fit neither the task
            nor each other, a loss has nothing to compare or a layer to tap is not there.

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
        The paper, eqs. 6 to 9 and Figure 3; Hinton, Vinyals and Dean, 2015; online after Ren et
        al., Online Multi-Granularity Distillation for GAN Compression (OMGD), 2021, whose student
        has no adversary. What the paper leaves open (soft labels of an image, weights) is said at
        the losses.
    """

    def __init__(
        self,
        teacher,
        student,
        discriminator,
        *,
        teacher_discriminator=None,
        task="fusion",
        online=False,
        content_loss=None,
        distillation_loss=None,
        feature_loss=None,
        discriminator_feature_loss=None,
        relation_loss=None,
        adversarial_loss=None,
        alpha=1.0,
        beta=1.0,
        gamma=1.0,
        adversarial_weight=None,
        augmentation=None,
        discriminator_steps=1,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._task = find_task(task)
        if adversarial_weight is None:
            adversarial_weight = self._task.adversarial_weight
        check_weights(alpha=alpha, beta=beta, gamma=gamma, adversarial_weight=adversarial_weight)
        self.teacher = teacher
        self.student = student
        self.discriminator = discriminator
        self.teacher_discriminator = teacher_discriminator
        self.task = task
        self.online = online
        self.content_loss = self._task.content_loss() if content_loss is None else content_loss
        self.distillation_loss = distillation_loss or self._task.distillation_loss()
        self.feature_loss = feature_loss
        self.discriminator_feature_loss = discriminator_feature_loss
        self.relation_loss = relation_loss or RelationLoss()
        self.adversarial_loss = adversarial_loss or NonSaturatingLoss()
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.adversarial_weight = adversarial_weight
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self._check()
        for network in (teacher, teacher_discriminator):
            if network is not None and not (online and network.trainable):
                network.trainable = online  # online what a user froze inside stays frozen
        self._adversary = Adversary(discriminator, self.adversarial_loss, augmentation)
        self._teacher_adversary = Adversary(
            teacher_discriminator, self.adversarial_loss, augmentation
        )
        self._soft = SoftPart(
            teacher,
            student,
            teacher_discriminator,
            self._task,
            self.distillation_loss,
            feature_loss,
            discriminator_feature_loss,
            seed=seed,
            dtype=self.dtype_policy,
        )
        self._adapters = self._soft.adapters
        if self._task.draws_noise:
            self._noise = keras.random.SeedGenerator(seed)
        if all(net.built for net in (*self.generator_networks, *self.discriminator_networks)):
            self.build()

    def _check(self):
        """Raises ValueError for parts that do not fit together."""
        teacher, student = self.teacher, self.student
        judges = {"discriminator": self.discriminator}
        if self.teacher_discriminator is not None:
            judges["teacher_discriminator"] = self.teacher_discriminator
        networks = [teacher, student, *judges.values()]
        if len({id(network) for network in networks}) < len(networks):
            raise ValueError(
                "Received one network in two parts; teacher and student, and their discriminators, "
                "are told apart by their weights. Give each part a network of its own."
            )
        if not teacher.built:
            raise ValueError(
                f"Received a teacher {teacher.name!r} without weights, expected one that is built. "
                "Load it, or call it once on an image."
            )
        if self.teacher_discriminator is None and (self.online or self.discriminator_feature_loss):
            wanted = "online=True" if self.online else "discriminator_feature_loss"
            raise ValueError(
                f"Received {wanted} without the teacher_discriminator that it needs. Give one, "
                f"or leave {wanted} out."
            )
        self._task.check_content_loss(self.content_loss)
        self._task.check_networks(teacher, student)
        for part, judge in judges.items():
            shown_real = self.online or part == "discriminator"
            self._task.check_discriminator(judge, student, part, shown_real)

    @property
    def generator_networks(self):
        """The student, its adapters and, online, the teacher."""
        adapters = [] if self._adapters is None else [self._adapters]
        return [self.student, *adapters, *([self.teacher] if self.online else [])]

    @property
    def discriminator_networks(self):
        """The student's discriminator and, online, the teacher's."""
        return [self.discriminator, *([self.teacher_discriminator] if self.online else [])]

    @property
    def products(self):
        """The student and, online, the teacher."""
        return {"student": self.student, **({"teacher": self.teacher} if self.online else {})}

    def call(self, inputs, training=False):
        """What the student makes of the inputs."""
        return self.student(inputs, training=training)

    def train_step(self, *data):
        """Asks a frozen teacher once (`as_batch`), outside every tape, then steps both players."""
        return super().train_step(*data)

    def as_batch(self, data):
        """Adds to the batch the noise of a synthesis, and what a frozen teacher knows of it."""
        batch = super().as_batch(data)
        self._task.check_batch(batch)
        if self._task.draws_noise:
            fed = self.student if taps.is_functional(self.student) else self.teacher
            batch["noise"] = noise.drawn_for(batch["x"], fed, self._noise)
        if not self.online:
            teacher = self._soft.of_teacher(batch, training=False)
            batch["teacher"] = self._stopped(batch, teacher)
        return batch

    def _stopped(self, batch, teacher):
        """What a teacher made, and what its discriminator makes of that, without gradient."""
        known = {**teacher, **self._soft.judged(batch, teacher["image"])}
        return {name: ops.stop_gradient(value) for name, value in known.items()}

    def _given(self, adversary, batch, image):
        return self._task.given(batch, image, adversary.model.input_shape[-1])

    def synthesize(self, batch, training):
        """Returns what the student, and online the teacher, make of the batch."""
        seen = self._soft.of_student(batch, training)
        if self._task.draws_noise:
            noise.check_images(batch["x"], seen["image"])
        if self.online:
            teacher = self._soft.of_teacher(batch, training)
            seen.update({ONLINE + name: value for name, value in teacher.items()})
        return seen

    def discriminator_terms(self, batch, images):
        """Eq. 9 on real images and the student's and, online, the teacher's."""
        terms = {"discriminator": self._adversary_loss(self._adversary, batch, images["image"])}
        if self.online:
            terms["teacher_discriminator"] = self._adversary_loss(
                self._teacher_adversary, batch, images[ONLINE + "image"]
            )
        return terms

    def _adversary_loss(self, adversary, batch, image):
        real = ops.cast(self._task.real(batch), "float32")
        return adversary.discriminator_loss(real, image, self._given(adversary, batch, image))

    def generator_terms(self, batch, images):
        """Eq. 7, the relations, and eq. 8; online also the teacher's own."""
        teacher, image = batch.get("teacher"), images["image"]
        if self.online:
            seen = {k.removeprefix(ONLINE): v for k, v in images.items() if k.startswith(ONLINE)}
            teacher = self._stopped(batch, seen)
        soft = self._soft.terms(batch, teacher, images)
        terms = {f"soft_{name}": self.alpha * value for name, value in soft.items()}
        hard = self._hard(self._adversary, batch, image)
        terms.update({name: self.beta * value for name, value in hard.items()})
        relation = self.relation_loss.call(
            gathered(teacher["embedding"]), gathered(images["embedding"])
        )
        terms["relation"] = self.gamma * ops.mean(relation)
        if self.online:
            own = self._hard(self._teacher_adversary, batch, images[ONLINE + "image"])
            terms.update({ONLINE + name: value for name, value in own.items()})
        return terms

    def _hard(self, adversary, batch, image):
        """The terms of a generator's own against real images and its discriminator."""
        terms = {}
        if self.content_loss is not None:
            terms = content_terms(self.content_loss, self._task.real(batch), image)
        adversarial = adversary.generator_loss(image, self._given(adversary, batch, image))
        return {**terms, "adversarial": self.adversarial_weight * adversarial}

    def compared(self, batch, images):
        """The real images and the student's."""
        return self._task.real(batch), images["image"]

    def judged(self, batch, images):
        """Logits of the real images and of the student's, by the student's discriminator."""
        image = images["image"]
        given = self._given(self._adversary, batch, image)
        return self._adversary.judged(self._task.real(batch), image, given)
