"""Everything that a training moves, in one file that is whole or refused."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import zipfile

import keras
import numpy as np
from keras import ops

from medgan.errors import MedganError, RecipeError

FORMAT = 1
_STATE = "state.json"


class DamagedCheckpoint(MedganError):
    """A checkpoint that is cut off or altered; nothing of it was used."""


def optimizers_of(model):
    """The optimizers that a model holds, as (name, optimizer), each once, in a fixed order.

    Those that are attributes come first, by name, such as `optimizer`; then those in a list, a
    tuple or a dict that is an attribute, such as `optimizers[0]` and `optimizers['critic']`.
    Containers in containers are not searched.
    """
    attributes = sorted(vars(model).items())
    held = [
        (f"{name}[{key!r}]", value)
        for name, container in attributes
        if not name.startswith("_self_")  # where TensorFlow lists what it tracks
        for key, value in _items(container)
    ]
    seen, found = set(), []
    for name, value in attributes + held:
        if isinstance(value, keras.optimizers.Optimizer) and id(value) not in seen:
            seen.add(id(value))
            found.append((name, value))
    return found


def _items(container):
    """Keys and values of a dict, indices and values of a list or tuple, nothing of others."""
    if isinstance(container, dict):
        return sorted(container.items(), key=lambda item: repr(item[0]))
    return enumerate(container) if isinstance(container, list | tuple) else ()


def variables_of(model):
    """Everything that a training of a model moves, in an order that every process agrees on.

    These are all weights and the states of all seed generators, then the variables of every
    optimizer: iterations, learning rate, moments, averages, loss scale. Metrics are left out, for
    they begin anew with every epoch.

    Args:
        model: built `keras.Model`.

    Returns:
        A list of (name, variable), each variable once. Names are for messages: Keras numbers them
        differently from one process to the next.

    Example:
        >>> import keras
        >>> from medgan.training_state import variables_of
        >>> dense = keras.layers.Dense(1, use_bias=False, name="dense")
        >>> model = keras.Sequential([keras.Input((2,)), dense], name="model")
        >>> model.compile(keras.optimizers.SGD(0.1, name="sgd"))
        >>> [name for name, variable in variables_of(model)]
        ['model/dense/kernel', 'optimizer/sgd/iteration', 'optimizer/sgd/learning_rate']
    """
    named = [(variable.path, variable) for variable in model.variables]
    for attribute, optimizer in optimizers_of(model):
        named += [(f"{attribute}/{variable.path}", variable) for variable in optimizer.variables]
    # Under JAX a trainer may count the variables of its second optimizer among its own.
    seen = {id(variable) for variable in getattr(model, "metrics_variables", [])}
    taken = []
    for name, variable in named:
        if id(variable) not in seen:
            seen.add(id(variable))
            taken.append((name, variable))
    return taken


def step_of(model):
    """Number of steps that a model's optimizer has taken, as an int, on any number of devices."""
    # `int` alone fails on the variable of a MirroredStrategy.
    return int(ops.convert_to_numpy(model.optimizer.iterations))


def save_state(path, model, notes):
    """Writes `variables_of(model)` and notes so that `path` is the old file or the whole new one.

    The file is a zip that `numpy.load` reads: `0000.npy`, `0001.npy`, ... in order, and
    `state.json` with names, shapes, types, notes and the SHA-256 of every member. Types that NumPy
    does not know, such as bfloat16, are stored as unsigned integers of their size.

    Args:
        path: file whose folder exists.
        model: built `keras.Model` with built optimizers.
        notes: what JSON can hold.

    Raises:
        OSError: if it cannot be written; `path` is as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with open(temporary, "wb") as stream:
            _write(stream, model, notes)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    flush_folder(path.parent)


def load_state(path, model):
    """Puts the state of a training back into a model, bit for bit.

    Everything is read and verified before the first variable is assigned.

    Args:
        path: file of `save_state`.
        model: `keras.Model`, built like the saved one, with built optimizers.

    Returns:
        The notes.

    Raises:
        DamagedCheckpoint: if the file is not as it was written.
        RecipeError: if the variables do not fit the model; the first difference is named.
    """
    described, notes, arrays = _read(path, keep_arrays=True)
    named = variables_of(model)
    own = [_description(name, ops.convert_to_numpy(variable)) for name, variable in named]
    _check_fit(path, described, own)
    for (_, variable), array in zip(named, arrays, strict=True):
        variable.assign(array)
    return notes


def read_notes(path):
    """Verifies a file of `save_state` and returns its notes alone.

    Raises:
        DamagedCheckpoint: if the file is not as it was written.
    """
    return _read(path, keep_arrays=False)[1]


def flush_folder(path):
    """Lets a folder's new and renamed files outlive a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write(stream, model, notes):
    described, digests = [], {}
    # A checkpoint of the same state is the same file: no times of day.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for index, (name, variable) in enumerate(variables_of(model)):
            array = np.asarray(ops.convert_to_numpy(variable))
            described.append(_description(name, array))
            known = array.dtype.kind != "V"
            member, content = _member(index), io.BytesIO()
            np.save(content, array if known else array.view(f"u{array.dtype.itemsize}"))
            digests[member] = _digest(content.getvalue())
            archive.writestr(zipfile.ZipInfo(member), content.getvalue())
        state = {"format": FORMAT, "variables": described, "notes": notes, "sha256": digests}
        text = json.dumps(state, default=_plain).encode()
        archive.writestr(zipfile.ZipInfo(_STATE), text)
        archive.comment = _digest(text).encode()


def _read(path, keep_arrays):
    """Returns descriptions, notes, and the arrays if they are wanted; verifies all of them."""
    arrays = []
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_STATE)
            if archive.comment.decode() != _digest(text):
                raise ValueError(f"{_STATE} was altered")
            state = json.loads(text)
            if state["format"] == FORMAT:
                for index, (_, shape, dtype) in enumerate(state["variables"]):
                    content = archive.read(_member(index))
                    if _digest(content) != state["sha256"][_member(index)]:
                        raise ValueError(f"{_member(index)} was altered")
                    if keep_arrays:
                        array = np.load(io.BytesIO(content), allow_pickle=False)
                        arrays.append(array.view(np.dtype(dtype)).reshape(shape))
    except Exception as error:  # what is damaged can fail in every way
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise DamagedCheckpoint(
            f"{path} is no whole checkpoint: {' '.join(str(reason).split())}. "
            "Remove it or take an older one."
        ) from error
    if state["format"] != FORMAT:
        raise RecipeError(
            f"{path} is a checkpoint of format {state['format']}, expected {FORMAT}. "
            "Use the version of medgan that wrote it."
        )
    return state["variables"], state["notes"], arrays


def _check_fit(path, stored, own):
    """Shapes and types must be those of the model, in the same order."""
    for index in range(max(len(stored), len(own))):
        there, here = (
            f"{each[index][0]} {tuple(each[index][1])} {each[index][2]}"
            if index < len(each)
            else "nothing"
            for each in (stored, own)
        )
        both = index < min(len(stored), len(own))
        if not both or stored[index][1:] != own[index][1:]:
            raise RecipeError(
                f"{path} does not fit the model: of {len(stored)} variables number {index} is "
                f"{there}, expected {here} of {len(own)}. Resume with the recipe and the version "
                "of medgan that wrote it."
            )


def _description(name, array):
    return [name, list(array.shape), array.dtype.name]


def _member(index):
    return f"{index:04d}.npy"


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _plain(value):
    """A NumPy number as JSON holds it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"Received {value!r} in the notes of a checkpoint, expected plain JSON values: dicts, "
        "lists, strings, numbers, booleans and None."
    )
