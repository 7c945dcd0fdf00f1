"""Synthesis: images of one modality out of noise."""

import numpy as np

from medgan import callbacks
from medgan.data import single_batches, single_images
from medgan.errors import DataError, RecipeError
from medgan.evaluation.sets import TRAINING, SetScoring, generated, latents
from medgan.figures import comparison_figure
from medgan.metrics import SYNTHESIS_SCORES
from medgan.metrics.synthesis_scores import SMALLEST_SET
from medgan.networks import compiled
from medgan.networks.scattering_encoder import SMALLEST_SIDE
from medgan.recipe_data import of_one_size, spread
from medgan.tasks.task import BATCH, COSTS, Task, titled

SHOWN = 16


class Synthesis(Task):
    """Noise goes in, images come out that should be like those of patients, and be nobody's.

    Whole images of one size are learned from: `data.resize` brings them to what the generator
    makes.
    """

    name = "synthesis"
    scores = SYNTHESIS_SCORES
    baseline = TRAINING

    @property
    def subject(self):
        """What its networks do, in words."""
        return f"A network that makes grey images like {self.source_name} out of noise"

    def batches(self, batch_size, seed, first_step):
        """Batches of one modality."""
        return single_batches(
            self.split.train,
            batch_size,
            self.source,
            seed=seed,
            first_step=first_step,
            **self.data.settings,
        )

    def images(self, pairs):
        """Whole images of one modality."""
        return single_images(pairs, BATCH, self.source)

    def check(self, networks):
        """Images must have the generator's size, and be enough to be compared as a set."""
        sizes = set(self.data.pairs.sizes())
        crop = self.data.settings.get("crop")
        trained = sizes | ({(crop, crop)} if crop else set())
        for name, network in networks.items():
            made = tuple(network.output_shape[1:3])
            if trained != {made}:
                listed = ", ".join(f"{height} x {width}" for height, width in sorted(trained))
                raise RecipeError(
                    f"[networks.{name}] makes images of {made[0]} x {made[1]} pixels, expected "
                    f"those it learns from: {listed}. Set data.resize and data.crop to {made[0]}."
                )
            if min(made) < SMALLEST_SIDE:
                raise RecipeError(
                    f"[networks.{name}] makes images of {made[0]} x {made[1]} pixels, expected "
                    f"{SMALLEST_SIDE} or more a side to be scored."
                )
        for side in ("validation", "test"):
            count = len(getattr(self.split, side))
            if 0 < count < SMALLEST_SET or (side == "validation" and not count):
                raise DataError(
                    f"Received {count} {side} images, expected at least {SMALLEST_SET} to compare "
                    f"sets. Raise data.{side}_patients."
                )

    def _array(self, pairs):
        pairs = of_one_size(pairs)
        channel = [self.source]
        return np.stack([pairs.image(index)[..., channel] for index in range(len(pairs))])

    def _made(self, network):
        """Function from a count to what a network makes of as much fixed noise."""
        function = compiled(network)
        return lambda count: generated(function, latents(network, count))

    def report(self, network, count, rivals, every, keys):
        """Scores sets of images; the training images and a teacher's are sets to compare with."""
        pairs = spread(self.split.validation, max(count, SMALLEST_SET))
        made = {name: self._made(rival) for name, rival in rivals.items()}
        sets = {TRAINING: lambda count: self._array(spread(self.split.train, count)), **made}
        generate = self._made(network)
        return callbacks.SynthesisReport(
            self.images(pairs), lambda model, count: generate(count), every=every, rivals=sets
        )

    def grid(self, network, folder, every):
        """Images of fixed noise."""
        generate = self._made(network)
        return callbacks.SampleGrid(lambda model: generate(SHOWN), folder, every)

    def scoring(self, networks, pairs, classical=(), baselines=True, patients_known=True):
        """Networks beside the training images, as sets."""
        self._no_classical(classical)
        held_out, training = self._array(pairs), self._array(self.split.train)
        return SetScoring(networks, held_out, training, titled(networks), baselines)

    def figure(self, networks, path):
        """Images of patients, and what networks make of the same noise."""
        columns = {self.source_name: self._array(spread(self.split.validation, 4))}
        for name, network in networks.items():
            columns[name.replace("_", " ")] = self._made(network)(len(columns[self.source_name]))
        comparison_figure(columns, path)

    def card(self, network):
        """What goes in and comes out."""
        _, height, width, channels = network.output_shape
        return {
            "input": f"`(batch, {network.input_shape[-1]})`, float32, normally distributed noise.",
            "output": f"`(batch, {height}, {width}, {channels})`, float32 in [0, 1], like "
            f"{self.source_name}.",
            "conventions": "Scores are of whole sets of images against images of patients whom no "
            f"training saw; `report.html` says the convention of each. {COSTS}",
            "reading": f"`{TRAINING}` are scored like a network's: nobody can be expected to be "
            "nearer to patients whom nobody saw. The distances are of medgan's own encoder and "
            "compare with nothing in the literature; `report.html` says how near the images lie to "
            "those of the training.",
            "noise": "train with other seeds before you read small differences.",
            "danger": "its images are of nobody,\nunless the network has learned patients by "
            "heart: look at the distances before you pass them on.",
        }
