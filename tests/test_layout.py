import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Who may import whom: the layout of CONTRIBUTING.md. Everybody may import medgan.errors.
ARROWS = {
    "errors": set(),
    "ops": set(),
    "data": set(),
    "figures": set(),
    "latency": set(),
    "run": {"precision"},
    "precision": set(),
    "workers": set(),
    "devices": {"workers"},
    "training_state": set(),
    "layers": {"ops"},
    "addons": set(),
    "losses": {"ops"},
    "metrics": {"ops", "data", "networks"},
    "networks": {"addons", "layers", "ops"},
    "classical": {"ops", "data"},
    "models": {"networks", "losses", "layers", "ops"},
    "callbacks": {"metrics", "classical", "figures", "networks", "run", "training_state"},
    "export": {"export_check", "latency"},
    "export_check": {"latency"},
    "recipe": {
        "data",
        "networks",
        "losses",
        "layers",
        "metrics",
        "models",
        "callbacks",
        "schedules",
    },
    "learning_rates": set(),
    "schedules": set(),
    "recipe_data": {"data", "recipe"},
    "stages": {"models", "recipe"},
    "tasks": {
        "callbacks",
        "classical",
        "data",
        "evaluation",
        "figures",
        "metrics",
        "networks",
        "recipe_data",
    },
    "experiment": {
        "devices",
        "metrics",
        "precision",
        "recipe",
        "recipe_data",
        "resume",
        "stages",
        "tasks",
    },
    "training": {"callbacks", "learning_rates", "losses", "networks"},
    "resume": {"run"},
    "report": {"run"},
    "evaluation": {"addons", "metrics", "ops", "classical", "data", "networks", "latency", "run"},
    "comparison": {
        "callbacks",
        "classical",
        "data",
        "devices",
        "evaluation",
        "figures",
        "metrics",
        "models",
        "networks",
        "recipe",
        "recipe_data",
        "report",
        "resume",
        "run",
        "training_state",
    },
    "run_report": {"figures", "report", "run", "tasks"},
}


def imported(path):
    """Names of medgan's parts that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "medgan" and len(parts) > 1:
                yield parts[1]


def parts():
    for path in sorted((ROOT / "medgan").rglob("*.py")):
        part = path.relative_to(ROOT / "medgan").parts[0].removesuffix(".py")
        if part != "__init__":
            yield part, path


def test_every_import_follows_an_arrow():
    wrong = [
        f"{path.relative_to(ROOT)} imports medgan.{name}"
        for part, path in parts()
        for name in imported(path)
        if name not in ARROWS[part] | {part, "errors"}
    ]
    assert not wrong


def test_every_part_is_in_the_layout():
    assert {part for part, _ in parts()} == set(ARROWS)


def test_files_stay_readable():
    long = [str(path) for _, path in parts() if len(path.read_text().splitlines()) > 400]
    assert not long


@pytest.mark.parametrize(
    "code",
    ["import medgan", "import medgan.tools.train, medgan.tools.export, medgan.tools.evaluate"],
)
def test_import_and_help_do_not_load_tensorflow(code):
    check = f"{code}; import sys; assert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
