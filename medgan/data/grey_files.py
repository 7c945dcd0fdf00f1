"""Reads grey images of 8 or 16 bits, and refuses what OpenCV would read half."""

import contextlib
import pathlib
import zlib

import cv2
import numpy as np

from medgan.errors import DataError

GREY_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_LUMINANCE = np.array([0.114, 0.587, 0.299])  # of blue, green, red
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"


def read_grey(path: pathlib.Path, colour: str = "error") -> np.ndarray:
    """Returns the pixels of a grey PNG, TIFF or JPEG file.

    A file in colour counts as grey if its three channels are equal and nothing of it is
    transparent.

    Args:
        path: the file.
        colour: what to do with other files in colour: `"error"`, or `"luminance"` for the Y of
            YCbCr (ITU-R BT.601, full range), rounded to the depth of the file.

    Returns:
        uint8 or uint16 of shape `(height, width)`.

    Raises:
        DataError: if the file is damaged, cut short, coloured, transparent, a stack of
            pages, or has neither 8 nor 16 bits.
    """
    return as_grey(path, read_pixels(path), colour)


def read_pixels(path: pathlib.Path, types: tuple[str, ...] = ("uint8", "uint16")) -> np.ndarray:
    """Returns what a PNG, TIFF or JPEG file holds, grey or in colour.

    Args:
        path: the file.
        types: names of the types of pixels that are welcome.

    Returns:
        Array of shape `(height, width)` or, with channels in the order of OpenCV (blue first),
        `(height, width, channels)`.

    Raises:
        DataError: if the file is damaged, cut short, a stack of pages, or has other pixels.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); expected a readable image. Check its "
            "permissions, or remove it."
        ) from error
    fault = _fault(content)
    image = None if fault else _decode(content)
    if image is None:
        raise DataError(
            f"{path}: received {fault or 'an image that does not decode'}; expected a whole PNG, "
            "TIFF or JPEG file. Copy or convert it again, or remove it."
        )
    if content[:2] in (b"II", b"MM") and _pages(path) > 1:
        raise DataError(
            f"{path}: received a TIFF file of {_pages(path)} pages; expected one. Write "
            "each page to a file of its own."
        )
    if image.dtype.name not in types:
        raise DataError(
            f"{path}: received {image.dtype.name} pixels; expected 8 or 16 bits without a sign. "
            "Map the intensities to 0..65535 and save 16 bits."
        )
    return image


def is_coloured(image: np.ndarray) -> bool:
    """Whether an image has channels that differ; transparency is no colour."""
    if image.ndim == 2 or image.shape[2] < 3:
        return False
    first = image[..., 0]
    return not ((first == image[..., 1]).all() and (first == image[..., 2]).all())


def as_grey(path: pathlib.Path, image: np.ndarray, colour: str = "error") -> np.ndarray:
    """Returns the one channel that the pixels of a file stand for.

    Args:
        path: the file, for messages.
        image: `(height, width)` or `(height, width, channels)`, blue first.
        colour: as in `read_grey`.

    Returns:
        `(height, width)` of the same type.

    Raises:
        DataError: if the image is transparent, or coloured where that is an error.
    """
    if image.ndim == 2:
        return image
    opaque = 1.0 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    if image.shape[2] == 4 and (image[..., 3] != opaque).any():
        raise DataError(
            f"{path}: received an image with transparent pixels; expected an opaque grey image. "
            "Remove the alpha channel."
        )
    if is_coloured(image):
        if colour == "luminance":
            luminance = image[..., :3].astype("float64") @ _LUMINANCE
            return (luminance if image.dtype.kind == "f" else luminance.round()).astype(image.dtype)
        raise DataError(
            f"{path}: received an image in colour; expected grey. Convert it to grey, or for PET "
            "and SPECT pass the luminance."
        )
    return np.ascontiguousarray(image[..., 0])


def _decode(content):
    """Returns the decoded pixels, or None."""
    try:
        with _silent():
            return cv2.imdecode(np.frombuffer(content, "uint8"), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _pages(path):
    with _silent():
        return cv2.imcount(str(path))


@contextlib.contextmanager
def _silent():
    """Keeps OpenCV quiet: a DataError says it better, and once."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _fault(content):
    """Says what is wrong with the bytes, or returns None.

    Depending on its version OpenCV fills the missing part of a truncated PNG or JPEG with
    grey and reports success, so the end of the file is looked for here.
    """
    if not content:
        return "an empty file"
    if content.startswith(_PNG_SIGNATURE):
        return _png_fault(content)
    if content.startswith(_JPEG_SIGNATURE):
        # A thumbnail has an end marker too, but before the scan of the image begins.
        if content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
            return "a truncated JPEG file"
        return None
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    return "a file that is no PNG, TIFF or JPEG inside"


def _png_fault(content):
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(content):
            break
        stored = int.from_bytes(content[end : end + 4], "big")
        if zlib.crc32(content[position + 4 : end]) != stored:
            return "a PNG file with a wrong checksum"
        if content[position + 4 : position + 8] == b"IEND":
            return None
        position = end + 4
    return "a truncated PNG file"
