"""Registered pairs of images in memory, with the patient that each belongs to."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from medgan.errors import DataError

# What each stored type must be divided by to lie in [0, 1].
FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Two registered images of the same slice, many times over.

    Images stay in the type that they were stored in, because 8 bits take a quarter of the
    memory of float32; `image` and the batches of `medgan.data` give float32 in [0, 1].

    Args:
        names: one unique name for each pair, like that of a file: `"2004.png"`.
        patients: the patient of each pair; a split never divides a patient.
        images: arrays of shape `(height, width, 2)`, uint8, uint16, or float32 in [0, 1].
            Channel 0 is the first modality, channel 1 the second. Sizes may differ.
        modalities: what the two channels are called.

    Raises:
        DataError: if the parts differ in length, a name repeats, or an image has another
            shape, type or range.

    Example:
        >>> import numpy as np
        >>> from medgan.data import Pairs
        >>> slices = tuple(np.full((4, 6, 2), value, "uint8") for value in (0, 255))
        >>> pairs = Pairs(("a.png", "b.png"), ("1", "2"), slices)
        >>> len(pairs), pairs.image(1).max().item(), pairs.of_patients(["2"]).names
        (2, 1.0, ('b.png',))
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    modalities: tuple[str, str] = ("CT", "MR")

    def __post_init__(self):
        """Checks every part."""
        for field in ("names", "patients", "images", "modalities"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not len(self.names) == len(self.patients) == len(self.images):
            raise DataError(
                f"Received {len(self.names)} names, {len(self.patients)} patients and "
                f"{len(self.images)} images; expected as many of each."
            )
        if len(self.modalities) != 2 or self.modalities[0] == self.modalities[1]:
            raise DataError(
                f"Received the modalities {self.modalities}; expected two different names, "
                'such as ("CT", "MR").'
            )
        seen = set()
        for name, patient, image in zip(self.names, self.patients, self.images, strict=True):
            if not (isinstance(name, str) and name and isinstance(patient, str) and patient):
                raise DataError(
                    f"Received the name {name!r} with the patient {patient!r}; expected two "
                    "strings that are not empty."
                )
            if name in seen:
                raise DataError(f"Received the name {name!r} twice; expected unique names.")
            seen.add(name)
            _check_image(name, image)

    def __len__(self) -> int:
        """Returns the number of pairs."""
        return len(self.names)

    def image(self, index: int) -> np.ndarray:
        """Returns one pair as float32 `(height, width, 2)` in [0, 1]."""
        image = self.images[index]
        return image.astype("float32") / np.float32(FULL_SCALE[image.dtype.name])

    def select(self, indices: Iterable[int]) -> "Pairs":
        """Returns the pairs at `indices`, in that order; the pixels are shared, not copied."""
        chosen = [int(index) for index in indices]
        return Pairs(
            tuple(self.names[index] for index in chosen),
            tuple(self.patients[index] for index in chosen),
            tuple(self.images[index] for index in chosen),
            self.modalities,
        )

    def of_patients(self, patients: Iterable[str]) -> "Pairs":
        """Returns the pairs of these patients, in the order that they have here.

        Raises:
            DataError: if one of them has no image here.
        """
        wanted = set(patients)
        there = set(self.patients)
        if wanted - there:
            raise DataError(
                f"Received the patients {', '.join(map(repr, sorted(wanted - there)))}, who have "
                f"no images; expected some of {', '.join(sorted(there)) or 'no one'}."
            )
        return self.select(
            index for index, patient in enumerate(self.patients) if patient in wanted
        )

    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Returns `(height, width)` of every pair."""
        return tuple(image.shape[:2] for image in self.images)


def _check_image(name, image):
    shape = getattr(image, "shape", None)
    if not isinstance(image, np.ndarray) or image.ndim != 3 or shape[2] != 2 or 0 in shape:
        raise DataError(
            f"{name}: received {type(image).__name__} of shape {shape}; expected a NumPy array "
            "of shape (height, width, 2), one channel for each modality."
        )
    if image.dtype.name not in FULL_SCALE:
        raise DataError(
            f"{name}: received {image.dtype.name} pixels; expected uint8, uint16, or float32 "
            "in [0, 1]. Rescale the image to one of them."
        )
    # Written so that NaN, which compares false with everything, is refused as well.
    if image.dtype.name == "float32" and not (image.min() >= 0 and image.max() <= 1):
        raise DataError(
            f"{name}: received float32 pixels from {image.min():g} to {image.max():g}; expected "
            "[0, 1]. Subtract the minimum and divide by the range."
        )
