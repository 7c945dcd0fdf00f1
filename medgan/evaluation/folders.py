"""Folders of images that anybody made, read one at a time and never trusted."""

import pathlib

import numpy as np

from medgan.data.grey_files import GREY_EXTENSIONS, as_grey, is_coloured, read_pixels
from medgan.data.pairs import FULL_SCALE
from medgan.errors import DataError

WELCOME = ("uint8", "uint16", "float32", "float64")
DEPTHS = {"uint8": "8 bits", "uint16": "16 bits", "float32": "float"}
ROUNDING = 1e-6


class UnusableImage(DataError):
    """One image that is left out for one method, while everything else goes on.

    Args:
        name: name of its file.
        whose: the method or folder that goes without it.
        reason: what was received, what was expected, what to do.
    """

    def __init__(self, name, whose, reason):
        super().__init__(f"{name} ({whose}): {' '.join(str(reason).split())}")


class Problems:
    """Images that were left out, a line each.

    Args:
        strict: whether the first of them is an error.

    Attributes:
        lines: the lines so far.
    """

    def __init__(self, strict=False):
        self.strict = strict
        self.lines = []

    def add(self, error):
        """Adds an `UnusableImage`; raises it if strict."""
        if self.strict:
            raise error
        self.lines.append(str(error))


class ImageFolder:
    """The images of one folder by the stems of their names.

    Files of 8 or 16 bits are divided by their own full scale, float TIFF files are taken as they
    are, and colour becomes luminance; what was unusual is remembered for `notes`. Hidden files and
    other kinds of files are left out.

    Args:
        title: what messages call the folder, such as the name of a method.
        folder: its path; `~` is expanded.

    Attributes:
        files: stem to path.
        twice: stem to the paths of several files of that stem, which are not in `files`.

    Raises:
        DataError: if there is no such folder, or no image in it.
    """

    def __init__(self, title, folder):
        self.title = title
        self.path = pathlib.Path(folder).expanduser()
        if not self.path.is_dir():
            raise DataError(
                f"{self.path}: received no such folder for {title}; expected a folder of images. "
                "Check the path."
            )
        found = {}
        for path in sorted(self.path.iterdir()):
            visible = not path.name.startswith(".") and path.is_file()
            if visible and path.suffix.lower() in GREY_EXTENSIONS:
                found.setdefault(path.stem, []).append(path)
        self.files = {stem: paths[0] for stem, paths in found.items() if len(paths) == 1}
        self.twice = {stem: paths for stem, paths in found.items() if len(paths) > 1}
        if not found:
            raise DataError(
                f"{self.path}: received no image for {title}; expected PNG, TIFF or JPEG files. "
                "Check the path."
            )
        self._coloured = set()
        self._depths = {}  # stem to the name of its type
        self._brightest = {}  # name of a type to its largest value

    def read(self, stem):
        """Returns one image as float32 `(height, width)` in [0, 1].

        Raises:
            UnusableImage: if the file is damaged or transparent, or its values are not in [0, 1].
        """
        path = self.files[stem]
        try:
            pixels = read_pixels(path, WELCOME)
            if pixels.dtype.kind == "f":
                pixels = pixels.astype("float32")
                check_range(pixels)
            image = as_grey(path, pixels, "luminance")
        except DataError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise UnusableImage(path.name, self.title, reason) from error
        kind = image.dtype.name
        if is_coloured(pixels):
            self._coloured.add(stem)
        self._depths[stem] = kind
        self._brightest[kind] = max(self._brightest.get(kind, 0), image.max())
        return np.clip(image.astype("float32") / np.float32(FULL_SCALE[kind]), 0, 1)

    @property
    def depths(self):
        """Names of the types of the images read so far."""
        return set(self._depths.values())

    def notes(self):
        """One sentence for everything unusual about the images read so far."""
        count = len(self._depths)
        if self._coloured:
            yield (
                f"{self.title}: {len(self._coloured)} of {count} images are in colour; their "
                "luminance (YCbCr, ITU-R BT.601) is scored."
            )
        brightest = self._brightest.get("uint16")
        if brightest is not None and brightest < 4096:
            yield (
                f"{self.title}: the brightest of its 16-bit values is {brightest} of 65535, so the "
                "images are nearly black; multiply 12-bit values by 16 before saving."
            )
        if self._brightest.get("uint8") == 1:
            yield (
                f"{self.title}: the brightest of its 8-bit values is 1 of 255, so the images are "
                "nearly black; multiply values in [0, 1] by 255 before saving."
            )


def check_finite(pixels):
    """Refuses pixels that are NaN or infinite.

    Raises:
        DataError: if there are such pixels.
    """
    broken = int((~np.isfinite(pixels)).sum())
    if broken:
        raise DataError(
            f"received {broken} of {pixels.size} pixels that are NaN or infinite; expected finite "
            "values. Replace them, or save 8 or 16 bits."
        )


def check_range(pixels):
    """Refuses pixels that are not finite or not in [0, 1].

    Raises:
        DataError: if there are such pixels.
    """
    check_finite(pixels)
    low, high = pixels.min(), pixels.max()
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise DataError(
            f"received float values from {low:g} to {high:g}; expected [0, 1]. Divide by their "
            "full scale and clip, or save 8 or 16 bits."
        )


def depth_note(folders):
    """Says so where images of several depths meet; None where all are alike."""
    kinds = {}
    for folder in folders:
        for kind in folder.depths:
            kinds.setdefault(kind, []).append(folder.title)
    if len(kinds) < 2:
        return None
    said = "; ".join(
        f"{DEPTHS[kind]}: {', '.join(titles)}" for kind, titles in sorted(kinds.items())
    )
    return f"Depths differ ({said}); each image is divided by its own full scale."
