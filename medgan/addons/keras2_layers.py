"""Layers of Keras 2 files as layers of Keras 3."""

import inspect

import keras

from medgan.errors import RecipeError

PACKAGE = "Addons>"
SUPPORTED = (
    "GroupNormalization",
    "InstanceNormalization",
    "SpectralNormalization",
    "WeightNormalization",
)
RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
# What Keras 2 writes and Keras 3 does not take, and the value that means nothing.
HARMLESS = {"groups": 1, "output_padding": None, "ragged": False, "sparse": False}
# The same, whatever the value: what a weight that is loaded began with does not matter, and
# Keras 2 writes these of kernels that the layer lacks.
UNUSED = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")


def is_model(spec):
    """Whether a specification is of a functional or sequential model."""
    return "layers" in spec["config"]


def class_name(spec):
    """Name of the class in Python, without a package."""
    return (spec.get("class_name") or "").rpartition(">")[2]


def layer_of(spec, custom_objects):
    """Makes the Keras 3 layer of a Keras 2 specification, without its weights.

    Args:
        spec: dict with `class_name` and `config`, in the form of `.keras` or of `.h5`.
        custom_objects: dict from names to the user's own classes.

    Returns:
        Keras layer, not built.

    Raises:
        RecipeError: if the layer is unknown or Keras 3 refuses its settings.
    """
    name = spec["config"].get("name", spec.get("name"))
    kind = _class_of(spec, name, custom_objects)
    config = _settings(spec, kind, custom_objects)
    try:
        if kind.__module__.startswith(("keras.", "medgan.addons.")):
            return kind(**config)
        return kind.from_config(config)
    except Exception as error:  # whatever a constructor makes of settings that it does not know
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"Cannot make the layer {name!r} ({class_name(spec)}) of Keras 2: {reason[:200]}"
        ) from error


def _class_of(spec, name, custom_objects):
    """The class of a specification."""
    full, short = spec.get("registered_name") or spec["class_name"], class_name(spec)
    for key in (full, spec["class_name"], short):
        if key in custom_objects:
            return custom_objects[key]
    if short == "Lambda":
        raise RecipeError(
            f"The layer {name!r} is a Lambda, Python code inside the file, which is not run. Write "
            "it as a registered layer, put that into the model where it was made, and save again."
        )
    # A layer of ours, or a user's that is registered.
    kind = keras.saving.get_registered_object(full)
    if kind is None and not full.startswith(PACKAGE):
        kind = getattr(keras.layers, short, None)
    if inspect.isclass(kind) and issubclass(kind, keras.layers.Layer):
        return kind
    raise RecipeError(
        f"The layer {name!r} is of the unknown kind {full}, expected one of Keras or, of "
        f"tensorflow-addons, {', '.join(SUPPORTED)}. Register a Keras 3 layer as {full!r}, or give "
        f"load_model custom_objects={{{full!r}: YourLayer}}."
    )


def _settings(spec, kind, custom_objects):
    """A layer's configuration as Keras 3 takes it."""
    config = dict(spec["config"])
    config.pop("batch_input_shape", None)
    for (owner, old), new in RENAMED.items():
        if class_name(spec) == owner and old in config:
            config[new] = config.pop(old)
    if isinstance(config.get("dtype"), dict):  # a policy
        config["dtype"] = config["dtype"]["config"]["name"]
    if class_name(spec) == "BatchNormalization" and isinstance(config.get("axis"), list):
        (config["axis"],) = config["axis"]
    for key in ("layer", "activation"):
        value = config.get(key)
        if isinstance(value, dict) and hasattr(keras.layers, class_name(value)):
            config[key] = layer_of(value, custom_objects)
    taken = _arguments(kind)
    return {
        key: value
        for key, value in config.items()
        if key in taken or not (key in UNUSED or (key in HARMLESS and value == HARMLESS[key]))
    }


def _arguments(kind):
    """Names of what the constructors of a class and its bases take."""
    return {
        name
        for base in kind.__mro__
        if "__init__" in vars(base)
        for name in inspect.signature(base.__init__).parameters
    }
