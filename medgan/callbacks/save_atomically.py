"""A `.keras` file that is whole or not there."""

import contextlib
import os
import pathlib

from medgan.errors import MedganError


def save_atomically(model, path, previous=None):
    """Saves a Keras model so that the file at `path` is the old one or the whole new one.

    Args:
        model: `keras.Model`.
        path: `.keras` file; its folder is made if missing.
        previous: words for what `path` holds now, for the error message.

    Raises:
        MedganError: if the file cannot be written.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.part.keras")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(temporary)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        kept = (
            f"{path} still holds {previous or 'the last checkpoint'}"
            if path.exists()
            else "nothing was saved before"
        )
        reason = error.strerror or error
        raise MedganError(
            f"Cannot save {path}: {reason}; {kept}. Free space or choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where there is no folder, nothing was written
            temporary.unlink()
