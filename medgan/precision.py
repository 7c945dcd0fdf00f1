"""Which numbers a training computes in: float32, or half as wide where the GPU is made for it."""

import contextlib

import keras

from medgan.errors import RecipeError

WORDS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
# First compute capability whose tensor cores multiply that type.
FLOAT16_CAPABILITY = 7.0
BFLOAT16_CAPABILITY = 8.0


def choose(precision="auto"):
    """Chooses the Keras dtype policy to train with.

    Weights are float32 under each of them. bfloat16 has the range of float32 and needs no loss
    scaling, so it comes first where there is a choice. Of several GPUs the oldest decides, for
    all of them take the same step.

    Args:
        precision: `float32`, `mixed_float16` or `mixed_bfloat16`, taken as it is, or `auto`:
            bfloat16 on GPUs of compute capability 8.0 or more, float16 from 7.0 on, else float32.

    Returns:
        Name of a dtype policy.

    Raises:
        RecipeError: for another word.

    Example:
        >>> from medgan import precision
        >>> precision.choose("mixed_float16")
        'mixed_float16'
    """
    if precision not in WORDS:
        raise RecipeError(
            f"precision: received {precision!r}, expected one of {', '.join(WORDS)}. "
            "Set training.precision."
        )
    if precision != "auto":
        return precision
    capabilities = [_number(gpu["compute_capability"]) for gpu in gpus()]
    oldest = min(capabilities, default=0.0)
    if oldest >= BFLOAT16_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if oldest >= FLOAT16_CAPABILITY else "float32"


@contextlib.contextmanager
def policy(name):
    """Layers made inside compute under a dtype policy; after it the old policy is back.

    Args:
        name: name of a Keras dtype policy.

    Example:
        >>> import keras
        >>> from medgan import precision
        >>> with precision.policy("mixed_bfloat16"):
        ...     keras.layers.Dense(1).compute_dtype
        'bfloat16'
        >>> keras.layers.Dense(1).compute_dtype
        'float32'
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def gpus():
    """What the backend knows of the GPUs that it would compute on.

    Returns:
        A list of dicts of `name` and `compute_capability`, a text such as `9.0` or None.
    """
    if keras.backend.backend() == "jax":
        return _gpus_of_jax()
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        capability = details.get("compute_capability")
        found.append(
            {
                "name": details.get("device_name", device.name),
                "compute_capability": capability and ".".join(str(part) for part in capability),
            }
        )
    return found


def _gpus_of_jax():
    import jax

    found = [device for device in jax.devices() if device.platform in ("gpu", "cuda", "rocm")]
    return [
        {
            "name": device.device_kind,
            "compute_capability": getattr(device, "compute_capability", None),
        }
        for device in found
    ]


def _number(capability):
    """A capability as a number; 0 where the backend does not tell it, or it is no such number."""
    try:
        return float(capability)
    except (TypeError, ValueError):
        return 0.0
