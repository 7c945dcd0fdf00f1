"""What an exported file is worth: its error against Keras, its size and its speed."""

import contextlib
import dataclasses
import math
import pathlib

import numpy as np

from medgan.errors import ExportError, RecipeError
from medgan.latency import median_milliseconds

BOUND = 1e-3
THREADS = 2
SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class ExportCheck:
    """How an exported file compares with the Keras network that it was made from.

    Attributes:
        largest_error: largest absolute difference of a pixel over all samples; NaN counts as
            infinite.
        mean_error: mean absolute difference.
        bytes: size of the file, or of all files of a folder.
        milliseconds: median time of the exported file for the first sample alone; TFLite on two
            threads of the CPU, a SavedModel as TensorFlow sees fit.
        samples: number of images compared.
        bound: largest error that is accepted.
    """

    largest_error: float
    mean_error: float
    bytes: int
    milliseconds: float
    samples: int
    bound: float

    @property
    def passed(self):
        """Whether the largest error is within the bound."""
        return self.largest_error <= self.bound


def check_saved_model(path, model, samples, bound=BOUND):
    """Compares a SavedModel with the Keras network on every sample.

    Args:
        path: folder of the SavedModel.
        model: the `keras.Model` that it was made from.
        samples: sequence of float32 images `(height, width, channels)`, or of noise `(latents,)`;
            sizes may differ.
        bound: largest absolute error that is accepted.

    Returns:
        An `ExportCheck`.

    Raises:
        ValueError: if there are no samples.
    """
    import tensorflow as tf

    serve = tf.saved_model.load(str(path)).signatures[SIGNATURE]

    def run(image):
        return serve(images=tf.constant(image[None]))["image"].numpy()

    return _compare(path, run, model, samples, bound)


def check_tflite(path, model, samples, bound=BOUND):
    """Compares a TFLite file, run by LiteRT on two threads, with the Keras network.

    Args:
        path: TFLite file.
        model: the `keras.Model` that it was made from.
        samples: sequence of float32 images `(height, width, channels)` of the file's size, or of
            noise `(latents,)`.
        bound: largest absolute error that is accepted.

    Returns:
        An `ExportCheck`.

    Raises:
        ExportError: if LiteRT cannot run the file.
        ValueError: if there are no samples or one has another size.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from medgan.export import check_tflite, export_tflite
        >>> from medgan.networks import dense_fusion_generator
        >>> student = dense_fusion_generator(width=2)
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "student.tflite"
        >>> export_tflite(student, path, image_size=(32, 32))
        >>> check_tflite(path, student, np.zeros((2, 32, 32, 2), "float32")).largest_error
        0.0
    """
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=THREADS)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"LiteRT cannot run {path}: {first_line(error)}") from error
    entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    expected = tuple(entry["shape"].tolist()[1:])

    def run(image):
        if image.shape != expected:
            raise ValueError(
                f"Received a sample of shape {image.shape}, expected {expected} as {path} takes "
                "it. Crop or pad it with medgan.export.centred."
            )
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        return interpreter.get_tensor(exit_["index"])

    # The processor's float32 on both sides: a GPU's shorter TF32 is no fault of the file.
    with tf.device("/CPU:0"):
        return _compare(path, run, model, samples, bound)


def centred(image, image_size):
    """The middle of an image, cropped or padded by reflection to a size.

    Args:
        image: `(height, width, channels)`.
        image_size: wanted `(height, width)`.

    Returns:
        `(*image_size, channels)`; the image itself where it has that size.

    Example:
        >>> import numpy as np
        >>> from medgan.export import centred
        >>> centred(np.arange(6.0).reshape(2, 3, 1), (2, 5))[0, :, 0].tolist()
        [1.0, 0.0, 1.0, 2.0, 1.0]
        >>> centred(np.arange(6.0).reshape(2, 3, 1), (2, 1))[0, :, 0].tolist()
        [1.0]
    """
    for axis, wanted in enumerate(image_size):
        spare = image.shape[axis] - wanted
        if spare > 0:
            image = np.take(image, range(spare // 2, spare // 2 + wanted), axis)
        elif spare < 0:
            sides = [(0, 0)] * image.ndim
            sides[axis] = (-spare // 2, -spare - (-spare // 2))
            image = np.pad(image, sides, mode="reflect")
    return image


def _compare(path, run, model, samples, bound):
    """Measures an exported file, called by `run` on one image, against Keras."""
    if len(samples) == 0:
        raise ValueError("Received no samples, expected at least one image to compare on.")
    largest, total, pixels = 0.0, 0.0, 0
    for index in range(len(samples)):
        image = np.asarray(samples[index], "float32")
        with size_errors(model, image.shape[:-1]):
            expected = np.asarray(model(image[None], training=False), "float32")
        received = run(image)
        if received.shape != expected.shape:
            largest = math.inf
            break
        with np.errstate(invalid="ignore"):
            error = np.abs(received - expected)
        error[np.isnan(error)] = math.inf
        largest = max(largest, float(error.max()))
        total += float(error.sum(dtype="float64"))
        pixels += error.size
    first = np.asarray(samples[0], "float32")
    return ExportCheck(
        largest_error=largest,
        mean_error=total / pixels if math.isfinite(largest) else math.inf,
        bytes=sum(file.stat().st_size for file in files_of(path)),
        milliseconds=median_milliseconds(lambda: run(first)),
        samples=len(samples),
        bound=bound,
    )


@contextlib.contextmanager
def size_errors(model, image_size):
    """Says in one line that a network cannot take images of a size."""
    import tensorflow as tf

    try:
        yield
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        size = "x".join(map(str, image_size))
        raise RecipeError(
            f"The network {model.name!r} cannot take images of {size} pixels: "
            f"{first_line(error)} Choose another size."
        ) from error


def files_of(path):
    """The file itself, or all files of a folder."""
    path = pathlib.Path(path)
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def first_line(error, longest=200):
    """The first line of a message that has words, cut where it runs on."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")
    return line if len(line) <= longest else f"{line[:longest]}..."
