"""The base of tasks: what a training and its end need to know of what a network is for."""

import abc

from medgan.errors import DataError, RecipeError
from medgan.recipe_data import spread

HEALTH_IMAGES = 8
BATCH = 4
COSTS = "CPU ms: median of 20 single images as a TensorFlow graph on this machine."
IMAGE_CONVENTIONS = (
    "Scores are means by patient on patients whom no training saw, on 8-bit images 0..255, clipped "
    f"and rounded, never stretched; `report.html` says the convention of each. {COSTS}"
)


class Task(abc.ABC):
    """What a network is for, with the data that it learns and is judged on.

    Args:
        data: a `medgan.recipe_data.RecipeData`.

    Attributes:
        name: what `data.task` calls it.
        scores: table of its validation scores, key to `medgan.metrics.score.Score`.
        baseline: the method that the final table compares with.
        subject: what its networks do, in words.

    Raises:
        RecipeError: if the task needs a source and `data` has none.
    """

    name = ""
    scores: dict = {}
    baseline = ""
    subject = ""
    needs_source = True

    def __init__(self, data):
        self.data = data
        self.split = data.split
        self.modalities = data.pairs.modalities
        if self.needs_source and data.source is None:
            raise RecipeError(
                f'[data] task = "{self.name}" has no source, expected one of '
                f'{" or ".join(self.modalities)}: source = "{self.modalities[1]}".'
            )
        self.source = 1 if data.source is None else data.source

    @property
    def source_name(self):
        """The modality that is translated from, or synthesised."""
        return self.modalities[self.source]

    @property
    def target_name(self):
        """The other modality."""
        return self.modalities[1 - self.source]

    @property
    def image_size(self):
        """`(height, width)` of the images of training."""
        crop = self.data.settings.get("crop")
        return (crop, crop) if crop else self.split.train.sizes()[0]

    # Training.

    @abc.abstractmethod
    def batches(self, batch_size, seed, first_step):
        """Endless batches for training, as `fit` takes them."""

    @abc.abstractmethod
    def images(self, pairs):
        """Whole images of pairs in order, once, as `fit` takes them."""

    def health_batches(self, size=None):
        """Images of patients of either side of the split, for `TrainingHealth`.

        Args:
            size: `(height, width)` of their middles, for networks that take nothing else; None
                gives them whole.
        """
        batches = self._health_images()
        return batches if size is None else tuple(_middles(each, size) for each in batches)

    def _health_images(self):
        return tuple(
            self.images(spread(pairs, HEALTH_IMAGES))
            for pairs in (self.split.train, self.split.validation)
        )

    @abc.abstractmethod
    def check(self, networks):
        """Refuses what cannot be trained or scored.

        Args:
            networks: those that will be scored.

        Raises:
            DataError: if an image is too small to be scored, or there are too few.
            RecipeError: if a network does not fit the images.
        """

    def division(self):
        """What `split.json` says beside the split: name to a list of patients."""
        return {}

    # Observing a training.

    @abc.abstractmethod
    def report(self, network, count, rivals, every, keys):
        """The callback that validates.

        Args:
            network: the network that is trained.
            count: most validation pairs.
            rivals: name to network, what it is compared with beside the task's baselines.
            every: number of epochs between two validations.
            keys: names of the scores; None for all.
        """

    @abc.abstractmethod
    def grid(self, network, folder, every):
        """The callback that draws pictures into a folder."""

    # The end.

    @abc.abstractmethod
    def scoring(self, networks, pairs, classical=(), baselines=True, patients_known=True):
        """Networks and baselines that are about to be scored on pairs.

        Args:
            networks: name to network.
            pairs: `Pairs` that no training saw.
            classical: names of classical methods, where the task has such.
            baselines: whether the task's baselines are scored as well.
            patients_known: False counts every image alike.

        Returns:
            A `StudyScoring` or `SetScoring`.

        Raises:
            RecipeError: if classical methods are named for a task that has none.
        """

    @abc.abstractmethod
    def figure(self, networks, path):
        """Draws what networks make of a few validation images (the paper's Figure 4)."""

    @abc.abstractmethod
    def card(self, network):
        """Lines of a model card: what goes in and comes out, how to read scores and images."""

    def _no_classical(self, classical):
        if classical:
            raise RecipeError(
                f"Received --classical {classical[0]} for a run of {self.name}, expected it for "
                "fusion alone."
            )


def _middles(batches, size):
    """The middles of images, all of one size."""
    import tensorflow as tf

    height, width = size

    def middle(images):
        top, left = (tf.shape(images)[1] - height) // 2, (tf.shape(images)[2] - width) // 2
        images = images[:, top : top + height, left : left + width]
        return tf.ensure_shape(images, (None, height, width, None))

    # A dataset of pairs hands over two arguments.
    return batches.map(lambda x, y=None: middle(x) if y is None else (middle(x), middle(y)))


def titled(networks):
    """The name of the network that pages and cards are about: the student, else the first."""
    return "student" if "student" in networks else next(iter(networks))


def check_sides(split, scores):
    """Refuses images that have no room for the main scores.

    Args:
        split: a `medgan.data.Split`.
        scores: table of `Score`s.

    Raises:
        DataError: if a validation or test image is too small.
    """
    smallest = max(score.smallest_side for score in scores.values() if score.main)
    for pairs in (split.validation, split.test):
        for name, size in zip(pairs.names, pairs.sizes(), strict=True):
            if min(size) < smallest:
                raise DataError(
                    f"{name}: received {size[0]} x {size[1]} pixels, expected at least "
                    f"{smallest} a side to be scored. Leave the image out."
                )
