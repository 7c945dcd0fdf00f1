"""Networks from files: teachers of an earlier run, or of somebody else."""

import pathlib

import medgan.layers  # noqa: F401  a file of medgan's holds these
from medgan import addons
from medgan.errors import RecipeError


def saved_network(*, path, network="teacher"):
    """A trained network from a file or from a run folder, so that a recipe can name it.

        [networks.teacher]
        type = "saved_network"
        path = "runs/kgan/latest"

    It need not be of medgan: any Keras model with the task of its student teaches, also one that
    Keras 2 or tensorflow-addons saved (`medgan.addons.load_model`).

    Args:
        path: a `.keras` or `.h5` file, or a run folder, such as `runs/kgan/latest`.
        network: name of the network in the run folder; a file holds one alone.

    Returns:
        `keras.Model` as it was saved, not compiled.

    Raises:
        RecipeError: if there is no such file or network, or the file holds no network.

    Example:
        >>> import pathlib, tempfile
        >>> from medgan.networks import dense_fusion_generator, saved_network
        >>> run = pathlib.Path(tempfile.mkdtemp())
        >>> dense_fusion_generator(width=4, dense_layers=1, name="mine").save(run / "teacher.keras")
        >>> saved_network(path=run).name
        'mine'
    """
    path = pathlib.Path(path).expanduser()
    if path.is_dir():
        path = _in_folder(path, network)
    elif not path.exists():
        raise RecipeError(
            f"There is no {path}, expected a .keras or .h5 file or a run folder. A path that is "
            f"not absolute begins at {pathlib.Path.cwd()}."
        )
    model = addons.load_model(path)
    products = getattr(model, "products", None)
    if products is not None:
        raise RecipeError(
            f"{path} holds a trainer, {type(model).__name__}, expected a network. Save the network "
            f"alone: trainer.{next(iter(products))}.save(...)."
        )
    return model


def _in_folder(folder, network):
    """The file of a network in a run folder."""
    files = {file.stem: file for kind in ("h5", "keras") for file in folder.glob(f"*.{kind}")}
    if network not in files:
        there = f"there are {', '.join(sorted(files))}" if files else "there is none"
        raise RecipeError(
            f"Received network={network!r} of {folder}, where {there}. Name one of a run folder, "
            "or a file."
        )
    return files[network]
