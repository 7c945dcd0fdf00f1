"""The losses of both players over the steps: the paper's Figure 5."""

import pathlib

from medgan.callbacks.periodic import Periodic
from medgan.figures import loss_figure
from medgan.training_state import step_of


class LossCurves(Periodic):
    """Draws the generator's and the discriminator's loss over the steps as a PNG.

    Args:
        path: PNG file; its folder is made if missing.
        title: title of the figure.
        equilibrium: the discriminator's loss at equilibrium, drawn as a line (an adversarial
            loss's `equilibrium`); None draws none.
        every: number of epochs between two drawings.
    """

    def __init__(self, path, title="", equilibrium=None, every=1):
        super().__init__(every)
        self.path = pathlib.Path(path)
        self.title = title
        self.equilibrium = equilibrium
        self.records = []

    def get_state(self):
        """Returns the losses so far, for `Checkpoint`."""
        records = [{name: float(v) for name, v in record.items()} for record in self.records]
        return {**super().get_state(), "records": records}

    def set_state(self, state):
        """Goes on from these losses."""
        super().set_state(state)
        self.records = list(state["records"])

    def on_epoch_end(self, epoch, logs=None):
        """Takes the epoch's losses."""
        step = step_of(self.model)
        self.records.append({"step": step, **(logs or {})})
        super().on_epoch_end(epoch, logs)

    def act(self, epoch, logs):
        """Draws the curves so far."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        equilibria = {self.title: self.equilibrium}
        loss_figure({self.title: self.records}, self.path, equilibria)
