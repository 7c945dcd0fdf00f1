"""Weights of Keras 2 files, put where Keras 3 has them."""

import dataclasses
import re
from typing import Any

import keras
import numpy as np

from medgan.addons.spectral_normalization import SpectralNormalization
from medgan.addons.weight_normalization import WeightNormalization
from medgan.errors import RecipeError

COPY = "_naked_clone_layer"


class _Kept:
    """A weight of the file that Keras 3 has no variable for; its value is kept."""

    value = None

    def __init__(self, shape):
        self.shape = shape

    def assign(self, value):
        self.value = value


class _Initialized(_Kept):
    """Whether a `WeightNormalization` had been called."""


@dataclasses.dataclass
class _Slots:
    """Where the weights of a part go, sorted as Keras 2 sorted them.

    Attributes:
        layer: the Keras 3 layer or model.
        kind: name of its class in the file.
        frozen: whether the weights were not trainable.
        is_model: whether it is a model.
        learned: its own trainable weights.
        fixed: its own others.
        children: name of the attribute, None in a model, and slots of what is inside.
    """

    layer: Any
    kind: str
    frozen: bool
    is_model: bool = False
    learned: list[Any] = dataclasses.field(default_factory=list)
    fixed: list[Any] = dataclasses.field(default_factory=list)
    children: list[tuple[str | None, "_Slots"]] = dataclasses.field(default_factory=list)

    def _of_children(self, kind):
        return [weight for _, child in self.children for weight in getattr(child, kind)()]

    def trainable(self):
        """What Keras 2 calls `trainable_weights`, in its order."""
        if self.frozen:
            return []
        inside = self._of_children("trainable")
        return inside if self.is_model else [*self.learned, *inside]

    def non_trainable(self):
        """What Keras 2 calls `non_trainable_weights`, in its order."""
        if not self.frozen:
            return [*self.fixed, *self._of_children("non_trainable")]
        if self.is_model:
            return [*self._of_children("trainable"), *self._of_children("non_trainable")]
        return [*self.learned, *self.fixed, *self._of_children("in_h5")]

    def in_h5(self):
        """Each weight once, in the order of an `.h5` file."""
        found = [*self.trainable(), *self.non_trainable()]
        return list({id(weight): weight for weight in found}.values())

    def walk(self):
        """These slots and all inside."""
        yield self
        for _, child in self.children:
            yield from child.walk()


def _slots_of(part):
    """The slots of a part and of all inside."""
    layer, frozen = part.layer, part.frozen
    slots = _Slots(layer, part.kind, frozen, is_model=bool(part.children))
    if slots.is_model:
        slots.children = [(None, _slots_of(child)) for child in part.children]
    elif isinstance(layer, SpectralNormalization | keras.layers.SpectralNormalization):
        if isinstance(layer, SpectralNormalization):
            slots.learned, slots.fixed = [layer.normalized], [layer.sn_u]
        else:  # that of Keras, which it took from the add-ons
            slots.learned, slots.fixed = [layer.kernel], [layer.vector_u]
        inside = _Slots(layer.layer, "", frozen, learned=list(layer.layer.weights))
        slots.children = [("layer", inside)]
    elif isinstance(layer, WeightNormalization):
        kernel, weights = layer.layer.kernel, layer.layer.weights
        slots.learned, slots.fixed = [layer.g, kernel], [_Initialized(())]
        others = [weight for weight in weights if weight is not kernel]
        slots.children = [("layer", _Slots(layer.layer, "", frozen, learned=others))]
        if layer.data_init:
            # The add-ons keep a copy of the layer to initialise from.
            copies = [_Kept(tuple(weight.shape)) for weight in weights]
            slots.children.append((COPY, _Slots(layer.layer, "", True, fixed=copies)))
    elif frozen:  # by now nothing tells which were learned, and the order needs it not
        slots.fixed = list(layer.weights)
    else:
        slots.learned = [weight for weight in layer.weights if weight.trainable]
        slots.fixed = [weight for weight in layer.weights if not weight.trainable]
    return slots


def load_from_h5(part, group):
    """Fills a model from the group `model_weights` of an `.h5` file.

    Args:
        part: the model's `Part`.
        group: h5py group.

    Raises:
        RecipeError: if the weights do not fit the layers.
    """
    slots = _slots_of(part)
    for _, child in slots.children:
        name = child.layer.name
        values = []
        if name in group:
            values = [np.asarray(group[name][key]) for key in _names(group[name])]
        _fill(child, child.in_h5(), values)
    _finish(slots)


def load_from_keras(part, group):
    """Fills a model from the `model.weights.h5` of a `.keras` file.

    Args:
        part: the model's `Part`.
        group: h5py group.

    Raises:
        RecipeError: if the weights do not fit the layers.
    """
    slots = _slots_of(part)
    _fill_tree(slots, group)
    _finish(slots)


def _names(group):
    """Names of the weights of a layer, which HDF5 splits where they are many."""
    if "weight_names" in group.attrs:
        return [_text(name) for name in group.attrs["weight_names"]]
    names, chunk = [], 0
    while f"weight_names{chunk}" in group.attrs:
        names += [_text(name) for name in group.attrs[f"weight_names{chunk}"]]
        chunk += 1
    return names


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)


def _fill_tree(slots, group):
    """Fills slots from a group with `vars` and, of a model, `layers`."""
    own = group.get("vars", {}) if group is not None else {}
    values = [np.asarray(own[key]) for key in sorted(own, key=int)]
    _fill(slots, [*slots.learned, *slots.fixed], values)
    inside = group
    if slots.is_model:
        # The second name is that of Keras 2.13.
        inside = group.get("layers", group.get("_layer_checkpoint_dependencies"))
    counts = {}
    for attribute, child in slots.children:
        if attribute == COPY:
            continue
        if attribute is None:
            kind = _snake_case(child.kind)
            number = counts[kind] = counts.get(kind, -1) + 1
            attribute = f"{kind}_{number}" if number else kind
        _fill_tree(child, inside.get(attribute) if inside is not None else None)


def _snake_case(name):
    """`Conv2DTranspose` to `conv2d_transpose`, as Keras has it."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _fill(slots, targets, values):
    """Assigns values to variables of the same shapes."""
    expected = [tuple(target.shape) for target in targets]
    received = [value.shape for value in values]
    if expected != received:
        raise RecipeError(
            f"The weights of the layer {slots.layer.name!r} do not fit: received shapes "
            f"{received}, expected {expected}."
        )
    for target, value in zip(targets, values, strict=True):
        target.assign(value)


def _finish(slots):
    """Does what the add-ons would do in the first call of a model that was never called."""
    for found in slots.walk():
        called = [weight.value for weight in found.fixed if isinstance(weight, _Initialized)]
        if not called or called[0]:
            continue
        if found.layer.data_init:
            raise RecipeError(
                f"The layer {found.layer.name!r} begins with its first batch (data_init=True), and "
                "the file is from before it. Call the model on data where it was made, and save "
                "again."
            )
        found.layer.g.assign(found.layer.kernel_norm())
