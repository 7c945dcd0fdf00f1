"""The run folder: what is written where, and how it is found again."""

import contextlib
import datetime
import errno
import json
import os
import pathlib
import platform
import subprocess
import sys

from medgan.errors import MedganError, RecipeError

RUNS = pathlib.Path("runs")
NETWORKS = ("teacher", "student", "student_without_teacher", "generator")  # those listed first
# Environment variables that change results, or which devices there are.
FLAGS = (
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "OMP_NUM_THREADS",
    "TF_CONFIG",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def write_atomically(path, text):
    """Writes a text file so that `path` holds the old text or the whole new one.

    Raises:
        MedganError: if the file cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.part")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: nothing to take the place of
            path.write_text(text, encoding="utf-8")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise MedganError(
            f"Cannot write {path}: {error.strerror or error}. Free space or choose another folder."
        ) from error


def write_json(path, value):
    """Writes a value as indented JSON, whole or not at all."""
    write_atomically(path, json.dumps(value, indent=2) + "\n")


class RunFolder:
    """One training's folder.

    Args:
        path: the folder, which exists.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    @classmethod
    def create(cls, recipe_name, output=None):
        """Makes a new run folder and lets `runs/<recipe>/latest` point at it.

        Args:
            recipe_name: name of the recipe.
            output: the folder; by default `runs/<recipe>/<date-time>`.

        Raises:
            RecipeError: if the folder holds another run already.
            MedganError: if it cannot be written.
        """
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        path = pathlib.Path(output) if output else RUNS / recipe_name / stamp
        if (path / "recipe.toml").exists():
            raise RecipeError(
                f"{path} holds a run already; its results are kept. "
                "Choose another --output or remove it."
            )
        try:
            for folder in ("checkpoints", "samples", "exports"):
                (path / folder).mkdir(parents=True, exist_ok=True)
            probe = path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise MedganError(
                f"Cannot write the run folder {path}: {error.strerror or error}. "
                "Choose another --output."
            ) from error
        run = cls(path)
        run._become_latest(recipe_name)
        return run

    @property
    def finished(self):
        """Whether the run came to its end."""
        return (self.path / "result.json").exists()

    def finish(self, result):
        """Writes `result.json`, what a command prints at the end: the last file of a run."""
        write_json(self.path / "result.json", result)

    def result(self):
        """What a finished run printed at its end.

        Raises:
            RecipeError: if the file cannot be read.
        """
        path = self.path / "result.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecipeError(f"Cannot read {path}: {error}. Restore it from a copy.") from error

    @classmethod
    def unfinished(cls, recipe_name="*"):
        """Opens the newest run below `runs/` that was begun and not finished.

        Args:
            recipe_name: name of its recipe; by default that of any.

        Raises:
            RecipeError: if there is none.
        """
        begun = {path.parent.resolve() for path in RUNS.glob(f"{recipe_name}/*/fingerprint.json")}
        runs = [cls(path) for path in begun if not cls(path).finished]
        if not runs:
            of = "" if recipe_name == "*" else f" of {recipe_name}"
            raise RecipeError(
                f"There is no unfinished run{of} below {RUNS.resolve()}, expected one to resume. "
                "Name its folder: --resume DIR."
            )
        return max(runs, key=lambda run: (run.path / "fingerprint.json").stat().st_mtime)

    @contextlib.contextmanager
    def locked(self):
        """Keeps other processes from training into this folder; a process that dies lets go.

        Raises:
            RecipeError: if another process has it.
        """
        try:
            import fcntl
        except ImportError:  # not on Windows
            yield
            return
        with open(self.path / ".lock", "a+", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    yield  # a file system without locks
                    return
                stream.seek(0)
                raise RecipeError(
                    f"{self.path} is being trained by process {stream.read().strip()}. Wait for "
                    "it, or choose another --output."
                ) from error
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield

    def _become_latest(self, recipe_name):
        """Points `runs/<recipe>/latest` here; where that cannot be, the run goes on without."""
        link = RUNS / recipe_name / "latest"
        temporary = link.with_name(f".latest.{os.getpid()}")
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            target = os.path.relpath(self.path.resolve(), link.parent.resolve())
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(target, target_is_directory=True)
            os.replace(temporary, link)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()

    @classmethod
    def open(cls, path=None):
        """Opens a run folder, by default the latest below `runs/`.

        Raises:
            RecipeError: if there is none, or the folder is not a run.
        """
        if path is None:
            links = [link for link in RUNS.glob("*/latest") if (link / "recipe.toml").exists()]
            if not links:
                raise RecipeError(
                    f"There is no run below {RUNS.resolve()} yet. "
                    "Train first (medgan-train kgan) or name a run with --run DIR."
                )
            path = max(links, key=lambda link: link.lstat().st_mtime).resolve()
        if not (pathlib.Path(path) / "recipe.toml").exists():
            raise RecipeError(f"{path} is not a run folder: it holds no recipe.toml. Name another.")
        return cls(path)

    def networks(self):
        """Name to path of every trained network that is here."""
        found = {path.stem: path for path in sorted(self.path.glob("*.keras"))}
        shown = [name for name in found if not name.startswith(".")]  # no half-written file
        order = sorted(shown, key=lambda n: (NETWORKS.index(n) if n in NETWORKS else 99, n))
        return {name: found[name] for name in order}

    def network(self, name):
        """Path of a trained network of this run.

        Raises:
            RecipeError: if there is none of that name; the message lists those there.
        """
        there = self.networks()
        if name not in there:
            listed = f"there are {', '.join(there)}" if there else "it holds no network yet"
            raise RecipeError(f"{self.path} has no network {name!r}; {listed}.")
        return there[name]


def _git(*words):
    """What git says of the checkout that medgan runs from; None elsewhere or without git."""
    checkout = pathlib.Path(__file__).resolve().parents[1]
    if not (checkout / ".git").exists():  # somebody else's repository may be further up
        return None
    command = ["git", "-C", str(checkout), *words]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def environment():
    """Where a run computes, as a dict for `environment.json`.

    Returns:
        A dict with the versions of packages, the machine and its devices, the environment variables
        of `FLAGS` that are set, the revision of the checkout (`git`), and whether its files were
        changed since (`dirty`); the latter two are None for an installed package.
    """
    import importlib.metadata

    import keras
    import tensorflow as tf

    from medgan.precision import gpus

    packages = ["medgan", "tensorflow", "keras", "numpy", "opencv-python-headless"]
    if keras.backend.backend() == "jax":
        packages += ["jax", "jaxlib"]
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "command": sys.argv,
        "versions": versions,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "devices": [device.name for device in tf.config.list_physical_devices()],
        "device_details": gpus(),
        "backend": keras.backend.backend(),
        "flags": {name: os.environ[name] for name in FLAGS if name in os.environ},
        "git": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }
