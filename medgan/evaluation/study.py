"""What methods are scored on: sources to fuse or targets to reach, with names and patients."""

import pathlib
import re

import numpy as np

from medgan.data.paired_folders import natural_order
from medgan.errors import DataError, RecipeError
from medgan.evaluation.folders import UnusableImage

DEFAULT_PATIENT = r"(\d+)\d{3}$"


class Study:
    """References by name and patient, in the natural order of the names.

    Args:
        names: one unique name per image.
        patients: the patient of each image, or None where nobody knows them.
        read: function from an index to the reference, float32 `(height, width, channels)` in
            [0, 1]; an `UnusableImage` leaves it out.
        titles: what the channels show.
        stems: names by which results are found; those of `names` by default.
        known: stems of all references there are, also of those that are left out here.
        folders: the `ImageFolder`s that are read from, for their notes.
        notes: sentences about how this study came about.
        inputs: function from an index to what methods compute from, float32 `(height, width,
            channels)`, where that is not the reference: the source of a translation. None where
            the references are the sources, as in a fusion.
        labels: function from an index to a map `(height, width)` of what every pixel shows, for
            phantoms; None where nobody knows.
    """

    def __init__(
        self,
        names,
        patients,
        read,
        titles,
        *,
        stems=None,
        known=(),
        folders=(),
        notes=(),
        labels=None,
        inputs=None,
    ):
        self.names = list(names)
        self.patients = None if patients is None else list(patients)
        self.read = read
        self.titles = list(titles)
        self.stems = [pathlib.PurePath(name).stem for name in names] if stems is None else stems
        self.known = {*self.stems, *known}
        self.folders = list(folders)
        self.notes = list(notes)
        self.labels = labels
        self.inputs = inputs

    def given(self, indices, references):
        """What methods compute from: the inputs of some images, else their references."""
        if self.inputs is None:
            return references
        return np.stack([self.inputs(index) for index in indices])

    def __len__(self):
        """Returns the number of images."""
        return len(self.names)


class Patients:
    """How names tell patients, and which of the patients are wanted.

    Args:
        pattern: regular expression that is searched in a name without extension, its first group
            is the patient; None for the default, all but the last three digits of a number.
        known: False where nobody shall ask for patients.
        wanted: patients to keep; None keeps all.

    Raises:
        RecipeError: if the pattern is no regular expression with a group, or contradicts.
    """

    def __init__(self, pattern=None, known=True, wanted=None):
        self.asked = pattern is not None
        self.known = known
        self.wanted = None if wanted is None else list(wanted)
        if not known and (self.asked or wanted):
            raise RecipeError("Received --no-patients beside patients, expected one or the other.")
        try:
            self.expression = re.compile(pattern if self.asked else DEFAULT_PATIENT)
        except re.error as error:
            raise RecipeError(
                f"Received --patient {pattern!r}, which is no regular expression ({error}); "
                r"expected one such as '(\d+)\d{3}$'."
            ) from error
        if self.expression.groups < 1:
            raise RecipeError(
                f"Received --patient {pattern!r} without a group; expected the patient in "
                r"parentheses, such as '(\d+)\d{3}$'."
            )

    def of(self, stem):
        """The patient that a name tells, or None."""
        match = self.expression.search(stem)
        return match.group(1) or None if match else None

    def divide(self, stems):
        """`(stems that are wanted, their patients or None, notes)`.

        Raises:
            DataError: if a name tells no patient though a pattern was given or patients were asked
                for, or if a patient has no image.
        """
        if not self.known:
            return list(stems), None, []
        told = {stem: self.of(stem) for stem in stems}
        silent = [stem for stem, patient in told.items() if patient is None]
        if silent and (self.asked or self.wanted):
            raise DataError(
                f"{silent[0]}: received a name in which {self.expression.pattern!r} finds no "
                "patient; expected the patient in its first group. Set --patient to suit the names."
            )
        if silent:
            note = (
                f"No patients: the name {silent[0]} tells none ({len(silent)} such names), so "
                "every image counts alike. Set --patient to suit the names."
            )
            return list(stems), None, [note]
        missing = [patient for patient in self.wanted or () if patient not in told.values()]
        if missing:
            there = ", ".join(dict.fromkeys(told.values()))
            raise DataError(f"Patient {missing[0]} has no images; expected some of {there}.")
        kept = [stem for stem in stems if not self.wanted or told[stem] in self.wanted]
        return kept, [told[stem] for stem in kept], []


def folder_study(folders, patients, problems):
    """A study of images in folders, one folder for each channel.

    Args:
        folders: `ImageFolder`s: first and second sources, or the targets alone.
        patients: `Patients`.
        problems: `Problems` that take what does not pair.

    Returns:
        `Study`, its images called like the files of the first folder.

    Raises:
        DataError: if no names pair.
    """
    common = set(folders[0].files)
    for folder in folders[1:]:
        common &= set(folder.files)
    if not common:
        examples = " and ".join(
            f"{next(iter([*folder.files, *folder.twice]))} in {folder.path}" for folder in folders
        )
        raise DataError(
            f"Received no name that all folders have ({examples}); expected equal names without "
            "extension. Rename the files."
        )
    stems, whose, notes = patients.divide(sorted(common, key=natural_order))
    for folder in folders:
        others = " and ".join(str(other.path) for other in folders if other is not folder)
        for stem in sorted({*folder.files, *folder.twice} - common, key=natural_order):
            if patients.wanted and patients.of(stem) not in patients.wanted:
                continue
            if stem in folder.twice:
                problems.add(several_files(stem, folder))
            elif not any(stem in other.twice for other in folders):
                reason = (
                    f"received no image of this name in {others}; expected pairs. Add it, or "
                    "remove this one."
                )
                problems.add(UnusableImage(folder.files[stem].name, folder.title, reason))
    names = [folders[0].files[stem].name for stem in stems]

    def read(index):
        channels = [folder.read(stems[index]) for folder in folders]
        for folder, channel in zip(folders, channels, strict=True):
            if channel.shape != channels[0].shape:
                reason = (
                    f"received {by(channel)} pixels beside {by(channels[0])} in "
                    f"{folders[0].title}; expected one size. Register and resample one to the "
                    "other."
                )
                raise UnusableImage(folder.files[stems[index]].name, folder.title, reason)
        return np.stack(channels, axis=-1)

    titles = [folder.title for folder in folders]
    known = {stem for folder in folders for stem in (*folder.files, *folder.twice)}
    return Study(names, whose, read, titles, stems=stems, known=known, folders=folders, notes=notes)


def several_files(stem, folder):
    """The `UnusableImage` of a stem that several files of a folder share."""
    paths = folder.twice[stem]
    listed = " and ".join(path.name for path in paths)
    reason = f"received {listed} of one name; expected one file. Remove the others."
    return UnusableImage(paths[0].name, folder.title, reason)


def by(image):
    """Height x width of an image in words."""
    return f"{image.shape[0]} x {image.shape[1]}"
