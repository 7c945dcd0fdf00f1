"""From a TOML file and `--set` to checked tables."""

import copy
import dataclasses
import importlib.resources
import json
import pathlib
import tomllib

from medgan.errors import RecipeError
from medgan.recipe.checking import KINDS, check_names, check_values, near


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe as it will be run: the file's tables with `when` and `--set` applied.

    Attributes:
        tables: table name to keys, checked for their names and types.
        text: the file as it was read.
        overrides: `--set` keys to values, in order.
        path: where the file came from.
    """

    tables: dict
    text: str
    overrides: dict
    path: str

    @property
    def name(self):
        """The recipe's own name, `run.name`."""
        return self.tables["run"]["name"]

    @property
    def stages(self):
        """Names of the trainings and of the networks that they make, in their order."""
        if "trainer" in self.tables:
            return ("student",) if "student" in self.tables["networks"] else ("generator",)
        students = ("student", "student_without_teacher")
        return ("teacher", *students) if self.tables["teacher"]["steps"] else students

    def __getitem__(self, table):
        """Returns a copy of a table."""
        return copy.deepcopy(self.tables[table])


def find_recipe(name):
    """Finds a recipe: a path, or the bare name of an installed one.

    Returns:
        `(text, path)`.

    Raises:
        RecipeError: if there is neither such a file nor such an installed recipe, or the file is
            not UTF-8 text.
    """
    installed = importlib.resources.files("medgan.recipes")
    path = pathlib.Path(name)
    if not path.is_file():
        bare = installed / f"{path.name.removesuffix('.toml')}.toml"
        if path.parent != pathlib.Path(".") or not bare.is_file():
            known = sorted(
                entry.name.removesuffix(".toml")
                for entry in installed.iterdir()
                if entry.name.endswith(".toml")
            )
            raise RecipeError(
                f"There is no recipe {name!r}: expected the path of a TOML file or one of the "
                f"installed recipes {', '.join(known)}."
            )
        path = bare
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (UnicodeDecodeError, OSError) as error:
        raise RecipeError(f"Cannot read the recipe {name}: {error}.") from error


def read_recipe(name, assignments=()):
    """Reads a recipe and applies what depends on the data's type, then `--set`.

    Args:
        name: path, or bare name of an installed recipe.
        assignments: texts `table.key=value`, the value in TOML; a text needs no quotes where the
            recipe holds a text.

    Returns:
        A `Recipe`.

    Raises:
        RecipeError: if the text is not TOML (with the line), a table or key is unknown (with the
            nearest names), or a value is of the wrong type or out of range.
    """
    text, path = find_recipe(name)
    return resolve(tables_of(text, path), text, path, [assignment(item) for item in assignments])


def reread_recipe(folder, changes=()):
    """Reads the recipe of a run again, with the `--set` that it was run with.

    Args:
        folder: run folder with `recipe.toml` and, where anything was set, `overrides.json`.
        changes: further texts `table.key=value`.

    Returns:
        A `Recipe` with the tables of the run.

    Raises:
        RecipeError: if a file is missing or damaged, or no longer fits this version.
    """
    folder = pathlib.Path(folder)
    path = folder / "overrides.json"
    try:
        overrides = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, OSError) as error:
        raise RecipeError(f"Cannot read {path}: {error}. Restore it from a copy.") from error
    if not isinstance(overrides, dict):
        raise RecipeError(f"{path}: received {overrides!r}, expected an object of keys and values.")
    text, name = find_recipe(str(folder / "recipe.toml"))
    assignments = [(key, _quoted(value)) for key, value in overrides.items()]
    assignments += [assignment(item) for item in changes]
    return resolve(tables_of(text, name), text, name, assignments)


def tables_of(text, path):
    """The tables of a TOML text; `path` is for the error message."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}. Mend that line.") from error


def _quoted(value):
    """The value as `--set` understands it: a text that looks quoted is quoted once more."""
    if isinstance(value, str) and value.strip()[:1] in ("'", '"'):
        return json.dumps(value, ensure_ascii=False)
    return value


def resolve(tables, text, path, assignments):
    """Checks tables and applies `when` and then `(key, value)` assignments."""
    check_names(tables, path)
    overrides = {}
    settled = copy.deepcopy(tables)
    conditions = settled.pop("when", {})
    kinds = [value for key, value in assignments if key == "data.type"]
    kind = kinds[-1] if kinds else settled["data"].get("type")
    for table, keys in conditions.get(kind, {}).items():
        for key, value in dotted(keys, table):
            put(settled, key, value, f"[when.{kind}]")
    for key, value in assignments:
        overrides[key] = put(settled, key, value, "--set")
    check_names(settled, path)
    check_values(settled)
    return Recipe(settled, text, overrides, path)


def assignment(item):
    """Divides a text `table.key=value` of `--set` into its two parts."""
    key, equals, value = item.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"Received --set {item!r}, expected table.key=value.")
    return key.strip(), value.strip()


def dotted(keys, prefix):
    """Yields `(dotted key, value)` of nested tables; a table with a type is one value."""
    for key, value in keys.items():
        if isinstance(value, dict) and "type" not in value:
            yield from dotted(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value


def put(tables, key, value, origin):
    """Sets an existing key; returns the value as it was understood."""
    parts = key.split(".")
    table = tables
    for depth, part in enumerate(parts[:-1]):
        if not isinstance(table.get(part), dict):
            where = ".".join(parts[:depth]) or "the recipe"
            raise RecipeError(
                f"{origin} {key}: there is no table {part!r} in {where}. {near(part, table)}"
            )
        table = table[part]
    last = parts[-1]
    if last not in table:
        where = ".".join(parts[:-1]) or "the recipe"
        raise RecipeError(
            f"{origin} {key}: there is no key {last!r} in {where}. {near(last, table)}"
        )
    old = table[last]
    if origin == "--set" and isinstance(value, str):
        value = _parsed(value, old, key)
    table[last] = _fitting(value, old, f"{origin} {key}", mixed=key.endswith("_patients"))
    return table[last]


def _parsed(text, old, key):
    """A `--set` value in TOML; where a text stands, quotes may be left out."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if isinstance(old, str) and not isinstance(value, str):
        return text
    return value


def _fitting(value, old, where, mixed=False):
    """The value, if its type is that of the old one (a whole number serves as a number)."""
    if mixed:
        if isinstance(value, list) or (
            isinstance(value, int | float) and not isinstance(value, bool)
        ):
            return value
        expected = "a list of patients or a share of them"
    else:
        if type(value) is type(old):
            return value
        if isinstance(old, float) and type(value) is int:
            return float(value)
        expected = KINDS.get(type(old), "another value")
    raise RecipeError(f"{where}: received {value!r}, expected {expected}, such as {old!r}.")
