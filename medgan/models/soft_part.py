"""The soft part of eq. 7: what a teacher shows its student, and what the student owes to it."""

import keras
from keras import ops

from medgan.losses import DistillationLoss
from medgan.models import taps
from medgan.models.adversary import Adversary
from medgan.models.fusion_gan import content_terms


class SoftPart:
    """Looks into a teacher, its student and its discriminator, and compares, for `DistillingGAN`.

    It holds no state of its own: the trainer owns and saves the parts, the adapters too.

    Args:
        teacher: `keras.Model` to images.
        student: `keras.Model` of the same task.
        judge: the teacher's discriminator, or None.
        task: a `Task`.
        distillation_loss: loss of (teacher's image, student's image).
        feature_loss: a `FeatureLoss` of the generators' maps, or None.
        discriminator_feature_loss: a `DiscriminatorFeatureLoss`, or None.
        seed: seed of the adapters' initial weights.
        dtype: dtype policy of the adapters.

    Attributes:
        adapters: `keras.Model` from the student's maps to the teacher's channels, or None.

    Raises:
        ValueError: if a layer to tap is not there, or two maps do not fit.
    """

    def __init__(
        self,
        teacher,
        student,
        judge,
        task,
        distillation_loss,
        feature_loss=None,
        discriminator_feature_loss=None,
        seed=None,
        dtype=None,
    ):
        self.task = task
        self.distillation_loss = distillation_loss
        self.feature_loss = feature_loss
        self.discriminator_feature_loss = discriminator_feature_loss
        self._embeds = taps.has_embedding(teacher) and taps.has_embedding(student)
        first = ["embedding"] if self._embeds else []
        pairs = [] if feature_loss is None else feature_loss.pairs
        self._teacher = taps.Taps(teacher, first + [pair[0] for pair in pairs], "teacher")
        self._student = taps.Taps(student, first + [pair[1] for pair in pairs], "student")
        self.adapters = None
        if feature_loss is not None and feature_loss.adapts:
            maps = (each.maps[len(first) :] for each in (self._teacher, self._student))
            self.adapters = taps.adapters(*maps, seed=seed, dtype=dtype)
        self._judge = taps.Taps(judge, self._judged_layers(judge), "teacher_discriminator")
        self._adversary = None if judge is None else Adversary(self._judge.model, None)

    def _judged_layers(self, judge):
        if self.discriminator_feature_loss is None:
            return []
        layers = self.discriminator_feature_loss.layers or taps.activations(judge)
        if not layers:
            raise ValueError(
                "Received a discriminator_feature_loss and a teacher_discriminator in which Keras "
                "knows no activation. Name the layers to compare: "
                "DiscriminatorFeatureLoss(layers=[...])."
            )
        return layers

    def of_teacher(self, batch, training):
        """The teacher's image, embedding and maps, name to tensor."""
        return self._look(self._teacher, batch, training)

    def of_student(self, batch, training):
        """The same of the student."""
        return self._look(self._student, batch, training)

    def _look(self, network, batch, training):
        image, maps = network(self.task.fed(batch), training=training)
        embedding = taps.embedding_of(image, maps.pop(0) if self._embeds else None)
        numbered = {f"map_{index}": value for index, value in enumerate(maps)}
        return {"image": image, "embedding": embedding, **numbered}

    def judged(self, batch, image):
        """What the teacher's discriminator says and sees of an image, as far as it is asked."""
        loss = self.distillation_loss
        asked = isinstance(loss, DistillationLoss) and loss.soft_label > 0
        if self._adversary is None or not (asked or self._judge.maps):
            return {}
        given = self.task.given(batch, image, self._judge.model.input_shape[-1])
        logits, maps = self._judge.split(self._adversary.logits(image, given))
        seen = {f"judge_map_{index}": value for index, value in enumerate(maps)}
        return {**seen, "logits": logits} if asked else seen

    def terms(self, batch, teacher, student):
        """The terms of L_soft: of the images, of the generators' maps, of the discriminator's.

        Args:
            batch: what the networks were fed.
            teacher: what `of_teacher` and `judged` returned, together and without gradient.
            student: what `of_student` returned.

        Returns:
            Name to scalar.
        """
        taps.check_same_shape(teacher["image"], student["image"])
        student = {**student, **self.judged(batch, student["image"])}
        logits = [each["logits"] for each in (teacher, student) if "logits" in each]
        images = teacher["image"], student["image"]
        terms = content_terms(self.distillation_loss, *images, *logits)
        if self.feature_loss is not None:
            maps = _listed(student, "map_")
            maps = maps if self.adapters is None else keras.tree.flatten(self.adapters(maps))
            terms["features"] = _compared(self.feature_loss, _listed(teacher, "map_"), maps)
        if self.discriminator_feature_loss is not None:
            maps = (_listed(each, "judge_map_") for each in (teacher, student))
            terms["discriminator_features"] = _compared(self.discriminator_feature_loss, *maps)
        return terms


def _listed(seen, prefix):
    """Values of numbered names, in order."""
    count = sum(name.startswith(prefix) for name in seen)
    return [seen[f"{prefix}{index}"] for index in range(count)]


def _compared(loss, teacher_maps, student_maps):
    """The sum of a loss over pairs of maps."""
    pairs = zip(teacher_maps, student_maps, strict=True)
    return sum(ops.mean(loss.call(*pair)) for pair in pairs)
