"""What a comparison's recipe says: data, one protocol for all, and the methods."""

import copy
import dataclasses

from medgan.errors import RecipeError
from medgan.recipe.checking import KINDS, near
from medgan.recipe.reading import assignment, dotted, find_recipe, put, tables_of

TABLES = ("run", "data", "protocol", "networks", "methods", "when", "quick")
NEEDED = ("run", "data", "protocol", "networks", "methods")
GROUPS = ("table", "ablation", "appendix")
TASKS = ("fusion", "translation")
RULE = "rule"
# Keys of [protocol], with what they must be.
PROTOCOL_KEYS = {
    "seeds": int,
    "folds": int,
    "steps": int,
    "batch_size": int,
    "methods": list,
    "rules": list,
    "reference": str,
    "control": str,
    "content_loss": dict,
    "augmentation": dict,
    "optimizer": dict,
    "discriminator_optimizer": dict,
}
# Those that may be left out, but for the augmentation, which may be none.
DEFAULTS = {"methods": [], "rules": [], "reference": "", "control": ""}
# Keys of [[methods]] that are ours; all others are arguments of the trainer.
METHOD_KEYS = {
    "name": str,
    "title": str,
    "group": str,
    "type": str,
    "task": str,
    "network": str,
    "networks": dict,
    "teacher": str,
    "discriminator_from_teacher": bool,
    "content": bool,
    "budget": int,
    "optimizer": dict,
    "discriminator_optimizer": dict,
}
# What other recipes say in [data].
FOREIGN_DATA_KEYS = {"task", "source", "test_patients"}
LARGEST_SEED = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A comparison as it will be run.

    Attributes:
        tables: the recipe's tables with `when`, `quick` and `--set` applied; `methods` is a dict
            by name, in order, of the methods that take part.
        text: the recipe's file as it was read.
        overrides: `--set` keys to values.
        quick: whether it is the small version, from which nothing can be concluded.
    """

    tables: dict
    text: str = ""
    overrides: dict = dataclasses.field(default_factory=dict)
    quick: bool = False

    def __getitem__(self, table):
        """Returns a copy of a table."""
        return copy.deepcopy(self.tables[table])

    @property
    def name(self):
        """The recipe's name."""
        return self.tables["run"]["name"]

    @property
    def methods(self):
        """Name to table of every method that is trained."""
        return self.tables["methods"]

    @property
    def rules(self):
        """Names of the classical methods."""
        return list(self.tables["protocol"]["rules"])

    @property
    def folds(self):
        """Number of folds."""
        return self.tables["protocol"]["folds"]

    @property
    def seeds(self):
        """All seeds, in order."""
        first = self.tables["run"]["seed"]
        return [first + number for number in range(self.tables["protocol"]["seeds"])]

    def steps(self, method):
        """Steps of a method: those of all, times its own budget."""
        return self.tables["protocol"]["steps"] * self.methods[method].get("budget", 1)

    def title(self, method):
        """What tables call a method or a rule."""
        return self.methods.get(method, {}).get("title", method)

    def group(self, method):
        """Which table a method stands in; `"rule"` for rules."""
        return self.methods[method].get("group", "table") if method in self.methods else RULE


def read_protocol(name, assignments=(), quick=False, seeds=None, folds=None):
    """Reads the recipe of a comparison.

    What depends on the data's type is applied first, then `[quick]`, then `--set`, then the
    numbers of seeds and folds.

    Args:
        name: path, or bare name of an installed recipe.
        assignments: texts `table.key=value`; `methods.NAME.key=value` for a method.
        quick: whether to make it small as the recipe's `[quick]` says.
        seeds: number of seeds; None leaves that of the recipe.
        folds: number of folds; None leaves that of the recipe.

    Returns:
        A `Protocol`.

    Raises:
        RecipeError: if the text is not TOML, a table or key is unknown or missing, or a value is
            of the wrong type or out of range.
    """
    text, path = find_recipe(name)
    settled = tables_of(text, path)
    _check_tables(settled, path)
    settled["methods"] = _by_name(settled["methods"])
    settled["protocol"] = {**copy.deepcopy(DEFAULTS), **settled["protocol"]}
    conditions, small = settled.pop("when", {}), settled.pop("quick", {})
    assignments = [assignment(item) for item in assignments]
    kinds = [value for key, value in assignments if key == "data.type"]
    kind = kinds[-1] if kinds else settled["data"].get("type")
    changes = [(f"[when.{kind}]", conditions.get(kind, {}))]
    if quick:
        if not small:
            raise RecipeError(f"{path} has no table [quick], expected one for --quick.")
        changes.append(("[quick]", small))
    for origin, tables in changes:
        for table, keys in tables.items():
            for key, value in dotted(keys, table):
                put(settled, key, value, origin)
    overrides = {key: put(settled, key, value, "--set") for key, value in assignments}
    for key, value in (("seeds", seeds), ("folds", folds)):
        if value is not None:
            settled["protocol"][key] = value
    _check_protocol(settled)
    for method, table in settled["methods"].items():
        _check_method(method, table, settled)
    settled["methods"] = _chosen(settled)
    _check_titles(settled)
    for key in ("reference", "control"):
        wanted = settled["protocol"][key]
        if wanted and wanted not in settled["methods"]:
            raise RecipeError(
                f"[protocol] {key}: received {wanted!r}. {near(wanted, settled['methods'])}"
            )
    return Protocol(settled, text, overrides, quick)


def _check_tables(tables, path):
    for table in tables:
        if table not in TABLES:
            raise RecipeError(f"{path} has an unknown table [{table}]. {near(table, TABLES)}")
    for table in NEEDED:
        kind = list if table == "methods" else dict
        if not isinstance(tables.get(table), kind) or not tables[table]:
            shown = f"[[{table}]]" if table == "methods" else f"[{table}]"
            raise RecipeError(f"{path} has no {shown}, expected one; see medgan's table1.toml.")
    for table in ("when", "quick"):
        if not isinstance(tables.get(table, {}), dict):
            raise RecipeError(f"{table}: received {tables[table]!r}, expected a table.")


def _by_name(methods):
    named = {}
    for number, table in enumerate(methods, 1):
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or not name.replace("_", "a").isalnum():
            raise RecipeError(
                f"[[methods]] {number} name: received {name!r}, expected letters, digits and "
                "underscores, for a folder is called so."
            )
        if name in named:
            raise RecipeError(f"[[methods]] {number} name: {name!r} is taken. Choose another.")
        named[name] = {key: value for key, value in table.items() if key != "name"}
    return named


def _check_protocol(tables):
    run, protocol = tables["run"], tables["protocol"]
    if not isinstance(run.get("name"), str) or not run["name"] or "/" in run["name"]:
        raise RecipeError(f"[run] name: received {run.get('name')!r}, expected a folder's name.")
    seed = run.get("seed")
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise RecipeError(f"[run] seed: received {seed!r}, expected 0 to {LARGEST_SEED}.")
    for key in run.keys() - {"name", "seed"}:
        raise RecipeError(f"[run] has an unknown key {key!r}. {near(key, ('name', 'seed'))}")
    for key in FOREIGN_DATA_KEYS & tables["data"].keys():
        raise RecipeError(f"[data] {key}: a comparison has folds and methods for that. Remove it.")
    _check_keys(protocol, PROTOCOL_KEYS, "[protocol]")
    for key in PROTOCOL_KEYS.keys() - {"augmentation"} - protocol.keys():
        raise RecipeError(f"[protocol] has no key {key!r}, expected one.")
    for key in ("seeds", "folds", "steps", "batch_size"):
        if protocol[key] < 1:
            raise RecipeError(f"[protocol] {key}: received {protocol[key]}, expected 1 or more.")
    for rule in protocol["rules"]:
        if rule in tables["methods"]:
            raise RecipeError(f"[protocol] rules: {rule!r} is also one of [[methods]].")
    for name, table in tables["networks"].items():
        if not isinstance(table, dict) or not isinstance(table.get("type"), str):
            raise RecipeError(f"[networks.{name}]: received {table!r}, expected a type.")


def _check_keys(table, known, where, others=False):
    for key, value in table.items():
        if key not in known:
            if others:
                continue
            raise RecipeError(f"{where} has an unknown key {key!r}. {near(key, known)}")
        if type(value) is not known[key]:
            raise RecipeError(f"{where} {key}: received {value!r}, expected {KINDS[known[key]]}.")


def _check_method(name, table, tables):
    where = f"[[methods]] {name}"
    _check_keys(table, METHOD_KEYS, where, others=True)
    for key in ("type", "network"):
        if key not in table:
            raise RecipeError(f"{where} has no key {key!r}, expected one.")
    for key, known in (("group", GROUPS), ("task", TASKS)):
        if table.get(key, known[0]) not in known:
            raise RecipeError(f"{where} {key}: received {table[key]!r}. {near(table[key], known)}")
    for network in (table["network"], *table.get("networks", {}).values()):
        if network not in tables["networks"]:
            raise RecipeError(
                f"{where}: there is no [networks.{network}]. {near(network, tables['networks'])}"
            )
    if table.get("budget", 1) < 1:
        raise RecipeError(f"{where} budget: received {table['budget']}, expected 1 or more.")
    above = list(tables["methods"])[: list(tables["methods"]).index(name)]
    teacher = table.get("teacher")
    if teacher is not None and teacher not in above:
        raise RecipeError(
            f"{where} teacher: received {teacher!r}, expected a method above it. "
            f"{near(teacher, above)}"
        )


def _chosen(tables):
    """The methods that take part: those asked for and their teachers, in the recipe's order."""
    methods, wanted = tables["methods"], tables["protocol"]["methods"]
    if not wanted:
        return methods
    taking = set()
    for name in wanted:
        if name not in methods:
            raise RecipeError(f"[protocol] methods: there is no {name!r}. {near(name, methods)}")
        while name is not None:
            taking.add(name)
            name = methods[name].get("teacher")
    return {name: table for name, table in methods.items() if name in taking}


def _check_titles(tables):
    titles = [table.get("title", name) for name, table in tables["methods"].items()]
    titles += tables["protocol"]["rules"]
    for title in titles:
        if titles.count(title) > 1:
            raise RecipeError(f"[[methods]] title: {title!r} is there twice. Choose another.")
