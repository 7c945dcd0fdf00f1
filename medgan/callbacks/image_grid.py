"""Pictures of what a network makes of a few pairs, while it learns."""

import pathlib

import numpy as np

from medgan.callbacks.periodic import Periodic
from medgan.classical import maximum
from medgan.figures import comparison_figure
from medgan.training_state import step_of


class ImageGrid(Periodic):
    """Saves a grid of sources, their pixel-wise maximum, and the model's output as a PNG.

    Args:
        sources: `(images, height, width, 2)` in [0, 1]; four are plenty.
        directory: folder of the pictures, made if missing; one file `step_000123.png` per act,
            numbered by the optimizer's steps.
        titles: names of the two sources.
        every: number of epochs between two pictures.
    """

    def __init__(self, sources, directory, titles=("CT", "MR"), every=1):
        super().__init__(every)
        self.sources = np.asarray(sources)
        self.directory = pathlib.Path(directory)
        self.titles = titles

    def act(self, epoch, logs):
        """Draws one grid."""
        first, second = self.titles
        columns = {
            first: self.sources[..., :1],
            second: self.sources[..., 1:],
            "maximum": np.asarray(maximum(self.sources)),
            "network": np.asarray(self.model(self.sources, training=False)),
        }
        step = step_of(self.model)
        self.directory.mkdir(parents=True, exist_ok=True)
        comparison_figure(columns, self.directory / f"step_{step:06d}.png")
