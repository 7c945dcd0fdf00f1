"""Translation: of an image of one modality what the other would show, with pairs or without."""

import functools

import numpy as np

from medgan import callbacks
from medgan.data import divide_patients, translation_batches, translation_images, unpaired_batches
from medgan.evaluation import ComputedMethod
from medgan.evaluation.runs import StudyScoring, network_methods, translation_study
from medgan.figures import comparison_figure
from medgan.metrics import TRANSLATION_SCORES
from medgan.networks import compiled
from medgan.recipe_data import of_one_size, spread
from medgan.tasks.task import BATCH, HEALTH_IMAGES, IMAGE_CONVENTIONS, Task, check_sides, titled

SOURCE, MEAN_TARGET = "source", "mean target"


class Translation(Task):
    """The source goes in, an image of the target's modality comes out; both of one patient teach.

    The floor that a network must beat is the source itself, returned as it is, and the mean of
    all target images of the training, pixel by pixel, where they have one size.
    """

    name = "translation"
    scores = TRANSLATION_SCORES
    baseline = SOURCE

    @property
    def subject(self):
        """What its networks do, in words."""
        return f"A network that makes of a grey {self.source_name} image one that looks like " + (
            f"{self.target_name}"
        )

    def batches(self, batch_size, seed, first_step):
        """Batches (source, target) of the same places."""
        return translation_batches(
            self.split.train,
            batch_size,
            self.source,
            seed=seed,
            first_step=first_step,
            **self.data.settings,
        )

    def images(self, pairs):
        """Whole (source, target)."""
        return translation_images(pairs, BATCH, self.source)

    def check(self, networks):
        """Every main score must have room."""
        check_sides(self.split, self.scores)

    @functools.cached_property
    def mean_target(self):
        """Mean target image of the training, `(height, width, 1)`; None where sizes differ."""
        train, target = self.split.train, 1 - self.source
        if len({*train.sizes(), *self.split.validation.sizes(), *self.split.test.sizes()}) > 1:
            return None
        total = sum(train.image(index).astype("float64") for index in range(len(train)))
        return (total / len(train))[..., target : target + 1].astype("float32")

    def _baselines(self):
        """Name to a function from sources to images: what needs no network."""
        found = {SOURCE: lambda sources: sources}
        if self.mean_target is not None:
            found[MEAN_TARGET] = lambda sources: np.broadcast_to(
                self.mean_target, (len(sources), *self.mean_target.shape)
            )
        return found

    def report(self, network, count, rivals, every, keys):
        """Scores beside the source (`identity`) and the mean target."""
        pairs = spread(self.split.validation, count)
        baselines = self._baselines()
        del baselines[SOURCE]  # the report has it
        rivals = {**baselines, **{name: compiled(rival) for name, rival in rivals.items()}}
        return callbacks.TranslationReport(self.images(pairs), pairs.patients, rivals, every, keys)

    def grid(self, network, folder, every):
        """Source, target, network."""
        pairs = of_one_size(spread(self.split.validation, 4))
        images = np.stack([pairs.image(index) for index in range(len(pairs))])
        sources, targets = (images[..., [channel]] for channel in (self.source, 1 - self.source))
        titles = self.source_name, self.target_name
        return callbacks.ImageGrid(sources, folder, titles, every, targets=targets)

    def scoring(self, networks, pairs, classical=(), baselines=True, patients_known=True):
        """Networks beside the source and the mean target, with costs."""
        self._no_classical(classical)
        study = translation_study(pairs, self.source, patients_known)
        methods = [
            ComputedMethod(name, function, cost={"parameters": 0, "macs": 0, "milliseconds": 0.0})
            for name, function in (self._baselines() if baselines else {}).items()
        ]
        methods += network_methods(networks, study.inputs(0))
        return StudyScoring(study, methods, "translation", titled(networks))

    def figure(self, networks, path):
        """Source, target, mean target, networks."""
        shown = spread(self.split.validation, 4)
        images = [shown.image(index)[None] for index in range(len(shown))]
        sources = [image[..., [self.source]] for image in images]
        methods = {**self._baselines(), **networks}
        del methods[SOURCE]
        columns = {
            self.source_name: [source[0] for source in sources],
            self.target_name: [image[0][..., [1 - self.source]] for image in images],
            **{
                name.replace("_", " "): [np.asarray(method(source))[0] for source in sources]
                for name, method in methods.items()
            },
        }
        comparison_figure(columns, path, shown.names)

    def card(self, network):
        """What goes in and comes out."""
        return {
            "input": f"`(batch, height, width, 1)`, float32 in [0, 1], {self.source_name}.",
            "output": f"`(batch, height, width, 1)`, float32 in [0, 1], like {self.target_name}; "
            "grey levels, no Hounsfield units.",
            "conventions": IMAGE_CONVENTIONS,
            "reading": f"`{SOURCE}` is the {self.source_name} image returned as it is, "
            f"`{MEAN_TARGET}` the mean {self.target_name} image of the training: a network that "
            "does not beat both has learned nothing. Most of a frame is air; `..._head` scores are "
            "inside the head.",
            "noise": "train with other seeds before you read small differences.",
            "danger": "a translated image shows what\nis likely, not what is there: it can miss "
            "or invent a lesion.",
        }


class UnpairedTranslation(Translation):
    """The same, learned from source images and target images of different patients.

    Validation and scores are on pairs, for nothing else says whether a translation is right.
    """

    name = "unpaired"

    def batches(self, batch_size, seed, first_step):
        """Batches (source, target) of different patients."""
        return unpaired_batches(
            self.split.train,
            batch_size,
            self.source,
            self.data.seed,
            seed=seed,
            first_step=first_step,
            **self.data.settings,
        )

    def _halves(self):
        return divide_patients(self.split.train, self.data.seed)

    def division(self):
        """The patients whose source or target images are trained on."""
        names = f"train_{SOURCE}", "train_target"
        return {
            name: sorted(set(half.patients))
            for name, half in zip(names, self._halves(), strict=True)
        }

    def _health_images(self):
        """Training images of each modality that were really seen; held-out ones in pairs."""
        import tensorflow as tf

        sources, targets = (spread(of_one_size(half), HEALTH_IMAGES) for half in self._halves())
        seen = tf.data.Dataset.zip((self.images(sources), self.images(targets)))
        seen = seen.map(lambda first, second: (first[0], second[1]))
        return seen, self.images(spread(self.split.validation, HEALTH_IMAGES))
