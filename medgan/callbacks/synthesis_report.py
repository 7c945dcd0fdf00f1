"""Validation of a generator of images: a set of them against a set of real ones."""

import logging

import numpy as np

from medgan.callbacks.periodic import Periodic
from medgan.metrics import encode, score_features
from medgan.metrics.synthesis_scores import SMALLEST_SET

_logger = logging.getLogger(__name__)


class SynthesisReport(Periodic):
    """Scores generated images against real ones with everything in `SYNTHESIS_SCORES`.

    The scores enter the epoch's logs as `val_fid`, `val_kid`, `val_precision`, ... for the
    callbacks behind this one. The real images are encoded once. Images that are not finite leave
    no scores, but a warning.

    Args:
        batches: re-iterable of real images `(batch, height, width, channels)` in [0, 1], 6 or more
            in all, of patients that the generator was not trained on.
        generate: callable from (model, count) to `count` images in [0, 1]. Let it start from the
            same seed each time, so that epochs differ by the model alone.
        encoder: Keras model from images to `(batch, features)`; None means the built-in
            `medgan.networks.scattering_encoder`.
        count: number of images to generate; None means as many as there are real ones.
        every: number of epochs between two validations.
        rivals: name to callable from a count to as many images, such as those of the training or
            of a teacher; scored once, at the start.

    Attributes:
        scores: name of the method to its scores; the model is `"model"`. What is there already is
            not scored again.

    Raises:
        ValueError: if fewer than 6 images shall be generated, there are fewer real ones, or
            `generate` returns something else than `count` images.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import SynthesisReport
        >>> images = np.random.default_rng(0).uniform(size=(8, 32, 32, 1))
        >>> report = SynthesisReport([images], lambda model, count: images[:count])
        >>> logs = {}
        >>> report.on_epoch_end(0, logs)
        >>> logs["val_precision"], round(logs["val_fid"], 3)
        (1.0, 0.0)
    """

    def __init__(self, batches, generate, encoder=None, count=None, every=1, rivals=None):
        super().__init__(every)
        if count is not None and count < SMALLEST_SET:
            raise ValueError(f"Received count={count}, expected at least {SMALLEST_SET} images.")
        self.batches = batches
        self.generate = generate
        self.encoder = encoder
        self.count = count
        self.rivals = dict(rivals or {})
        self.scores = {}
        self._real = None

    def get_state(self):
        """Returns the model's last scores, for `Checkpoint`; rivals are scored again."""
        return {**super().get_state(), "model": self.scores.get("model")}

    def set_state(self, state):
        """Goes on from these scores."""
        super().set_state(state)
        self.scores.pop("model", None)
        if state["model"] is not None:
            self.scores["model"] = state["model"]

    def on_train_begin(self, logs=None):
        """Encodes the real images, and scores the rivals."""
        if self._real is None:
            real = encode(self.encoder, self.batches)
            if len(real) < SMALLEST_SET:
                raise ValueError(
                    f"Received {len(real)} real images, expected at least {SMALLEST_SET} to "
                    "compare distributions. Give more validation images."
                )
            self._real = real
        for name, make in self.rivals.items():
            if name not in self.scores:
                images = make(self.count or len(self._real))
                self.scores[name] = score_features(self._real, encode(self.encoder, [images]))

    def act(self, epoch, logs):
        """Generates images and scores them."""
        self.on_train_begin()
        count = self.count or len(self._real)
        images = np.asarray(self.generate(self.model, count))
        if images.ndim != 4 or len(images) != count:
            raise ValueError(
                f"Received an array of shape {images.shape} from generate(model, {count}), "
                f"expected ({count}, height, width, channels)."
            )
        broken = int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum())
        if broken:
            self.scores.pop("model", None)
            _logger.warning(
                "%d of %d generated images are not finite: no scores in epoch %d. Lower the "
                "learning rate.",
                broken,
                count,
                epoch,
            )
            return
        self.scores["model"] = score_features(self._real, encode(self.encoder, [images]))
        logs.update({f"val_{key}": value for key, value in self.scores["model"].items()})
