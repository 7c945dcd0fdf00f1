"""Pictures of what a generator makes of fixed noise, while it learns."""

import pathlib

from medgan.callbacks.periodic import Periodic
from medgan.figures import sample_figure
from medgan.training_state import step_of


class SampleGrid(Periodic):
    """Saves a grid of generated images as a PNG.

    Args:
        generate: callable from the model to images `(images, height, width, 1)` in [0, 1]. Let it
            start from the same noise each time, so that pictures differ by the model alone.
        directory: folder of the pictures, made if missing; one file `step_000123.png` per act,
            numbered by the optimizer's steps.
        every: number of epochs between two pictures.
        columns: images in a row.

    Raises:
        MedganError: if a file cannot be written.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import SampleGrid
        >>> noise = np.random.default_rng(0).normal(size=(16, 100))
        >>> grid = SampleGrid(lambda model: model(noise, training=False), "run/samples")
        >>> grid.columns
        4
    """

    def __init__(self, generate, directory, every=1, columns=4):
        super().__init__(every)
        self.generate = generate
        self.directory = pathlib.Path(directory)
        self.columns = columns

    def act(self, epoch, logs):
        """Draws one grid."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"step_{step_of(self.model):06d}.png"
        sample_figure(self.generate(self.model), path, self.columns)
