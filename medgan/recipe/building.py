"""From checked tables to objects: a table's `type` is called with its other keys."""

import importlib
import inspect
import os
import sys

from medgan.errors import MedganError, RecipeError
from medgan.recipe.checking import KINDS, near

PLACES = (
    "medgan.networks",
    "medgan.losses",
    "medgan.layers",
    "medgan.metrics",
    "medgan.callbacks",
    "medgan.models",
    "medgan.data",
    "medgan.schedules",
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.callbacks",
    "keras.metrics",
)


def find(name, where):
    """Finds a public function or class: a bare name, or `package.module:name` for your own.

    Raises:
        RecipeError: if there is none of that name.
    """
    if not isinstance(name, str):
        raise RecipeError(f"{where} type: received {name!r}, expected a name.")
    if ":" in name:
        module, _, attribute = name.partition(":")
        if os.getcwd() not in sys.path:  # a command's path holds its own folder, not yours
            sys.path.append(os.getcwd())
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise RecipeError(
                f"{where} type: cannot import {name!r}: {error}. Run from the module's folder."
            ) from error
    known = []
    for place in PLACES:
        module = importlib.import_module(place)
        public = getattr(module, "__all__", None) or [n for n in dir(module) if n[0] != "_"]
        if name in public:
            return getattr(module, name)
        known += public
    raise RecipeError(f"{where} type: there is no {name!r}. {near(name, known)}")


def signature(function):
    """Names and defaults of the arguments of a function or class."""
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return {p.name: p.default for p in named if p.name != "self"}


def check_keys(keys, known, where, extra=()):
    """Raises RecipeError for a key that nobody knows, or a value unlike its default."""
    for key, value in keys.items():
        if key == "type" or key in extra:
            continue
        if key not in known:
            raise RecipeError(f"{where} has an unknown key {key!r}. {near(key, [*known, *extra])}")
        default = known[key]
        numbers = isinstance(default, float) and type(value) in (int, float)
        plain = isinstance(default, bool | int | float | str) and not isinstance(value, dict)
        if default is None and isinstance(value, str) and key.endswith(("_loss", "augmentation")):
            raise RecipeError(
                f"{where} {key}: received {value!r}, expected a table with a type, such as "
                f'{{ type = "{value}" }}.'
            )
        if plain and type(value) is not type(default) and not numbers:
            raise RecipeError(
                f"{where} {key}: received {value!r}, expected {KINDS[type(default)]}."
            )


def build(table, where, defaults=None, **given):
    """Calls what a table names with the table's keys.

    Nested tables with a `type` are built first.

    Args:
        table: dict with `type` and arguments.
        where: the table's name, for error messages.
        defaults: arguments to add wherever the function takes them and the table is silent, nested
            tables included (`seed`, `decay_steps`).
        **given: arguments that the program supplies; the table may not name them.

    Returns:
        What the function returns.

    Raises:
        RecipeError: for an unknown type or key, a value of the wrong type, or one that the
            function refuses.
    """
    if "type" not in table:
        raise RecipeError(f"{where} has no key 'type', expected the name of a function or class.")
    function = find(table["type"], where)
    known = signature(function)
    keys = {key: value for key, value in table.items() if key != "type"}
    for key in given:
        if key in keys:
            raise RecipeError(f"{where} {key}: medgan sets this key itself. Remove it.")
    takes_all = any(
        p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values()
    )
    if function.__module__.startswith(("medgan", "keras")) or not takes_all:
        check_keys(keys, {k: v for k, v in known.items() if k not in given}, where)
    arguments = dict(given)
    for key, value in keys.items():
        nested = isinstance(value, dict) and "type" in value
        arguments[key] = build(value, f"{where} {key}", defaults) if nested else value
    for key, value in (defaults or {}).items():
        if key in known and key not in arguments:
            arguments[key] = value
    try:
        return function(**arguments)
    except MedganError:
        raise
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{where}: {' '.join(str(error).split())}") from error
