"""Fusion: two registered images into one."""

import numpy as np

from medgan import callbacks
from medgan.classical import average, maximum
from medgan.data import evaluation_batches, training_batches
from medgan.evaluation.runs import StudyScoring, costed_methods, pairs_study
from medgan.figures import comparison_figure
from medgan.metrics import FUSION_SCORES
from medgan.networks import compiled
from medgan.recipe_data import of_one_size, spread
from medgan.tasks.task import BATCH, IMAGE_CONVENTIONS, Task, check_sides, titled


class Fusion(Task):
    """Both modalities go in, one image comes out that should hold what both show."""

    name = "fusion"
    scores = FUSION_SCORES
    baseline = "maximum"
    subject = "A network that fuses two registered grey images into one"
    needs_source = False

    def batches(self, batch_size, seed, first_step):
        """Batches of both modalities as channels."""
        return training_batches(
            self.split.train, batch_size, seed=seed, first_step=first_step, **self.data.settings
        )

    def images(self, pairs):
        """Both modalities as channels."""
        return evaluation_batches(pairs, BATCH)

    def check(self, networks):
        """Every score must have room."""
        check_sides(self.split, self.scores)

    def validation(self, count, keys):
        """Validation batches, and the patients and labels of their images.

        Labels are a list of maps; None where the data are no phantoms, or single scores are chosen.
        """
        pairs = self.split.validation
        pairs = pairs if count is None else spread(pairs, count)
        # Drawing them takes seconds: only where their scores are wanted.
        known = self.data.labels if keys is None else None
        labels = None if known is None else [known[name] for name in pairs.names]
        return self.images(pairs), pairs.patients, labels

    def report(self, network, count, rivals, every, keys):
        """Scores beside average and maximum."""
        batches, patients, labels = self.validation(count, keys)
        rivals = {name: compiled(rival) for name, rival in rivals.items()}
        return callbacks.FusionReport(batches, patients, rivals, every, keys, labels)

    def grid(self, network, folder, every):
        """Sources, maximum, network."""
        pairs = of_one_size(spread(self.split.validation, 4))
        sources = np.stack([pairs.image(index) for index in range(len(pairs))])
        return callbacks.ImageGrid(sources, folder, self.modalities, every)

    def scoring(self, networks, pairs, classical=(), baselines=True, patients_known=True):
        """Networks beside methods without learning, with costs."""
        study = pairs_study(pairs, self.data.labels, patients_known)
        methods = costed_methods(networks, study, classical, baselines)
        return StudyScoring(study, methods, own=titled(networks))

    def figure(self, networks, path):
        """Sources, average, maximum, networks."""
        shown = spread(self.split.validation, 4)
        first, second = self.modalities
        sources = [shown.image(index)[None] for index in range(len(shown))]
        methods = {
            first: lambda x: x[..., :1],
            second: lambda x: x[..., 1:],
            "average": average,
            "maximum": maximum,
            **{name.replace("_", " "): network for name, network in networks.items()},
        }
        columns = {
            title: [np.asarray(method(source))[0] for source in sources]
            for title, method in methods.items()
        }
        comparison_figure(columns, path, shown.names)

    def card(self, network):
        """What goes in and comes out."""
        return {
            "input": "`(batch, height, width, 2)`, float32 in [0, 1], first and second modality "
            "as channels.",
            "output": "`(batch, height, width, 1)`, float32 in [0, 1].",
            "conventions": IMAGE_CONVENTIONS,
            "reading": "The default content loss optimises SF, SSIM, SCD, Qabf and VIF themselves; "
            "judge the result by the others and by eye as well.",
            "noise": "differences below 0.5 SF, 0.002 SSIM, 0.02 SCD or 0.01 Qabf are noise.",
            "danger": "a fused image can hide or invent\ndetail, and both sources must stay at "
            "hand.",
        }
