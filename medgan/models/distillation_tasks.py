"""What generators are for: what feeds them, what is real beside their images, what they owe."""

import abc

from medgan.losses import DistillationLoss, MetricAwareFusionLoss, TeacherImageLoss
from medgan.models.taps import differ, shape_of


class Task(abc.ABC):
    """One kind of generator, for the use of `DistillingGAN`; it holds no state.

    Attributes:
        name: name of the task.
        adversarial_weight: weight of the adversarial loss within the hard part.
        draws_noise: whether teacher and student are fed noise instead of the batch.
        needs_target: whether a batch must hold `y`.
    """

    name: str
    adversarial_weight = 1.0
    draws_noise = False
    needs_target = False

    def content_loss(self):
        """The default hard loss on images; None where no image is the right one."""
        return None

    def distillation_loss(self):
        """The default L_soft."""
        return DistillationLoss()

    @abc.abstractmethod
    def real(self, batch):
        """Real images of the kind that is generated."""

    @abc.abstractmethod
    def judged_channels(self, source, image):
        """Channels that a discriminator may have, for a source and an image of so many."""

    def fed(self, batch):
        """What teacher and student are given."""
        return batch["noise"] if self.draws_noise else batch["x"]

    def given(self, batch, image, channels):
        """What an image is judged with by a discriminator of so many channels, or None."""
        return None

    def check_batch(self, batch):
        """Raises ValueError for a batch without a target where one is needed."""
        if self.needs_target and batch["y"] is None:
            raise ValueError(
                f"Received batches of x alone with task={self.name!r}, expected (x, y): images and "
                "images of the other kind."
            )

    def check_content_loss(self, loss):
        """Raises ValueError for a content loss without anything to compare an image with."""
        if loss is not None and self.content_loss() is None:
            raise ValueError(
                f"Received content_loss={type(loss).__name__} with task={self.name!r}, expected "
                "None: no real image belongs to a generated one. Leave it out; what is real comes "
                "from the discriminator."
            )

    def check_networks(self, teacher, student):
        """Raises ValueError if what feeds the networks does not fit the task or each other."""
        for part, network in (("teacher", teacher), ("student", student)):
            shape = shape_of(network, "input")
            if shape is None:
                continue
            if self.draws_noise and None in shape[1:]:
                raise ValueError(
                    f"Received a {part} with inputs of shape {shape} for task='synthesis', "
                    "expected noise of a known shape, such as (None, 100). A network of images "
                    "has task='translation', 'unpaired' or 'fusion'."
                )
            if not self.draws_noise and len(shape) != 4:
                raise ValueError(
                    f"Received a {part} with inputs of shape {shape} for task={self.name!r}, "
                    "expected images (batch, height, width, channels). A network that makes "
                    "images of noise has task='synthesis'."
                )
        _check_alike(teacher, student, "input")
        _check_alike(teacher, student, "output")

    def check_discriminator(self, discriminator, student, part, shown_real=True):
        """Raises ValueError if a discriminator has other channels than its images."""
        channels, source, image = (
            None if shape_of(network, side) is None else shape_of(network, side)[-1]
            for network, side in (
                (discriminator, "input"),
                (student, "input"),
                (student, "output"),
            )
        )
        if None in (channels, source, image):
            return
        known = {*self.judged_channels(source, image), *(() if shown_real else (image,))}
        if channels not in known:
            expected = " or ".join(map(str, sorted(known)))
            raise ValueError(
                f"Received a {part} of {channels} channels for task={self.name!r} with sources of "
                f"{source} and images of {image}, expected {expected}. "
                "Make it with that many channels, or set `task`."
            )


class Fusion(Task):
    """`x` holds the sources as channels; a fused image must keep what they show."""

    name = "fusion"
    adversarial_weight = 0.1

    def content_loss(self):
        """The default hard loss on images."""
        return MetricAwareFusionLoss()

    def real(self, batch):
        """The sources."""
        return batch["x"]

    def judged_channels(self, source, image):
        """One channel per source."""
        return (source,)

    def check_batch(self, batch):
        """Raises ValueError for a target: which is real would be unclear."""
        if batch["y"] is not None:
            raise ValueError(
                "Received batches of (x, y) with task='fusion', expected the sources x alone. "
                "Set task='translation' or task='unpaired', or leave y out."
            )


class _WithTarget(Task):
    """`x` holds source images, `y` images of the other kind."""

    needs_target = True

    def distillation_loss(self):
        """The default L_soft."""
        return DistillationLoss(absolute=50.0)

    def real(self, batch):
        """The images of the other kind."""
        return batch["y"]


class Translation(_WithTarget):
    """Paired: `y` is what `x` must become."""

    name = "translation"

    def content_loss(self):
        """The default hard loss on images: their mean absolute difference, times 100."""
        return TeacherImageLoss(absolute=100.0, structure=0.0, name="absolute_difference")

    def judged_channels(self, source, image):
        """Images alone, or (conditional) beside their sources."""
        return (image, source + image)

    def given(self, batch, image, channels):
        """The source, where the discriminator has channels for both."""
        return None if channels == image.shape[-1] else batch["x"]


class Unpaired(_WithTarget):
    """`y` are images of other subjects: real, but not what `x` must become."""

    name = "unpaired"

    def judged_channels(self, source, image):
        """Images alone."""
        return (image,)


class Synthesis(Task):
    """`x` are real images; teacher and student make theirs of the same noise."""

    name = "synthesis"
    draws_noise = True

    def distillation_loss(self):
        """The default L_soft: the discriminator's soft label, and images near the teacher's."""
        return DistillationLoss(spatial=0.0, absolute=3.0, structure=0.0, wavelet=0.0)

    def real(self, batch):
        """The images."""
        return batch["x"]

    def judged_channels(self, source, image):
        """Images alone."""
        return (image,)

    def check_networks(self, teacher, student):
        """Raises ValueError if what feeds the networks does not fit the task or each other."""
        super().check_networks(teacher, student)
        if shape_of(teacher, "input") is None and shape_of(student, "input") is None:
            raise ValueError(
                "Received subclassed networks for task='synthesis', expected one with an Input of "
                "which Keras knows the shape of the noise. Wrap the student in a keras.Model."
            )


TASKS = {task.name: task for task in (Fusion(), Translation(), Unpaired(), Synthesis())}


def find_task(name):
    """The task of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in TASKS:
        raise ValueError(f"Received task={name!r}, expected one of {', '.join(TASKS)}.")
    return TASKS[name]


def _check_alike(teacher, student, side):
    """Raises ValueError where the shapes of two networks are known and differ."""
    first, second = shape_of(teacher, side), shape_of(student, side)
    if first is None or second is None:
        return
    if differ(first, second):
        raise ValueError(
            f"Received a teacher with {side}s of shape {first} and a student with {side}s of shape "
            f"{second}, expected the same: the student learns what the teacher makes of the same "
            f"{side if side == 'input' else 'images'}. Build the student like its teacher."
        )
