"""The folder of a comparison: what it is of, and whether it may go on."""

import json
import pathlib

from medgan.classical import FUSION_METHODS
from medgan.comparison.protocol import METHOD_KEYS
from medgan.errors import MedganError, RecipeError
from medgan.recipe.building import check_keys, find, signature
from medgan.recipe.checking import near
from medgan.resume import differences, write_fingerprint
from medgan.run import RunFolder, environment, write_atomically, write_json


def check_methods(protocol):
    """Looks for mistakes in methods before hours are spent on others.

    Raises:
        RecipeError: for an unknown type, argument, rule or part.
    """
    for rule in protocol.rules:
        if rule not in FUSION_METHODS:
            raise RecipeError(
                f"[protocol] rules: there is no {rule!r}. {near(rule, FUSION_METHODS)}"
            )
    for name, table in protocol.methods.items():
        where = f"[[methods]] {name}"
        known = signature(find(table["type"], where))
        check_keys(table, known, where, extra=METHOD_KEYS)
        for part in table.get("networks", {}):
            if part not in known:
                raise RecipeError(
                    f"{where} networks: {table['type']} has no part {part!r}. {near(part, known)}"
                )
        if table.get("teacher") and "teacher" not in known:
            raise RecipeError(f"{where} teacher: {table['type']} takes none. Remove this key.")
        if table.get("discriminator_from_teacher") and not table.get("teacher"):
            raise RecipeError(f"{where} discriminator_from_teacher: there is no teacher. Name one.")


def open_folder(plan, output):
    """Begins the folder of a comparison, or checks that it may go on with the one there.

    Args:
        plan: the `Plan`.
        output: the folder.

    Returns:
        A `RunFolder`.

    Raises:
        RecipeError: if data or protocol have changed since it was begun; the message says in what.
        MedganError: if it cannot be written.
    """
    run, shared = RunFolder(pathlib.Path(output)), plan.shared()
    path = run.path / "fingerprint.json"
    if path.exists():
        try:
            said = differences(json.loads(path.read_text(encoding="utf-8")), shared)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecipeError(
                f"Cannot compare with {path}: {error}. Restore it, or choose another --output."
            ) from error
        if said:
            raise RecipeError(
                f"{run.path} was begun with another protocol or other data: {'; '.join(said)}. "
                "Undo that, or choose another --output."
            )
    elif run.path.exists() and not (run.path.is_dir() and not any(run.path.iterdir())):
        raise RecipeError(
            f"{run.path} holds something else, expected a new folder or one of medgan-compare. "
            "Choose another --output."
        )
    protocol = plan.protocol
    try:
        (run.path / "cells").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MedganError(
            f"Cannot write {run.path}: {error.strerror or error}. Choose another --output."
        ) from error
    write_atomically(run.path / "recipe.toml", protocol.text)
    overrides = dict(protocol.overrides)
    if protocol["data"].get("root"):
        overrides["data.root"] = str(pathlib.Path(protocol["data"]["root"]).expanduser().resolve())
    write_json(run.path / "overrides.json", overrides)
    write_json(run.path / "folds.json", [split.to_dict() for split in plan.splits])
    if not path.exists():
        write_json(run.path / "environment.json", environment())
        write_fingerprint(run, shared)
    return run
