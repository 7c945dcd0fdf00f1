"""The soft part of the paper's eq. 7."""

import keras
from keras import ops

from medgan.losses.fusion_loss import check_weights
from medgan.losses.soft_label_losses import SoftenedLabelLoss, SpatialSoftLabelLoss
from medgan.losses.teacher_image_losses import TeacherImageLoss, WaveletLoss


@keras.saving.register_keras_serializable(package="medgan")
class DistillationLoss(keras.losses.Loss):
    """What a student owes to its teacher's image: soft labels, image and wavelet terms.

        soft_label  SoftenedLabelLoss of the teacher's discriminator      eq. 6, two classes
        spatial     SpatialSoftLabelLoss of the images                    eq. 6, pixels as classes
        image       absolute * |S - T| + structure * (1 - SSIM(S, T))     eq. 6, high temperature
        wavelet     WaveletLoss of the images                             eq. 6, high temperature

    Together they are L_soft of eq. 7, `L = alpha L_soft + beta L_hard`; `DistillingGAN` adds L_hard
    and the relations of Figure 3. As a Keras loss on images alone (`y_true` the teacher's image) it
    leaves out the first term, which needs a discriminator. A part of weight 0 is not computed.

    Args:
        temperature: softness of both kinds of labels (T in the paper, tau in ours).
        soft_label: weight of the discriminator's soft label.
        spatial: weight of the spatial soft label.
        absolute: weight of the absolute difference.
        structure: weight of the structural dissimilarity.
        wavelet: weight of the wavelet term.

    Raises:
        ValueError: if a weight is negative or the temperature is not above 0.
    """

    def __init__(
        self,
        temperature=4.0,
        soft_label=1.0,
        spatial=1.0,
        absolute=20.0,
        structure=10.0,
        wavelet=10.0,
        name="distillation_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_weights(soft_label=soft_label, spatial=spatial, wavelet=wavelet)
        self.temperature = temperature
        self.soft_label = soft_label
        self.spatial = spatial
        self.absolute = absolute
        self.structure = structure
        self.wavelet = wavelet
        self._soft_label_loss = SoftenedLabelLoss(temperature)
        self._spatial_loss = SpatialSoftLabelLoss(temperature)
        self._image_loss = TeacherImageLoss(absolute, structure)
        self._wavelet_loss = WaveletLoss()

    def terms(self, teacher, student, teacher_logits=None, student_logits=None):
        """Weighted terms whose sum is L_soft.

        Args:
            teacher: the teacher's images `(batch, height, width, channels)`.
            student: the student's images, of the same shape.
            teacher_logits: what the teacher's discriminator says of the teacher's images; None
                leaves the term out.
            student_logits: what the same discriminator says of the student's images.

        Returns:
            Name to tensor of shape `(batch,)`.
        """
        terms = {}
        if self.spatial:
            terms["spatial"] = self.spatial * self._spatial_loss.call(teacher, student)
        if self.absolute or self.structure:
            terms["image"] = self._image_loss.call(teacher, student)
        if self.wavelet:
            terms["wavelet"] = self.wavelet * self._wavelet_loss.call(teacher, student)
        if self.soft_label and teacher_logits is not None:
            labels = self._soft_label_loss.call(teacher_logits, student_logits)
            terms["soft_label"] = self.soft_label * labels
        return terms

    def call(self, y_true, y_pred):
        """Sum of the terms on images, `(batch,)`."""
        nothing = ops.zeros((ops.shape(y_pred)[0],))
        return sum(self.terms(y_true, y_pred).values(), nothing)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "soft_label": self.soft_label,
            "spatial": self.spatial,
            "absolute": self.absolute,
            "structure": self.structure,
            "wavelet": self.wavelet,
        }
