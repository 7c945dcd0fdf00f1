"""Generators of images as sets: how like unseen images they are, and whether they copy."""

import numpy as np

from medgan.evaluation.evaluation import Evaluation
from medgan.evaluation.runs import network_methods
from medgan.evaluation.synthesis import BUILT_IN
from medgan.metrics.synthesis_scores import encode, score_features
from medgan.ops import nearest

TRAINING = "training images"
# A generated image this much nearer to a training image than any unseen image is a suspect.
SUSPICIOUS = 0.5
SEED = 0


def latents(network, count, seed=SEED):
    """Fixed noise for a generator: the same numbers for all that take as many.

    Args:
        network: Keras model of an input `(batch, latents)`.
        count: number of images.
        seed: draws the noise.

    Returns:
        float32 `(count, latents)`, normally distributed.

    Example:
        >>> import keras
        >>> from medgan.evaluation.sets import latents
        >>> noise = keras.Input((5,))
        >>> latents(keras.Model(noise, noise), 2).shape
        (2, 5)
    """
    size = network.input_shape[-1]
    return np.random.default_rng(seed).standard_normal((count, size)).astype("float32")


def generated(function, noise, batch=16):
    """What a generator makes of noise, a few images at a time, clipped to [0, 1]."""
    parts = [
        np.asarray(function(noise[start : start + batch]), "float32")
        for start in range(0, len(noise), batch)
    ]
    return np.clip(np.concatenate(parts), 0, 1)


class SetScoring:
    """Generators that are about to be scored against images that no training saw.

    The training images themselves are scored alike, as many of them: no generator can be expected
    to be nearer to patients whom nobody saw.

    Args:
        networks: name to generator, a Keras model from `(batch, latents)` to images in [0, 1].
        held_out: `(images, height, width, channels)`, of patients whom no training saw.
        training: images that the generators were trained on; as many as `held_out` and more.
        own: the network that a page shows beside its nearest training images.
        baselines: whether the training images are scored as well.
    """

    def __init__(self, networks, held_out, training, own, baselines=True):
        self.networks = networks
        self.held_out = held_out
        self.training = training
        self.own = own
        self.baselines = baselines
        self.count = len(held_out) * (len(networks) + 1) + len(training)
        self.names = [*([TRAINING] if baselines else []), *networks]
        self.title = f"against {len(held_out)} images of others"

    def evaluate(self, problems, on_progress=None, **about):
        """Scores everything as sets.

        Args:
            problems: unused: images in memory are never left out.
            on_progress: called with the number of images that are encoded.
            **about: `title`, `baseline` and `command` of the `Evaluation`.

        Returns:
            `Evaluation`.

        Raises:
            ValueError: if there are fewer than 6 images, or a network makes none that are finite.
        """
        evaluation = Evaluation("synthesis", [], **about)
        seen = 0

        def features_of(images):
            nonlocal seen
            features = encode(None, [images])
            seen += len(images)
            if on_progress is not None:
                on_progress(seen)
            return features

        held_out, training = features_of(self.held_out), features_of(self.training)
        count = len(held_out)
        if self.baselines:
            fellows = np.linspace(0, len(training) - 1, min(count, len(training))).round()
            evaluation.add_set(TRAINING, score_features(held_out, training[fellows.astype(int)]))
        _, unseen = nearest(training, held_out)
        unseen = np.asarray(unseen)
        self._images, self._nearest = {}, None
        for name, network in self.networks.items():
            noise = latents(network, count)
            method = network_methods({name: network}, noise[0])[0]
            images = self._images[name] = generated(method.function, noise)
            features = features_of(images)
            index, ratio = (np.asarray(part) for part in nearest(training, features))
            if name == self.own:
                self._nearest = index, ratio
            cautions = _copies(ratio, unseen)
            evaluation.add_set(name, score_features(held_out, features), method.cost, cautions)
            evaluation.notes.append(_distance(name, ratio, unseen))
        evaluation.notes[:0] = [BUILT_IN, f"{count} images in each set. No intervals, no tests."]
        return evaluation

    def pictures(self, evaluation, count):
        """Generated images, those nearest to a training image first, and that image.

        Args:
            evaluation: what `evaluate` returned.
            count: most pictures.

        Returns:
            List of dicts, see `medgan.report.write_report`.
        """
        index, ratio = self._nearest
        order = np.argsort(ratio, kind="stable")
        places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
        return [
            {
                "name": f"noise {number + 1}, {ratio[number]:.2f} of the usual distance",
                "patient": None,
                "images": {
                    "nearest training image": _grey(self.training[index[number]]),
                    **{name: _grey(images[number]) for name, images in self._images.items()},
                },
            }
            for number in order[places]
        ]


def _grey(image):
    return np.round(255 * image[..., 0]).astype("uint8")


def _distance(name, ratio, unseen):
    """In words, how far images lie from the training images."""
    return (
        f"{name}: its images lie {np.median(ratio):.2f} (median; the nearest {ratio.min():.2f}) of "
        "the usual distance of two training images from the nearest training image, images that "
        f"nobody saw {np.median(unseen):.2f} ({unseen.min():.2f}). Copies would lie at 0."
    )


def _copies(ratio, unseen):
    """A caution where images are nearer to training images than any unseen one is."""
    count = int((ratio < SUSPICIOUS * unseen.min()).sum())
    if not count:
        return []
    return [
        f"{count} of {len(ratio)} images are at least twice as near to a training image as any "
        "image that nobody saw: they may be copies of patients."
    ]
