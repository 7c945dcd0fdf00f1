"""The one door for files of Keras 2 and of tensorflow-addons."""

import io
import json
import pathlib
import zipfile

import h5py
import keras

from medgan.addons.keras2_layers import is_model
from medgan.addons.keras2_models import part_of
from medgan.addons.keras2_weights import load_from_h5, load_from_keras
from medgan.errors import RecipeError

EXPECTED = "expected a whole model that Keras 2 or Keras 3 saved as .keras or .h5"


def load_model(path, *, custom_objects=None):
    """Loads a whole model that Keras 2 (TensorFlow to 2.15) or Keras 3 has saved, not compiled.

    Functional and sequential models, also inside one another, of Keras layers and of the four
    add-ons layers in `medgan.addons`, come out with the same names and weights and compute the
    same. Of optimizers and losses in the file nothing is read. Files of Keras 3 go to
    `keras.models.load_model`.

    Args:
        path: a `.keras` or `.h5` file. Layers of medgan in it must have been imported.
        custom_objects: dict from names in the file to your own Keras 3 layers; those that are
            registered under the name in the file need not be here.

    Returns:
        `keras.Model`, to infer with, to fine-tune, or to be a teacher.

    Raises:
        RecipeError: if there is no such file, it holds no whole model, a layer is unknown or holds
            Python code, or the weights do not fit.

    Example:
        >>> import pathlib, tempfile
        >>> from medgan import addons
        >>> layers = [keras.Input((None, None, 1)), addons.InstanceNormalization()]
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.keras"
        >>> keras.Sequential(layers, name="old").save(path)
        >>> addons.load_model(path).name
        'old'
    """
    path = pathlib.Path(path)
    custom_objects = dict(custom_objects or {})
    if not path.is_file():
        raise RecipeError(f"There is no file {path}, {EXPECTED}.")
    try:
        if zipfile.is_zipfile(path):
            return _from_keras(path, custom_objects)
        if h5py.is_hdf5(path):
            return _from_h5(path, custom_objects)
    except RecipeError as error:
        raise RecipeError(f"Cannot load {path}: {error}") from error
    except Exception as error:  # whatever a damaged or foreign file makes Keras or HDF5 raise
        reason = " ".join(str(error).split())
        raise RecipeError(f"Cannot load {path}: {reason[:200]}; {EXPECTED}.") from error
    raise RecipeError(f"{path} is neither a Keras archive nor HDF5, {EXPECTED}.")


def _from_keras(path, custom_objects):
    """The model of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if not {"metadata.json", "config.json"} <= names:
            raise RecipeError(f"the archive holds no config.json and metadata.json, {EXPECTED}.")
        version = json.loads(archive.read("metadata.json")).get("keras_version", "")
        if not _is_keras2(version):
            return _as_keras3(path, custom_objects)
        part = _model(json.loads(archive.read("config.json")), custom_objects)
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            load_from_keras(part, file)
    return part.layer


def _from_h5(path, custom_objects):
    """The model of an HDF5 file."""
    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise RecipeError(
                f"the file holds weights without a model, {EXPECTED}. Build the network and call "
                "load_weights."
            )
        version = file.attrs.get("keras_version", b"2")
        if not _is_keras2(version.decode() if isinstance(version, bytes) else version):
            return _as_keras3(path, custom_objects)
        part = _model(json.loads(file.attrs["model_config"]), custom_objects)
        load_from_h5(part, file["model_weights"])
    return part.layer


def _is_keras2(version):
    return version.startswith("2.") or version == "2"


def _as_keras3(path, custom_objects):
    return keras.models.load_model(path, custom_objects=custom_objects, compile=False)


def _model(spec, custom_objects):
    """The `Part` of a whole model."""
    if not isinstance(spec.get("config"), dict) or not is_model(spec):
        raise RecipeError(
            f"the model is of the class {spec.get('class_name')}, which is code and not in the "
            "file, expected a functional or sequential model. Save the network inside it."
        )
    return part_of(spec, custom_objects)
