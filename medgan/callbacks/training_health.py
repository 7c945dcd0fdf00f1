"""Over-fitting and collapse of two players, seen while they train and said in words."""

import itertools
import json
import logging
import math
import pathlib

import tensorflow as tf
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
    no later draw changes. Put it behind `StopOnDivergence`, and behind `AveragedWeights` to look at
    the averaged weights.

    Args:
        training_batches: iterable of batches that the players train on, as `fit` takes them.
        held_out_batches: iterable of the same kind with images that they never see.
        every: number of epochs between two looks.
        path: file to append findings to as JSON lines (step, severity, text, name, state, numbers);
            None writes none.
        batches: number of batches taken from each.
        boundary: logits above it say "real"; 0.5 for `LeastSquaresLoss`, whose targets are 0 and 1.

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
        self._said = set()
        self._taken = None

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
                    tf.nest.map_structure(tf.convert_to_tensor, batch)
                    for batch in itertools.islice(iter(batches), self.batches)
                ]
                for batches in (self.training_batches, self.held_out_batches)
            ]
        eager = self.model.run_eagerly
        self._seen = self._see if eager else tf.function(self._see, reduce_retracing=True)

    def _see(self, data):
        """What the players make of a batch; runs in a graph."""
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
                self._said.add(name)
                self._say(symptom, "begins", symptom.severity, symptom.text)
            elif not shows and name in self._said:
                self._said.remove(name)
                self._say(symptom, "over", "notice", symptom.over)

    def _say(self, symptom, state, severity, template):
        finding = {
            "step": int(self.model.optimizer.iterations),
            "severity": severity,
            "text": template.format(**self.numbers),
        }
        self.findings.append(finding)
        _logger.warning("Step %d: %s", finding["step"], finding["text"])
        if self.path is None:
            return
        numbers = {n: round(v, 6) if math.isfinite(v) else None for n, v in self.numbers.items()}
        line = {**finding, "name": symptom.name, "state": state, "numbers": numbers}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
