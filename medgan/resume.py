"""What must be the same for a run to go on: recipe, data, precision, backend, version."""

import hashlib
import json
import pathlib

import keras

import medgan
from medgan.errors import RecipeError
from medgan.run import write_json

FILE = "fingerprint.json"
LISTED = 5
# Where the data lie, and what is done about a divergence: no weight until then depends on it.
FREE = (
    "data.root",
    *(f"divergence.{key}" for key in ("policy", "rollbacks", "factor", "symptoms")),
)


def fingerprint(recipe, pairs, precision):
    """Everything that the weights of a run depend on, as plain values.

    Args:
        recipe: a `medgan.recipe.Recipe`; the keys `FREE` do not count.
        pairs: all pairs of the run.
        precision: the dtype policy that the run computes in.

    Returns:
        A dict of `recipe` (dotted key to value), `data` (name of a pair to its patient and the
        SHA-256 of its pixels), `networks` (name of a network that comes from a file to the SHA-256
        of that), `precision`, `backend` and `medgan`.
    """
    images = {}
    for name, patient, image in zip(pairs.names, pairs.patients, pairs.images, strict=True):
        digest = hashlib.sha256(repr((image.shape, image.dtype.name)).encode())
        digest.update(image.tobytes())
        images[name] = [patient, digest.hexdigest()]
    settings = dict(_flat(recipe.tables))
    files = {}
    for name, table in recipe.tables.get("networks", {}).items():
        if isinstance(table, dict) and "path" in table:
            files[name] = _file_digest(table)  # where it lies does not count
            settings.pop(f"networks.{name}.path", None)
    for key in FREE:
        settings.pop(key, None)
    found = {
        "recipe": settings,
        "data": images,
        "networks": files,
        "precision": precision,
        "backend": keras.backend.backend(),
        "medgan": medgan.__version__,
    }
    return json.loads(json.dumps(found))  # as it will be read again


def digest(part):
    """A short text that tells whether two parts of fingerprints are equal."""
    text = json.dumps(part, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_fingerprint(run, found):
    """Writes `fingerprint.json` into a run folder."""
    write_json(run.path / FILE, found)


def check_fingerprint(run, found):
    """Refuses to go on with a run that was another.

    Args:
        run: the `RunFolder`.
        found: `fingerprint` of what would go on.

    Raises:
        RecipeError: if recipe, data, precision or medgan's major version differ; the message says
            in what.
    """
    path = run.path / FILE
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        said = differences(written, found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"Cannot compare with {path}: {error}. Restore it from a copy, or train anew."
        ) from error
    if said:
        raise RecipeError(
            f"{run.path} cannot go on, for what it was trained with has changed: "
            f"{'; '.join(said)}. Undo that, or train anew."
        )


def differences(old, new):
    """In words, what differs between two fingerprints; an empty list if nothing does."""
    said = []
    nothing = object()
    for key in sorted(old["recipe"].keys() | new["recipe"].keys()):
        before, now = (part["recipe"].get(key, nothing) for part in (old, new))
        if before != now:
            words = ("not set" if value is nothing else repr(value) for value in (before, now))
            said.append("{} was {} and is {}".format(key, *words))
    before, now = old["data"], new["data"]
    changed = [name for name in before if name in now and before[name] != now[name]]
    for names, words in (
        ([name for name in before if name not in now], "gone"),
        ([name for name in now if name not in before], "new"),
        (changed, "changed"),
    ):
        if names:
            listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
            said.append(f"{len(names)} of {len(before)} pairs are {words}: {listed}")
    if not said and list(before) != list(now):
        said.append("the pairs come in another order")
    before = old.get("networks", new["networks"])  # earlier versions named none
    for name in sorted(before.keys() | new["networks"].keys()):
        if before.get(name) != new["networks"].get(name):
            said.append(f"the file of networks.{name} is another")
    for key in ("precision", "backend"):
        if old.get(key) != new[key]:
            said.append(f"{key} was {old.get(key, 'not recorded')} and is {new[key]} here")
    if _major(old["medgan"]) != _major(new["medgan"]):
        said.append(f"medgan was {old['medgan']} and is {new['medgan']}")
    return said


def _file_digest(table):
    """SHA-256 of the file that a network's table names; None where there is none."""
    path = pathlib.Path(table["path"]).expanduser()
    if path.is_dir():
        name = table.get("network", "teacher")
        files = [path / f"{name}.{kind}" for kind in ("keras", "h5")]
        path = next((file for file in files if file.exists()), files[0])
    if not path.is_file():
        return None
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _major(version):
    """The part of a version that says what is compatible: 1 of 1.2.3, 0.1 of 0.1.2."""
    parts = version.split(".")
    return parts[:2] if parts[0] == "0" else parts[:1]


def _flat(value, prefix=""):
    """Yields (dotted key, plain value) of nested tables and lists of tables."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = enumerate(value, 1)
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
