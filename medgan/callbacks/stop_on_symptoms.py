"""Training whose images have gone wrong although all numbers are finite."""

import keras
from keras import ops

from medgan.callbacks.stop_on_divergence import last_checkpoint
from medgan.callbacks.symptoms import SYMPTOMS
from medgan.errors import DivergedError


class StopOnSymptoms(keras.callbacks.Callback):
    """Ends training with an error when `TrainingHealth` says one of the watched symptoms.

    The order matters: `StopOnDivergence` first; then what validates; then the `TrainingHealth` that
    this callback is told by, and this one behind it; then what saves.

    Args:
        health: the `TrainingHealth` of the same training.
        symptoms: names in `medgan.callbacks.symptoms.SYMPTOMS`; none of them never stops.
        checkpoint: what saves this training (`medgan.callbacks.Checkpoint`), for the error to name
            its last file; None names none.

    Attributes:
        suspicious: whether the last look showed a watched symptom, even if not yet often enough in
            a row to be said. A checkpoint of that time is no good one to go back to.

    Raises:
        ValueError: if a symptom is not known.
        DivergedError: (in training) if a watched symptom was said.

    Example:
        >>> from medgan.callbacks import StopOnDivergence, StopOnSymptoms, TrainingHealth
        >>> health = TrainingHealth([], [])
        >>> callbacks = [StopOnDivergence(), health, StopOnSymptoms(health)]
        >>> callbacks[-1].suspicious
        False
    """

    def __init__(
        self,
        health,
        symptoms=("constant_output", "collapse", "discriminator_wins"),
        checkpoint=None,
    ):
        super().__init__()
        known = [symptom.name for symptom in SYMPTOMS]
        unknown = [name for name in symptoms if name not in known]
        if unknown:
            raise ValueError(
                f"Received the symptom {unknown[0]!r}, expected some of {', '.join(known)}."
            )
        self.health = health
        self.symptoms = tuple(symptoms)
        self.checkpoint = checkpoint
        self._suspicious_since = None

    @property
    def suspicious(self):
        """Whether the last look showed a watched symptom."""
        return any(name in self.symptoms for name in self.health.suspected)

    def on_epoch_end(self, epoch, logs=None):
        """Asks what the health has said."""
        self._ask()

    def on_train_end(self, logs=None):
        """Asks once more, for the health may have looked at the end."""
        self._ask()

    def _ask(self):
        step = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        if not self.suspicious:
            self._suspicious_since = None
        elif self._suspicious_since is None:
            self._suspicious_since = step
        for name in self.health.showing:
            if name in self.symptoms:
                text = self.health.finding(name)["text"]
                raise DivergedError(
                    f"At step {step} training showed '{name}', expected none of "
                    f"{', '.join(self.symptoms)}. {text}{self._saved()}",
                    step,
                    f"'{name}' shows",
                )

    def _saved(self):
        saved = last_checkpoint(self.checkpoint)
        if saved and self._is_old(self.checkpoint.saved_step):
            return f" {saved[0].upper()}{saved[1:]}."
        if saved:
            directory = self.checkpoint.directory
            return f" The last checkpoint in {directory} shows it too: go back to an earlier one."
        return ""

    def _is_old(self, step):
        """Whether a checkpoint (if any) is from before the symptom began."""
        return step is None or self._suspicious_since is None or step < self._suspicious_since

    def get_state(self):
        """Returns what a resumed training must know, as plain JSON values."""
        return {"suspicious_since": self._suspicious_since}

    def set_state(self, state):
        """Takes up the state of `get_state`."""
        self._suspicious_since = state["suspicious_since"]
