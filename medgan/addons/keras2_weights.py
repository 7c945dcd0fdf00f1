"""Weights of Keras 2 files, put where Keras 3 has them."""

import re

import numpy as np

from medgan.addons.spectral_normalization import SpectralNormalization
from medgan.addons.weight_normalization import WeightNormalization
from medgan.errors import RecipeError


class _Kept:
    """A weight of the file that Keras 3 has no variable for; its value is kept."""

    value = None

    def __init__(self, shape):
        self.shape = shape

    def assign(self, value):
        self.value = value


class _Slots:
    """Where the weights of a part go, sorted as Keras 2 sorted them.

    Attributes:
        frozen: whether they were not trainable.
        is_model: whether the part is a model.
        learned: the part's own trainable weights.
        fixed: its own others.
        children: name of the attribute, or None, and slots of what is inside.
        initialized: of `WeightNormalization`, whether it had been called.
    """

    def __init__(self, part):
        self.part = part
        self.frozen = part.frozen
        self.is_model = bool(part.children)
        self.learned, self.fixed, self.children = [], [], []
        self.initialized = None
        layer = part.layer
        if self.is_model:
            self.children = [(None, _Slots(child)) for child in part.children]
        elif isinstance(layer, SpectralNormalization):
            self.learned, self.fixed = [layer.normalized], [layer.sn_u]
            self.children = [("layer", self._inner(layer.layer.weights))]
        elif isinstance(layer, WeightNormalization):
            kernel, inner = layer.layer.kernel, layer.layer.weights
            self.initialized = _Kept(())
            self.learned, self.fixed = [layer.g, kernel], [self.initialized]
            self.children = [
                ("layer", self._inner([weight for weight in inner if weight is not kernel]))
            ]
            if layer.data_init:
                # The add-ons keep a copy of the layer to initialise from.
                copies = [_Kept(tuple(weight.shape)) for weight in inner]
                self.children.append(("_naked_clone_layer", self._inner(copies, frozen=True)))
        elif self.frozen:
            self.fixed = list(layer.weights)
        else:
            self.learned = [weight for weight in layer.weights if weight.trainable]
            self.fixed = [weight for weight in layer.weights if not weight.trainable]

    def _inner(self, weights, frozen=False):
        """Slots of a wrapped layer."""
        slots = object.__new__(_Slots)
        slots.part, slots.frozen, slots.is_model = self.part, self.frozen or frozen, False
        slots.learned, slots.fixed, slots.children = list(weights), [], []
        slots.initialized = None
        return slots

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


def load_from_h5(part, group):
    """Fills a model from the group `model_weights` of an `.h5` file.

    Args:
        part: the model's `Part`.
        group: h5py group.

    Raises:
        RecipeError: if the weights do not fit the layers.
    """
    slots = _Slots(part)
    for _, child in slots.children:
        name = child.part.layer.name
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
    slots = _Slots(part)
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
        if attribute == "_naked_clone_layer":
            continue
        if attribute is None:
            kind = _snake_case(child.part.kind)
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
            f"The weights of the layer {slots.part.layer.name!r} do not fit: received shapes "
            f"{received}, expected {expected}."
        )
    for target, value in zip(targets, values, strict=True):
        target.assign(value)


def _finish(slots):
    """Does what the add-ons would do in the first call of a model that was never called."""
    for found in slots.walk():
        if found.initialized is None or found.initialized.value:
            continue
        layer = found.part.layer
        if layer.data_init:
            raise RecipeError(
                f"The layer {layer.name!r} begins with its first batch (data_init=True), and the "
                "file is from before it. Call the model on data where it was made, and save again."
            )
        layer.g.assign(layer.kernel_norm())
