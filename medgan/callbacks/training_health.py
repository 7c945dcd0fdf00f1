"""Over-fitting and collapse of two players, seen while they train and said in words."""

import itertools
import json
import logging
import math
import os
import pathlib

import keras
from keras import ops

from medgan.callbacks.periodic import Periodic
from medgan.callbacks.symptoms import SYMPTOMS, measure

_logger = logging.getLogger(__name__)


class TrainingHealth(Periodic):
    """Looks at discriminator and outputs every few epochs and says what is wrong, with advice.

    The discriminator is asked for its judgement of training images, of images that it never saw,
    and of generated ones, none of them augmented. The shares that it takes for real enter the
    epoch's logs as `health_real`, `health_held_out` and `health_fake`; how far the outputs differ
    from each other, relative to the images that they should be like (the maximum of the sources in
    a fusion), as `health_diversity`. Seen are

        a discriminator that knows its training images by heart, that wins, or that has given up;
        outputs that are all alike, constant inside, equal to an input, or not finite.

    Each is logged as a warning once when it begins and once when it is over. The images are the
    first batches of both streams, taken once: let them hold several patients, be prepared alike
    (whole images, or crops of one size), and show several images to a batch. Nothing is learned and
    no later draw changes. Put it behind `StopOnDivergence`, behind `AveragedWeights` to look at the
    averaged weights, and before `StopOnSymptoms`, which ends a training by what it says.

    Args:
        training_batches: iterable of batches that the players train on, as `fit` takes them.
        held_out_batches: iterable of the same kind with images that they never see.
        every: number of epochs between two looks.
        path: file to append findings to as JSON lines (step, severity, text, name, state, numbers);
            None writes none.
        batches: number of batches taken from each.
        boundary: logits above it say "real"; 0.5 for `LeastSquaresLoss`, whose targets are 0 and 1;
            None for `WassersteinLoss`, whose critic is right up to a constant.

    Attributes:
        findings: all sentences so far, dicts of `step`, `severity` and `text`.
        numbers: what the last look measured; see `medgan.callbacks.symptoms.measure`.

    Raises:
        ValueError: if `batches` is below 1, or the model is no trainer of `medgan.models`.

    Example:
        >>> import numpy as np
        >>> from medgan.callbacks import TrainingHealth
        >>> from medgan.models import FusionGAN
        >>> from medgan.networks import dense_fusion_generator, modality_discriminator
        >>> model = FusionGAN(dense_fusion_generator(width=2), modality_discriminator(width=2))
        >>> model.compile("adam", "adam", run_eagerly=True)
        >>> x = np.random.default_rng(0).uniform(size=(4, 48, 48, 2)).astype("float32")
        >>> health = TrainingHealth([x[:2]], [x[2:]])
        >>> history = model.fit(x[:2], batch_size=2, verbose=0, callbacks=[health])
        >>> sorted(name for name in history.history if name.startswith("health"))
        ['health_diversity', 'health_fake', 'health_held_out', 'health_real']

    Reference:
        Karras et al., Training Generative Adversarial Networks with Limited Data, 2020: the
        discriminator's output on held-out images tells over-fitting. The limits are ours.
    """

    def __init__(
        self, training_batches, held_out_batches, every=1, path=None, batches=2, boundary=0.0
    ):
        super().__init__(every)
        if batches < 1:
            raise ValueError(f"Received batches={batches}, expected 1 or more.")
        self.training_batches = training_batches
        self.held_out_batches = held_out_batches
        self.path = None if path is None else pathlib.Path(path)
        self.batches = batches
        self.boundary = boundary
        self.findings = []
        self.numbers = {}
        self._looks_in_a_row = dict.fromkeys((symptom.name for symptom in SYMPTOMS), 0)
        self._said = {}  # name of a symptom that shows to the finding that said so
        self._taken = None

    @property
    def showing(self):
        """Names of the symptoms that were said and are not over, in the order of saying."""
        return tuple(self._said)

    @property
    def suspected(self):
        """Names of the symptoms that the last look showed, said or not yet."""
        return tuple(name for name, looks in self._looks_in_a_row.items() if looks)

    def finding(self, name):
        """Returns the entry of `findings` that said a symptom of `showing`."""
        return self._said[name]

    def on_train_begin(self, logs=None):
        """Takes the images."""
        if not hasattr(self.model, "judged"):
            raise ValueError(
                f"Received a {type(self.model).__name__}, expected a trainer of medgan.models: "
                "this callback looks at two players."
            )
        if self._taken is None:
            self._taken = [
                [
                    keras.tree.map_structure(_as_tensor, batch)
                    for batch in itertools.islice(iter(batches), self.batches)
                ]
                for batches in (self.training_batches, self.held_out_batches)
            ]
        self._seen = self._see
        # JAX cannot compile what moves variables, such as the seeds of a generator that draws.
        if keras.backend.backend() == "tensorflow" and not self.model.run_eagerly:
            import tensorflow as tf

            self._seen = tf.function(self._see, reduce_retracing=True)

    def _see(self, data):
        """What the players make of a batch; runs in a graph under TensorFlow."""
        batch = self.model.as_batch(data)
        images = self.model.synthesize(batch, training=False)
        seen = dict(self.model.judged(batch, images) or {})
        compared = self.model.compared(batch, images)
        if compared is not None:
            seen.update(input=batch["x"], reference=compared[0], output=compared[1])
        return {name: ops.cast(value, "float32") for name, value in seen.items()}

    def act(self, epoch, logs):
        """Looks once."""
        # A generator that draws noise moves its seeds; training must not see that.
        weights = {id(variable) for variable in self.model.weights}
        seeds = [v for v in self.model.variables if id(v) not in weights]
        before = [ops.convert_to_numpy(seed) for seed in seeds]
        training, held_out = (
            [
                {name: ops.convert_to_numpy(value) for name, value in self._seen(batch).items()}
                for batch in batches
            ]
            for batches in self._taken
        )
        for seed, value in zip(seeds, before, strict=True):
            seed.assign(value)
        self.numbers = measure(training, held_out, self.boundary)
        for name in ("real", "held_out", "fake", "diversity"):
            if math.isfinite(self.numbers[name]):
                logs[f"health_{name}"] = self.numbers[name]
        self._diagnose()

    def _diagnose(self):
        for symptom in SYMPTOMS:
            name = symptom.name
            told_by = [self.numbers[number] for number in symptom.numbers]
            if any(map(math.isnan, told_by)):
                continue
            shows = symptom.holds(*told_by)
            self._looks_in_a_row[name] = self._looks_in_a_row[name] + 1 if shows else 0
            if self._looks_in_a_row[name] >= symptom.looks and name not in self._said:
                self._said[name] = self._say(symptom, "begins", symptom.severity, symptom.text)
            elif not shows and name in self._said:
                del self._said[name]
                self._say(symptom, "over", "notice", symptom.over)

    def _say(self, symptom, state, severity, template):
        finding = {
            "step": int(ops.convert_to_numpy(self.model.optimizer.iterations)),
            "severity": severity,
            "text": template.format(**self.numbers),
        }
        self.findings.append(finding)
        _logger.warning("Step %d: %s", finding["step"], finding["text"])
        if self.path is not None:
            self._write(finding, symptom.name, state)
        return finding

    def _write(self, finding, name, state):
        numbers = {n: round(v, 6) if math.isfinite(v) else None for n, v in self.numbers.items()}
        line = {**finding, "name": name, "state": state, "numbers": numbers}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def get_state(self):
        """Returns what a resumed training must know, as plain JSON values."""
        written = self.path is not None and self.path.exists()
        return {
            **super().get_state(),
            "looks_in_a_row": dict(self._looks_in_a_row),
            "said": {name: dict(finding) for name, finding in self._said.items()},
            "findings": [dict(finding) for finding in self.findings],
            "size": self.path.stat().st_size if written else 0,
        }

    def set_state(self, state):
        """Takes up the state of `get_state`; what was appended to the file since is cut off."""
        super().set_state(state)
        self._looks_in_a_row.update(state["looks_in_a_row"])
        self._said = dict(state["said"])
        self.findings = list(state["findings"])
        if self.path is None:
            return
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < state["size"]:
            _logger.warning(
                "%s has %d bytes, expected %d as when the checkpoint was saved: findings are "
                "missing from it.",
                self.path,
                size,
                state["size"],
            )
        elif size > state["size"]:
            os.truncate(self.path, state["size"])


def _as_tensor(part):
    """A part of a batch as the backend's tensor, whoever made it; None stays None."""
    return None if part is None else ops.convert_to_tensor(ops.convert_to_numpy(part))
