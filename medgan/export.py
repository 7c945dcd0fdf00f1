"""A trained network as a file that runs without Keras, compared with Keras before it counts.

Every exported file takes `images`, float32 `(batch, height, width, channels)`, and gives `image`,
float32, under the signature `serving_default`, in inference mode. What a generator takes, noise
`(batch, latents)`, goes by the same name.
"""

import contextlib
import os
import pathlib
import re
import tempfile

import numpy as np

from medgan.errors import ExportError, MedganError, RecipeError
from medgan.export_check import (
    BOUND,
    SIGNATURE,
    ExportCheck,
    centred,
    check_saved_model,
    check_tflite,
    files_of,
    first_line,
    size_errors,
)

__all__ = [
    "ExportCheck",
    "centred",
    "check_saved_model",
    "check_tflite",
    "export",
    "export_saved_model",
    "export_tflite",
]

KINDS = ("tflite", "saved_model")


def export(model, path, kind, samples, *, image_size=None, bound=BOUND, overwrite=False):
    """Exports a network, compares the file with Keras on samples, and only then puts it in place.

    The file is made in a hidden folder beside `path` and renamed when it has passed. A failure
    leaves nothing behind, and an older export as it was. A folder cannot be replaced in one step:
    for the blink between two renames there is none at `path`.

    Args:
        model: `keras.Model` from `(batch, height, width, channels)`, or noise, to one tensor.
        path: the file (TFLite) or the folder (SavedModel); folders above are made if missing.
        kind: `"tflite"` or `"saved_model"`.
        samples: sequence of float32 images `(height, width, channels)`, all of `image_size` for
            TFLite, see `centred`; or of noise `(latents,)`.
        image_size: `(height, width)` of a TFLite file, by default that of the first sample; `()`
            for noise.
        bound: largest absolute error that is accepted.
        overwrite: whether an older export may be replaced.

    Returns:
        An `ExportCheck` that passed.

    Raises:
        ExportError: if the error is beyond the bound, or TFLite lacks an operation.
        RecipeError: if `path` exists already, or the network cannot take images of the size.
        MedganError: if the file cannot be written or the network has another form.
        ValueError: if the kind is unknown, there are no samples or their size is wrong.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from medgan.export import export
        >>> from medgan.networks import dense_fusion_generator
        >>> student = dense_fusion_generator(width=2)
        >>> images = np.random.default_rng(0).uniform(size=(1, 32, 32, 2)).astype("float32")
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> check = export(student, folder / "student_saved_model", "saved_model", images)
        >>> check.passed, [entry.name for entry in folder.iterdir()]
        (True, ['student_saved_model'])
    """
    path = pathlib.Path(path)
    refuse_existing(path, kind, overwrite)
    input_shape(model)
    if len(samples) == 0:
        raise ValueError("Received no samples, expected at least one image to compare on.")
    if image_size is None:
        image_size = samples[0].shape[:-1]
    import tensorflow as tf

    with _folders_above(path):
        try:
            with tempfile.TemporaryDirectory(
                prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
            ) as folder:
                made = pathlib.Path(folder) / path.name
                if kind == "tflite":
                    export_tflite(model, made, image_size)
                    check = check_tflite(made, model, samples, bound)
                else:
                    export_saved_model(model, made)
                    check = check_saved_model(made, model, samples, bound)
                if not check.passed:
                    raise ExportError(_beyond(check, path))
                _put_in_place(made, path)
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or _reason(error)
            raise MedganError(
                f"Cannot write {path}: {reason}. Free space or choose another --output."
            ) from error
    return check


def export_saved_model(model, path):
    """Writes a TensorFlow SavedModel for any batch and, where the network allows, any size.

    Args:
        model: `keras.Model` from `(batch, height, width, channels)` to one tensor.
        path: folder to write.

    Raises:
        MedganError: if the network has another form.

    Example:
        >>> import pathlib, tempfile
        >>> import tensorflow as tf
        >>> from medgan.export import export_saved_model
        >>> from medgan.networks import dense_fusion_generator
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "student"
        >>> export_saved_model(dense_fusion_generator(width=2), path)
        >>> serve = tf.saved_model.load(path).signatures["serving_default"]
        >>> serve(images=tf.zeros((3, 20, 30, 2)))["image"].shape
        TensorShape([3, 20, 30, 1])
    """
    _save(model, path, (None, *input_shape(model)))


def export_tflite(model, path, image_size=(256, 256)):
    """Writes a float32 TFLite file for one image of one size, of built-in operations only.

    Args:
        model: `keras.Model` from `(batch, height, width, channels)` to one tensor.
        path: file to write.
        image_size: `(height, width)`; `()` for a network that takes noise.

    Raises:
        ExportError: if TFLite lacks an operation (the message names it), or the network computes
            in mixed precision.
        RecipeError: if the network cannot take images of the size.
        MedganError: if the network has another form.

    Example:
        >>> import pathlib, tempfile
        >>> from medgan.export import export_tflite
        >>> from medgan.networks import dense_fusion_generator
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "student.tflite"
        >>> export_tflite(dense_fusion_generator(width=2), path, image_size=(32, 32))
        >>> path.read_bytes()[4:8]
        b'TFL3'
    """
    import tensorflow as tf

    path = pathlib.Path(path)
    shape = (1, *image_size, input_shape(model)[-1])
    other = {layer.compute_dtype for layer in model.layers} - {"float32"}
    if other:
        raise ExportError(
            f"The network {model.name!r} computes in {', '.join(sorted(other))}, expected float32. "
            "Build it with dtype float32 and give it the same weights, or export a SavedModel."
        )
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        with size_errors(model, image_size):
            model(np.zeros(shape, "float32"), training=False)
        _save(model, folder, shape)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = converter.convert()
        except OSError:
            raise
        except Exception as error:  # ConverterError has no public name
            raise ExportError(_unconverted(model, str(error))) from error
    path.write_bytes(content)


def input_shape(model):
    """`(height, width, channels)` of what a network takes; None where any size will do.

    Of a network that takes noise it is `(latents,)`.

    Raises:
        MedganError: if the network has not one input of rank 4 or 2 with known channels and one
            output.
    """
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    outputs = len(getattr(model, "outputs", None) or ())
    if len(shapes) != 1 or outputs != 1 or len(shapes[0]) not in (2, 4) or shapes[0][-1] is None:
        raise MedganError(
            f"The network {model.name!r} takes {shapes or 'unknown shapes'} and gives {outputs} "
            "tensors, expected one input (batch, height, width, channels) or (batch, latents) and "
            "one output. Wrap it in a functional keras.Model of that form."
        )
    return shapes[0][1:]


def refuse_existing(path, kind, overwrite=False):
    """Checks that an export of a kind may be put at a path.

    Raises:
        RecipeError: if something is there and `overwrite` is False, or it is no export of the kind.
        ValueError: if the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"Received kind={kind!r}, expected one of {', '.join(KINDS)}.")
    path = pathlib.Path(path)
    if not os.path.lexists(path):
        return
    replaceable = path.is_file() if kind == "tflite" else (path / "saved_model.pb").is_file()
    if not replaceable:
        expected = "a file" if kind == "tflite" else "a SavedModel folder"
        raise RecipeError(f"{path} exists and is not {expected}. Choose another --output.")
    if not overwrite:
        raise RecipeError(f"{path} exists; it is kept. Use --overwrite to replace it.")


def _save(model, path, shape):
    """Writes the network's inference for images of a shape as a SavedModel."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise MedganError(
            f"Received the Keras backend {keras.backend.backend()!r}, expected 'tensorflow'. "
            "Export with KERAS_BACKEND=tensorflow; the saved network is the same."
        )

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="images")])
    def serve(images):
        return {"image": tf.cast(model(images, training=False), tf.float32)}

    module = tf.Module()
    module.serve = serve
    module.network_variables = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: serve})


@contextlib.contextmanager
def _folders_above(path):
    """Makes the folders above a path; takes those that it made away again after a failure."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MedganError(
                f"Cannot write {path}: {error.strerror or error}. Choose another --output."
            ) from error
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _put_in_place(made, path):
    """Flushes what was made to the disk and renames it, in place of what is there."""
    for file in files_of(made):
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
    if not path.is_dir():
        os.replace(made, path)
        return
    old = made.with_name(f"{made.name}.old")
    os.replace(path, old)
    try:
        os.replace(made, path)
    except OSError:
        os.replace(old, path)
        raise


def _beyond(check, path):
    kept = "the old one is kept" if os.path.lexists(path) else "there is none in place"
    return (
        f"The export for {path} is not what Keras computes: received a largest error of "
        f"{check.largest_error:.3g} over {check.samples} images, expected at most {check.bound:g}; "
        f"{kept}. Look for layers that draw random numbers at inference, and for values that are "
        "not finite."
    )


def _unconverted(model, message):
    """One line about what the converter said in many."""
    named = [
        name.strip()
        for names in re.findall(r"^(?:Custom|Flex) ops: (.*)$", message, re.MULTILINE)
        for name in names.split(",")
    ]
    named = named or sorted(set(re.findall(r"'tf\.(\w+)' op is neither", message)))
    if not named:
        return f"TFLite cannot hold the network {model.name!r}: {first_line(message)}"
    return (
        f"TFLite has no built-in operation for {', '.join(named)} of the network {model.name!r}, "
        "expected built-in operations only. Replace the layers that use it, or export a SavedModel."
    )


def _reason(error):
    """The end of what TensorFlow says of a file: `{{node}} path: reason; path; reason [Op:...]`."""
    return re.sub(r"\s*\[Op:.*", "", first_line(error, 2000)).rpartition("; ")[-1][-200:]
