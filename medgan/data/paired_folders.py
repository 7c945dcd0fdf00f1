"""Pairs from two folders of images, matched by the names of the files."""

import logging
import pathlib
import re

import numpy as np

from medgan.data.grey_files import GREY_EXTENSIONS, read_grey
from medgan.data.pairs import Pairs
from medgan.errors import DataError

_logger = logging.getLogger(__name__)


def paired_folders(
    root: str | pathlib.Path,
    first: str = "CT",
    second: str = "MRI",
    patient: str = r"(\d+)\d{3}$",
    on_missing: str = "error",
) -> Pairs:
    """Reads the registered images `root/first/NAME.*` and `root/second/NAME.*`.

    Grey PNG, TIFF and JPEG files of 8 or 16 bits are read; the two files of a pair may
    differ in extension and in depth, in which case 8 bits are widened to 16. Hidden files
    and other kinds of files are left out.

    Args:
        root: the folder that holds the two; `~` is expanded.
        first: the folder of the first modality, also its name.
        second: the folder of the second modality, also its name.
        patient: a regular expression that is searched in the name without extension; its
            first group is the patient. The default takes all but the last three digits:
            `20011.png` is slice 011 of patient 20.
        on_missing: `"error"`, or `"skip"` to leave out files without a partner.

    Returns:
        `Pairs` in the natural order of the names (`slice_2` before `slice_10`), called
        like the files of the first modality.

    Raises:
        DataError: if a folder is missing or empty, a file has no partner, is damaged or
            coloured, the sizes in a pair differ, or a name does not tell the patient.

    Example:
        >>> import pathlib, tempfile
        >>> import cv2
        >>> from medgan.data import paired_folders, phantoms
        >>> root, brain = pathlib.Path(tempfile.mkdtemp()), phantoms(2, 1, image_size=32)
        >>> for channel, folder in enumerate(("CT", "MRI")):
        ...     (root / folder).mkdir()
        ...     for name, image in zip(brain.names, brain.images):
        ...         _ = cv2.imwrite(str(root / folder / name), image[..., channel])
        >>> paired_folders(root, patient="(p[0-9]+)").patients
        ('p00', 'p00')
    """
    if on_missing not in ("error", "skip"):
        raise DataError(f'Received on_missing={on_missing!r}; expected "error" or "skip".')
    if first == second:
        raise DataError(f"Received the folder {first!r} twice; expected two different folders.")
    expression = _compiled(patient)
    root = pathlib.Path(root).expanduser()
    if not root.is_dir():
        raise DataError(
            f"{root}: received no such folder; expected one that holds {first}/ and {second}/. "
            "Set data.root."
        )
    firsts = _files_by_stem(root, first)
    seconds = _files_by_stem(root, second)
    stems = _matched(firsts, seconds, root, first, second, on_missing)
    names, patients, images = [], [], []
    for stem in stems:
        patients.append(_patient_of(firsts[stem], expression))
        names.append(firsts[stem].name)
        images.append(_read_pair(firsts[stem], seconds[stem]))
    _warn_of_narrow_values(root, images)
    return Pairs(tuple(names), tuple(patients), tuple(images), (first, second))


def _compiled(patient):
    try:
        expression = re.compile(patient)
    except re.error as error:
        raise DataError(
            f"Received patient={patient!r}, which is no regular expression ({error}); expected "
            r"one such as '(\d+)\d{3}$'. Set data.patient."
        ) from error
    if expression.groups < 1:
        raise DataError(
            f"Received patient={patient!r} without a group; expected the patient in parentheses, "
            r"such as '(\d+)\d{3}$'. Set data.patient."
        )
    return expression


def _files_by_stem(root, modality):
    folder = root / modality
    if not folder.is_dir():
        there = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        raise DataError(
            f"{folder}: received no such folder, only {', '.join(there) or 'no folders'} in "
            f"{root}; expected a folder for each modality. Set data.first and data.second."
        )
    files, ignored = {}, []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_dir() or path.suffix.lower() not in GREY_EXTENSIONS:
            ignored.append(path.name)
        elif path.stem in files:
            raise DataError(
                f"{path}: received a second image of this name beside {files[path.stem].name}; "
                "expected one. Remove one of the two."
            )
        else:
            files[path.stem] = path
    if ignored:
        _logger.debug("%s: ignored %s", folder, ", ".join(ignored))
    if not files:
        there = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        raise DataError(
            f"{folder}: received {len(ignored)} files but no image; expected PNG, TIFF or JPEG "
            f"files. The folders in {root} are {', '.join(there)}."
        )
    return files


def _matched(firsts, seconds, root, first, second, on_missing):
    """Returns the stems that both folders have, in natural order."""
    lonely = sorted(
        [firsts[stem] for stem in firsts.keys() - seconds.keys()]
        + [seconds[stem] for stem in seconds.keys() - firsts.keys()]
    )
    stems = sorted(firsts.keys() & seconds.keys(), key=natural_order)
    if not stems:
        raise DataError(
            f"{root}: received no name that is in {first}/ and in {second}/ "
            f"({lonely[0].name}, for one, is in {lonely[0].parent.name}/ only); expected pairs "
            "of equal names. Rename the files."
        )
    if lonely and on_missing == "error":
        raise DataError(
            f"{lonely[0]}: received no partner of this name in the other folder ({len(lonely)} "
            f"such files, {len(stems)} pairs); expected pairs. Add it, or leave such files out "
            'with on_missing="skip" (command line: --set data.on_missing=skip).'
        )
    if lonely:
        _logger.warning(
            "%s: left out %d files without a partner, the first is %s; %d pairs remain.",
            root,
            len(lonely),
            lonely[0].name,
            len(stems),
        )
    return stems


def natural_order(stem):
    """Sorting key that puts `slice_2` before `slice_10`."""
    parts = re.split(r"(\d+)", stem)
    # The stem itself decides between names that read alike, such as 07 and 7.
    return [int(part) if part.isdecimal() else part.lower() for part in parts], stem


def _patient_of(path, expression):
    match = expression.search(path.stem)
    if match is None or not match.group(1):
        raise DataError(
            f"{path}: received a name in which {expression.pattern!r} finds no patient; expected "
            "the patient in its first group. Set data.patient to suit the names."
        )
    return match.group(1)


def _read_pair(first_path, second_path):
    images = [read_grey(first_path), read_grey(second_path)]
    if images[0].shape != images[1].shape:
        heights_widths = [" x ".join(map(str, image.shape)) for image in images]
        raise DataError(
            f"{second_path}: received {heights_widths[1]} pixels beside {heights_widths[0]} of "
            f"{first_path}; expected one size for a pair. Register and resample one to the other."
        )
    if images[0].dtype != images[1].dtype:
        # 255 * 257 = 65535: black stays black, white stays white, nothing is rounded.
        images = [
            image if image.dtype == np.uint16 else image.astype("uint16") * np.uint16(257)
            for image in images
        ]
    return np.stack(images, axis=-1)


def _warn_of_narrow_values(root, images):
    brightest = max((image.max() for image in images if image.dtype == np.uint16), default=65535)
    if brightest < 4096:
        _logger.warning(
            "%s: the brightest of the 16-bit values is %d of 65535, so the images are nearly "
            "black; stretch 12-bit values by 16 before saving.",
            root,
            brightest,
        )
