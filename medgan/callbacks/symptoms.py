"""What can be seen to go wrong between two players: numbers, limits, words and advice."""

import dataclasses
from collections.abc import Callable

import numpy as np

NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class Symptom:
    """One thing that goes wrong.

    Args:
        name: its name in files.
        severity: `"warning"`, or `"notice"` where training may well go on.
        looks: number of looks in a row that must show it before it is said.
        numbers: names of the numbers that it is told by; where one is NaN, nothing can be told.
        holds: from these numbers to whether it shows.
        text: what is the matter and what to do, with the numbers' names in braces.
        over: what is said when it has passed.
    """

    name: str
    severity: str
    looks: int
    numbers: tuple
    holds: Callable
    text: str
    over: str


SYMPTOMS = (
    Symptom(
        "not_finite",
        "warning",
        1,
        ("not_finite",),
        lambda count: count > 0,
        "{not_finite:.0f} values of the outputs or of the discriminator's logits are NaN or "
        "infinite. Lower the learning rates, or limit the gradients (clipnorm=1.0).",
        "All outputs and logits are finite again.",
    ),
    Symptom(
        "discriminator_overfits",
        "warning",
        2,
        ("real", "held_out"),
        lambda real, held_out: real - held_out > 0.25,
        "The discriminator knows its training images by heart: it takes {real:.0%} of their "
        "logits for real, and {held_out:.0%} of images that it never saw. Add DiffAugment or "
        "strengthen it, train on more images, or make the discriminator smaller.",
        "The discriminator no longer tells its training images ({real:.0%} judged real) from "
        "others ({held_out:.0%}).",
    ),
    Symptom(
        "discriminator_wins",
        "warning",
        2,
        ("real", "fake"),
        lambda real, fake: real > 0.98 and fake < 0.02,
        "The discriminator wins: it judges {real:.0%} of real and {fake:.0%} of generated images "
        "real, so the generator learns little from it. Lower the discriminator's learning rate or "
        "discriminator_steps, or add DiffAugment.",
        "The discriminator no longer wins: it judges {real:.0%} of real and {fake:.0%} of "
        "generated images real.",
    ),
    Symptom(
        "discriminator_gives_up",
        "notice",
        2,
        ("spread",),
        lambda spread: spread < 0.01,
        "The discriminator has given up: whatever it sees, its logits are {mean:.3f} (standard "
        "deviation {spread:.4f}), so the generator learns nothing from it. Raise the "
        "discriminator's learning rate or discriminator_steps, or weaken its augmentation.",
        "The discriminator tells images apart again: its logits have a standard deviation of "
        "{spread:.3f}.",
    ),
    Symptom(
        "constant_output",
        "warning",
        1,
        ("contrast",),
        lambda contrast: contrast < 1,
        "The outputs are constant: inside an image they have a standard deviation of "
        "{contrast:.2f} grey levels of 255. Lower the learning rate or the adversarial weight, "
        "and start again from an earlier checkpoint.",
        "The outputs are no longer constant: inside an image they have a standard deviation of "
        "{contrast:.1f} grey levels.",
    ),
    Symptom(
        "collapse",
        "warning",
        2,
        ("diversity",),
        lambda diversity: diversity < 0.2,
        "The outputs collapse: they differ from each other {diversity:.0%} as much as the images "
        "that they should be like. Lower the adversarial weight or the generator's learning rate, "
        "or raise the weight of the content.",
        "The outputs differ again, {diversity:.0%} as much as the images that they should be like.",
    ),
    Symptom(
        "output_equals_input",
        "warning",
        1,
        ("distance_to_input",),
        lambda distance: distance < 1,
        "The output equals channel {nearest_input:.0f} of its input: {distance_to_input:.2f} grey "
        "levels of 255 lie between them (RMS). Raise the weight of the loss that asks for the "
        "rest, or lower that of the loss that this input satisfies alone.",
        "The output no longer equals an input: {distance_to_input:.1f} grey levels lie between "
        "them.",
    ),
)
"""In the order in which they are said."""


def measure(training, held_out, boundary=0.0):
    """Turns what was seen in one look into numbers.

    Args:
        training: one dict per batch of training images, with those of these arrays that there are:
            `"real"` and `"fake"` (logits of any shape), `"input"`, `"output"` and `"reference"`
            (`(batch, height, width, channels)`, in [0, 1]).
        held_out: the same of images that no player has seen.
        boundary: logits above it say "real"; None for a critic whose logits say no such thing
            (`WassersteinLoss`): the shares are NaN then.

    Returns:
        dict of floats, NaN where there is nothing to measure: `real`, `held_out`, `fake` (shares of
        the logits that say "real"; `fake` on the training images), `real_logit`, `held_out_logit`,
        `fake_logit` (means), `mean` and `spread` of all these logits; and over the images of both
        kinds `diversity` (mean RMS distance of two outputs, divided by that of their references),
        `contrast` (median standard deviation inside an output, grey levels of 255),
        `distance_to_input` (smallest median RMS distance to an input, grey levels) and
        `nearest_input` (which channel, from 1), `not_finite` (number of values).
    """
    logits = {
        "real": _joined(training, "real"),
        "held_out": _joined(held_out, "real"),
        "fake": _joined(training, "fake"),
    }
    everything = np.concatenate(list(logits.values()))
    numbers = {
        name: NAN if boundary is None else _mean(values > boundary)
        for name, values in logits.items()
    }
    numbers.update({f"{name}_logit": _mean(values) for name, values in logits.items()})
    numbers.update(
        mean=_mean(everything), spread=float(everything.std()) if everything.size else NAN
    )
    batches = [batch for batch in (*training, *held_out) if "output" in batch]
    bad = sum(int((~np.isfinite(batch["output"])).sum()) for batch in batches)
    numbers["not_finite"] = float(bad + (~np.isfinite(everything)).sum())
    images = _image_numbers([] if bad else batches)
    return {**numbers, **images}


def _joined(batches, name):
    parts = [np.ravel(batch[name]) for batch in batches if name in batch]
    return np.concatenate([np.zeros(0), *parts])


def _mean(values):
    return float(values.mean()) if values.size else NAN


def _median(values):
    return float(np.median(values)) if len(values) else NAN


def _root_mean_square(difference):
    """In grey levels of 255, one value per image."""
    return 255 * np.sqrt(np.mean(np.square(difference), axis=(1, 2, 3)))


def _image_numbers(batches):
    contrasts, output_distances, reference_distances = [], [], []
    to_inputs = {}
    for batch in batches:
        output, reference = (np.asarray(batch[name], "float64") for name in ("output", "reference"))
        if reference.shape[-1] != output.shape[-1]:  # of several sources the brightest
            reference = reference.max(axis=-1, keepdims=True)
        # Where the reference itself is blank, a blank output is no fault.
        shows = 255 * reference.std(axis=(1, 2, 3)) >= 1
        contrasts.extend(255 * output.std(axis=(1, 2, 3))[shows])
        output_distances.extend(_distances(output))
        reference_distances.extend(_distances(reference))
        for channel, image in enumerate(_inputs(np.asarray(batch["input"], "float64"), output), 1):
            wanted = _root_mean_square(reference - image) >= 1  # elsewhere the input is the answer
            to_inputs.setdefault(channel, []).extend(_root_mean_square(output - image)[wanted])
    nearest = [(_median(values), channel) for channel, values in to_inputs.items() if len(values)]
    distance, channel = min(nearest, default=(NAN, NAN))
    apart = np.mean(reference_distances) if reference_distances else 0
    return {
        "diversity": float(np.mean(output_distances) / apart) if apart >= 1 else NAN,
        "contrast": _median(contrasts),
        "distance_to_input": distance,
        "nearest_input": float(channel),
    }


def _distances(images):
    """RMS distances of all pairs of a batch."""
    return [
        distance
        for index in range(len(images) - 1)
        for distance in _root_mean_square(images[index + 1 :] - images[index])
    ]


def _inputs(sources, output):
    """The inputs that an output could equal: each channel, or the whole where it has as many."""
    if sources.shape[:3] != output.shape[:3]:
        return []
    if sources.shape == output.shape:
        return [sources]
    if output.shape[-1] == 1:
        return [sources[..., channel : channel + 1] for channel in range(sources.shape[-1])]
    return []
