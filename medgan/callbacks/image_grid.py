"""Pictures of what a network makes of a few pairs, while it learns."""

import pathlib

import numpy as np

from medgan.callbacks.periodic import Periodic
from medgan.classical import maximum
from medgan.figures import comparison_figure
from medgan.training_state import step_of


class ImageGrid(Periodic):
    """Saves a grid of sources, what the output is compared with, and the output as a PNG.

    Of a fusion these are both sources and their pixel-wise maximum; of a translation source and
    target, and what a backward generator makes of the output where the model has one.

    Args:
        sources: `(images, height, width, 2)` in [0, 1]; of a translation `(..., 1)`; four images
            are plenty.
        directory: folder of the pictures, made if missing; one file `step_000123.png` per act,
            numbered by the optimizer's steps.
        titles: names of the two sources, or of source and target.
        every: number of epochs between two pictures.
        targets: what a translation should come to, `(images, height, width, 1)`; None for a fusion.
    """

    def __init__(self, sources, directory, titles=("CT", "MR"), every=1, targets=None):
        super().__init__(every)
        self.sources = np.asarray(sources)
        self.directory = pathlib.Path(directory)
        self.titles = titles
        self.targets = None if targets is None else np.asarray(targets)

    def act(self, epoch, logs):
        """Draws one grid."""
        first, second = self.titles
        output = self.model(self.sources, training=False)
        if self.targets is None:
            columns = {
                first: self.sources[..., :1],
                second: self.sources[..., 1:],
                "maximum": np.asarray(maximum(self.sources)),
                "network": np.asarray(output),
            }
        else:
            columns = {first: self.sources, second: self.targets, "network": np.asarray(output)}
            backward = getattr(self.model, "backward_generator", None)
            if backward is not None:
                columns["and back"] = np.asarray(backward(output, training=False))
        step = step_of(self.model)
        self.directory.mkdir(parents=True, exist_ok=True)
        comparison_figure(columns, self.directory / f"step_{step:06d}.png")
