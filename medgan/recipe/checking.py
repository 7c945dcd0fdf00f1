"""What the tables of a recipe may be called, and what their plain keys may hold."""

import difflib
import math

from medgan.errors import RecipeError

NEEDED_TABLES = ("run", "data", "networks", "training")
# A recipe trains one trainer, or a teacher whose knowledge is distilled.
ONE_TRAINER = ("trainer",)
DISTILLATION = ("teacher", "distillation")
TABLES = (*NEEDED_TABLES, *ONE_TRAINER, *DISTILLATION, "divergence", "callbacks", "when")
NETWORKS = ("teacher", "student", "discriminator")  # those of a distillation, at least
SOURCES = ("phantoms", "paired_folders")
PLAIN_KEYS = {
    "run": {"name": str, "seed": int},
    "training": {"batch_size": int, "checkpoint_every": int, "validation_pairs": int},
}
OPTIONAL_KEYS = {
    "training": {
        "validation_scores": list,
        "best_score": str,
        "precision": str,
        "strategy": str,
        "deterministic": bool,
    },
    "divergence": {
        "policy": str,
        "within": int,
        "rollbacks": int,
        "factor": float,
        "symptoms": list,
    },
}
# Not imported from where they are used: a recipe is checked before TensorFlow is loaded.
WORDS = {
    "data.task": ("fusion", "translation", "unpaired", "synthesis"),
    "training.precision": ("auto", "float32", "mixed_float16", "mixed_bfloat16"),
    "training.strategy": ("auto", "single", "mirrored", "multi_worker"),
    "divergence.policy": ("stop", "rollback"),
}
LISTS_OF_TEXTS = ("training.validation_scores", "divergence.symptoms")
OTHER_NUMBERS = {
    "teacher.steps": True,
    "distillation.steps": True,
    "trainer.steps": True,
    "data.crop": False,
    "data.resize": False,
}
SMALLEST = {
    "run.seed": 0,
    "teacher.steps": 0,
    "distillation.steps": 1,
    "trainer.steps": 1,
    "training.batch_size": 1,
    "training.checkpoint_every": 1,
    "training.validation_pairs": 1,
    "data.crop": 1,
    "data.resize": 0,
    "data.seed": 0,
    "divergence.within": 1,
    "divergence.rollbacks": 0,
}
LARGEST_SEED = 2**31 - 1
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


def near(name, known):
    """Words for the known names nearest to a wrong one."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(sorted(str(k) for k in known))}."


def check_names(tables, path):
    """Raises RecipeError for a table or a plain key that is unknown or missing."""
    for table in tables:
        if table not in TABLES:
            raise RecipeError(f"{path} has an unknown table [{table}]. {near(table, TABLES)}")
    _check_shape(tables, path)
    for table in (*NEEDED_TABLES, *what_trains(tables)):
        if not isinstance(tables.get(table), dict):
            raise RecipeError(
                f"{path} has no table [{table}], expected one; see medgan's kgan.toml."
            )
    for network in () if "trainer" in tables else NETWORKS:
        if network not in tables["networks"]:
            raise RecipeError(f"{path} has no table [networks.{network}], expected one.")
    for network, keys in tables["networks"].items():
        if not isinstance(keys, dict):
            raise RecipeError(
                f"{path}: received {keys!r}, expected a table [networks.{network}] with a type."
            )
    if not isinstance(tables.get("divergence", {}), dict):
        received = tables["divergence"]
        raise RecipeError(f"divergence: received {received!r}, expected a table [divergence].")
    for table in PLAIN_KEYS.keys() | OPTIONAL_KEYS.keys():
        known = {**PLAIN_KEYS.get(table, {}), **OPTIONAL_KEYS.get(table, {})}
        for key in tables.get(table, {}):
            if key not in known:
                raise RecipeError(f"[{table}] has an unknown key {key!r}. {near(key, known)}")
    for table, keys in PLAIN_KEYS.items():
        for key in keys:
            if key not in tables[table]:
                raise RecipeError(f"[{table}] has no key {key!r}, expected one.")
    _check_lists(tables)


def what_trains(tables):
    """Names of the tables that say how a recipe trains."""
    return ONE_TRAINER if "trainer" in tables else DISTILLATION


def _check_shape(tables, path):
    """Raises RecipeError for a recipe that has both ways to train, or none."""
    other = [table for table in DISTILLATION if table in tables]
    if "trainer" in tables and other:
        raise RecipeError(
            f"{path} has [trainer] beside [{other[0]}], expected either [trainer] alone or "
            "[teacher] and [distillation]. Remove one of them."
        )
    if "trainer" not in tables and not other:
        raise RecipeError(
            f"{path} has nothing to train, expected a table [trainer] (see medgan's pix2pix.toml) "
            "or the tables [teacher] and [distillation] (kgan.toml)."
        )


def _check_lists(tables):
    callbacks = tables.get("callbacks", [])
    if not isinstance(callbacks, list) or not all(isinstance(c, dict) for c in callbacks):
        raise RecipeError(f"callbacks: received {callbacks!r}, expected tables [[callbacks]].")
    if not isinstance(tables["data"].get("type"), str):
        received = tables["data"].get("type")
        raise RecipeError(f"[data] type: received {received!r}, expected a text.")
    conditions = tables.get("when", {})
    if not isinstance(conditions, dict):
        raise RecipeError(f"when: received {conditions!r}, expected tables [when.TYPE].")
    for kind, changes in conditions.items():
        if kind not in SOURCES and ":" not in kind:
            raise RecipeError(f"[when.{kind}]: no data has this type. {near(kind, SOURCES)}")
        if not isinstance(changes, dict) or not all(isinstance(c, dict) for c in changes.values()):
            raise RecipeError(f"[when.{kind}]: received {changes!r}, expected table.key = value.")


def check_values(tables):
    """Raises RecipeError for a plain value of the wrong type or out of range."""
    for table, keys in PLAIN_KEYS.items():
        for key, kind in keys.items():
            _check_type(f"[{table}] {key}", tables[table][key], kind)
    for table, keys in OPTIONAL_KEYS.items():
        for key in keys.keys() & tables.get(table, {}).keys():
            _check_type(f"[{table}] {key}", tables[table][key], keys[key])
    for name, needed in OTHER_NUMBERS.items():
        table, key = name.split(".")
        if table in tables and (needed or key in tables[table]):
            _check_type(f"[{table}] {key}", tables[table].get(key), int)
    for name, smallest in SMALLEST.items():
        table, key = name.split(".")
        value = tables.get(table, {}).get(key)
        if isinstance(value, int | float) and (value < smallest or not math.isfinite(value)):
            raise RecipeError(f"[{table}] {key}: received {value}, expected {smallest} or more.")
    _check_words(tables)
    _check_teacher(tables)
    for table in ("run", "data"):
        seed = tables[table].get("seed", 0)
        _check_type(f"[{table}] seed", seed, int)
        if seed > LARGEST_SEED:
            raise RecipeError(f"[{table}] seed: received {seed}, expected {LARGEST_SEED} or less.")
    if not tables["run"]["name"] or "/" in tables["run"]["name"]:
        raise RecipeError(
            f"[run] name: received {tables['run']['name']!r}, expected a name for a folder."
        )


def _check_teacher(tables):
    """Raises RecipeError for a teacher that neither learns nor has learned."""
    if "trainer" in tables or tables["teacher"]["steps"]:
        return
    kind = tables["networks"]["teacher"].get("type")
    own = isinstance(kind, str) and ":" in kind
    if kind != "saved_network" and not own and not tables["distillation"].get("online"):
        raise RecipeError(
            "[teacher] steps: received 0, expected 1 or more, or a teacher that was trained "
            'before: [networks.teacher] type = "saved_network".'
        )


def _check_words(tables):
    """Raises RecipeError for a choice that is none of those known."""
    for name, known in WORDS.items():
        table, key = name.split(".")
        value = tables.get(table, {}).get(key, known[0])
        if value not in known:
            raise RecipeError(f"[{table}] {key}: received {value!r}. {near(value, known)}")
    for name in LISTS_OF_TEXTS:
        table, key = name.split(".")
        value = tables.get(table, {}).get(key, [])
        if not all(isinstance(text, str) for text in value):
            raise RecipeError(f"[{table}] {key}: received {value!r}, expected a list of texts.")
    factor = tables.get("divergence", {}).get("factor", 0.5)
    if not 0 < factor < 1:
        raise RecipeError(f"[divergence] factor: received {factor}, expected between 0 and 1.")


def _check_type(where, value, kind):
    if type(value) is not kind:
        raise RecipeError(f"{where}: received {value!r}, expected {KINDS[kind]}.")
