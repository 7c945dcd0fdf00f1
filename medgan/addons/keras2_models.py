"""Models of Keras 2 files as models of Keras 3."""

import dataclasses
from typing import Any

import keras

from medgan.addons.keras2_layers import class_name, is_model, layer_of
from medgan.addons.tensorflow_function import FUNCTIONS, TensorFlowFunction
from medgan.errors import RecipeError


@dataclasses.dataclass
class Part:
    """A layer or model, and what the file says of it.

    Attributes:
        kind: name of the class in the file.
        layer: the Keras 3 layer or model.
        frozen: whether its weights were not trainable.
        children: the parts of a model, in the order of the file.
    """

    kind: str
    layer: Any
    frozen: bool = False
    children: list["Part"] = dataclasses.field(default_factory=list)


def part_of(spec, custom_objects):
    """Makes a model or a layer of its Keras 2 specification, without weights.

    Args:
        spec: dict with `class_name` and `config`, in the form of `.keras` or of `.h5`.
        custom_objects: dict from names to the user's own classes.

    Returns:
        A `Part`.

    Raises:
        RecipeError: if something in it cannot be made.
    """
    frozen = spec["config"].get("trainable") is False
    if not is_model(spec):
        return Part(class_name(spec), layer_of(spec, custom_objects), frozen)
    make = _functional if "input_layers" in spec["config"] else _sequential
    model, children = make(spec["config"], custom_objects)
    # The class by which Keras 2 counts it, even where it was `Model` by name.
    return Part("Functional" if make is _functional else "Sequential", model, frozen, children)


def _input(config):
    """The tensor of an input layer."""
    return keras.Input(
        batch_shape=config["batch_input_shape"], dtype=config["dtype"], name=config["name"]
    )


def _sequential(config, custom_objects):
    """`(model, parts)` of a chain of layers."""
    specs = list(config["layers"])
    chain, parts = [], []
    if class_name(specs[0]) == "InputLayer":
        chain.append(_input(specs.pop(0)["config"]))
    elif "batch_input_shape" in specs[0]["config"]:
        chain.append(keras.Input(batch_shape=specs[0]["config"]["batch_input_shape"]))
    for spec in specs:
        parts.append(part_of(spec, custom_objects))
        chain.append(parts[-1].layer)
    model = keras.Sequential(chain, name=config["name"])
    if not model.built and config.get("build_input_shape"):
        model.build(config["build_input_shape"])
    if not model.built:
        raise RecipeError(
            f"The model {config['name']!r} says nowhere what shape it takes. Call it on data where "
            "it was made, and save again."
        )
    return model, parts


def _functional(config, custom_objects):
    """`(model, parts)` of a graph of layers."""
    parts, tensors, waiting = [], {}, []
    for spec in config["layers"]:
        name = spec["name"]
        if class_name(spec) == "InputLayer":
            tensors[name] = [_input(spec["config"])]
            continue
        if class_name(spec) in ("TFOpLambda", "SlicingOpLambda"):
            call = _operation(spec)
        else:
            part = part_of(spec, custom_objects)
            parts.append(part)
            call = part.layer
        tensors[name] = [None] * _calls_of_its_own(spec)
        waiting += [(name, call, node) for node in spec["inbound_nodes"]]
    while waiting:
        later, stuck = [], set()
        for name, call, node in waiting:
            found = None if name in stuck else _arguments_of(node, tensors)
            if found is None:  # what it takes is not made yet, or an earlier call of the layer
                stuck.add(name)
                later.append((name, call, node))
            else:
                args, kwargs = found
                tensors[name].append(call(*args, **kwargs))
        if len(later) == len(waiting):
            raise RecipeError(f"The layers {sorted(stuck)} take what no layer of the file makes.")
        waiting = later
    ends = []
    for key in ("input_layers", "output_layers"):
        if not isinstance(config[key], list):
            raise RecipeError(
                f"The model {config['name']!r} names its {key}, expected a list of tensors. Save "
                "it as a model from a tensor, or a list of tensors, to the same."
            )
        references = config[key] if isinstance(config[key][0], list) else [config[key]]
        found = [_tensor(reference, tensors) for reference in references]
        ends.append(found[0] if len(found) == 1 else found)
    return keras.Model(*ends, name=config["name"]), parts


def _calls_of_its_own(spec):
    """How many calls of a layer Keras 2 counts before those in the graph around it.

    A model that begins with an input has called itself once.
    """
    return int(is_model(spec) and class_name(spec["config"]["layers"][0]) == "InputLayer")


def _tensor(reference, tensors):
    """The tensor that `[layer, call, place]` stands for; None where it is not made yet."""
    name, call, place = reference[:3]
    made = tensors.get(name, [])
    if call >= len(made):
        return None
    outputs = made[call]
    return outputs[place] if isinstance(outputs, list | tuple) else outputs


def _arguments_of(node, tensors):
    """`(args, kwargs)` of a call; None where some of it is not made yet."""
    references = [node] if isinstance(node[0], str) else node
    args, missing = [], False
    for reference in references:
        if reference[0] == "_CONSTANT_VALUE":
            args.append(reference[2])
            continue
        args.append(_tensor(reference, tensors))
        missing |= args[-1] is None
    kwargs = dict(references[0][3]) if len(references[0]) > 3 else {}
    for key, value in kwargs.items():
        if isinstance(value, list) and len(value) == 3 and value[0] in tensors:
            kwargs[key] = _tensor(value, tensors)
            missing |= kwargs[key] is None
    if missing:
        return None
    return [args[0] if len(args) == 1 else args], kwargs


def _operation(spec):
    """A function of TensorFlow between layers, as a layer."""
    name = spec["config"].get("function", class_name(spec))
    if name not in FUNCTIONS:
        raise RecipeError(
            f"The layer {spec['name']!r} is the function tf.{name}, expected a layer or one of "
            f"{', '.join(FUNCTIONS)}. Put a layer in its place where the model was made, and save "
            "again."
        )
    layer = TensorFlowFunction(name, name=spec["name"], dtype=spec["config"]["dtype"])

    def call(x, **kwargs):
        kwargs.pop("name", None)
        if isinstance(x, int | float):  # Keras 3 wants tensors first
            return layer(kwargs.pop("y"), first=x, **kwargs)
        return layer(x, **kwargs)

    return call
