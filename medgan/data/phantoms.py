"""Paired CT and MR slices of invented heads, for first runs, tests and teaching."""

import cv2
import numpy as np

from medgan.data import phantom_anatomy as anatomy
from medgan.data.pairs import Pairs
from medgan.data.phantom_anatomy import Patient
from medgan.data.phantom_drawing import Grid
from medgan.errors import DataError

# Drawn at about this many pixels whatever the size of the result: one head, many samplings.
_DRAWING_SIZE = 512
SMALLEST_IMAGE = 32

# Grey levels before noise. Air, fat and bone lie outside the window of the CT, as they do
# in Hounsfield units, so that partial volumes at their borders come out as in the clinic.
_CT = {
    anatomy.BACKGROUND: -700,
    anatomy.SKIN: 85,
    anatomy.FAT: -80,
    anatomy.MUSCLE: 132,
    anatomy.BONE: 900,
    anatomy.MARROW: 480,
    anatomy.CSF: 36,
    anatomy.GREY_MATTER: 116,
    anatomy.WHITE_MATTER: 99,
    anatomy.DEEP_GREY_MATTER: 114,
    anatomy.DURA: 140,
    anatomy.CALCIFICATION: 420,
    anatomy.AIR: -700,
    anatomy.HEAD_REST: 420,
}
_MR_T2 = {
    anatomy.BACKGROUND: 0,
    anatomy.SKIN: 62,
    anatomy.FAT: 118,
    anatomy.MUSCLE: 38,
    anatomy.BONE: 6,
    anatomy.MARROW: 48,
    anatomy.CSF: 222,
    anatomy.GREY_MATTER: 122,
    anatomy.WHITE_MATTER: 82,
    anatomy.DEEP_GREY_MATTER: 102,
    anatomy.DURA: 18,
    anatomy.CALCIFICATION: 40,
    anatomy.AIR: 0,
    anatomy.HEAD_REST: 0,
    anatomy.OEDEMA: 196,
}
_MR_T1 = _MR_T2 | {
    anatomy.SKIN: 95,
    anatomy.FAT: 225,
    anatomy.MUSCLE: 70,
    anatomy.MARROW: 120,
    anatomy.CSF: 24,
    anatomy.GREY_MATTER: 92,
    anatomy.WHITE_MATTER: 134,
    anatomy.DEEP_GREY_MATTER: 104,
    anatomy.OEDEMA: 62,
}
_MR_PROTON_DENSITY = _MR_T2 | {
    anatomy.SKIN: 80,
    anatomy.FAT: 185,
    anatomy.MARROW: 85,
    anatomy.CSF: 88,
    anatomy.GREY_MATTER: 138,
    anatomy.WHITE_MATTER: 112,
    anatomy.DEEP_GREY_MATTER: 118,
    anatomy.OEDEMA: 205,
}
_MR_WEIGHTINGS = (_MR_T2, _MR_T1, _MR_PROTON_DENSITY)
_CT_BLEED = 205


def phantoms(count: int = 300, patients: int = 30, image_size: int = 256, seed: int = 0) -> Pairs:
    """Draws registered brain CT and MR slices of invented patients.

    They have what makes fusion hard: a skull that only CT shows bright, folded grey and
    white matter that only MR tells apart, in most patients a bleed that only CT shows and
    an oedema that only MR shows, and the noise of either scanner. Slices of a patient run
    from the third ventricle to the vertex and change smoothly. Heads, windows of the CT
    and weightings of the MR (T2, T1, proton density) differ between patients.

    A patient follows from `seed` and its number alone: with the same number of slices for
    each patient, fewer patients are the first ones of more. A smaller `image_size` samples
    the same heads more coarsely.

    Args:
        count: number of pairs, spread over the patients as evenly as possible.
        patients: number of patients.
        image_size: height and width in pixels, 32 or more.
        seed: 0 or more; another seed invents other patients.

    Returns:
        `Pairs` of uint8 images `(image_size, image_size, 2)`, CT first, sorted by patient
        and slice; names are like `p07_slice_03.png`, patients like `p07`. Outside head and
        head rest both channels are exactly 0.

    Raises:
        DataError: if an argument is too small.

    Example:
        >>> from medgan.data import phantoms
        >>> pairs = phantoms(count=4, patients=2, image_size=64)
        >>> pairs.names[1], pairs.patients[1], pairs.images[1].shape
        ('p00_slice_01.png', 'p00', (64, 64, 2))
    """
    names, owners, images = [], [], []
    for drawing in _drawings(count, patients, image_size, seed):
        generator = np.random.default_rng([seed, drawing.patient, 1 + drawing.position])
        channels = [
            drawing.examination.ct(drawing, generator),
            drawing.examination.mr(drawing, generator),
        ]
        names.append(f"p{drawing.patient:02d}_slice_{drawing.position:02d}.png")
        owners.append(f"p{drawing.patient:02d}")
        images.append(np.rint(np.stack(channels, axis=-1)).astype("uint8"))
    return Pairs(tuple(names), tuple(owners), tuple(images), ("CT", "MR"))


def phantom_labels(
    count: int = 300, patients: int = 30, image_size: int = 256, seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Returns what every pixel of the phantoms shows, for the same arguments.

    Args:
        count: as for `phantoms`, and so are the others.
        patients: number of patients.
        image_size: height and width in pixels.
        seed: 0 or more.

    Returns:
        For each pair a uint8 map `(image_size, image_size)` of the constants in
        `medgan.data.phantom_anatomy`: `BONE`, `GREY_MATTER`, `BLEED`, `OEDEMA` and so on.

    Raises:
        DataError: if an argument is too small.

    Example:
        >>> from medgan.data import phantom_anatomy, phantom_labels
        >>> labels = phantom_labels(count=1, patients=1, image_size=64)[0]
        >>> bool((labels == phantom_anatomy.BONE).any())
        True
    """
    return tuple(drawing.sampled for drawing in _drawings(count, patients, image_size, seed))


class _Drawing:
    """One slice as drawn, several times finer than the image, and its sampled labels."""

    def __init__(self, patient, position, examination, tissue, factor):
        self.patient, self.position, self.examination = patient, position, examination
        self.labels, self.bleed, self.oedema = tissue
        self.factor = factor
        every = slice(factor // 2, None, factor)
        self.sampled = self.labels[every, every].copy()
        self.sampled[self.oedema[every, every] > 0] = anatomy.OEDEMA
        self.sampled[self.bleed[every, every] > 0] = anatomy.BLEED

    def painted(self, levels):
        table = np.zeros(len(anatomy.LABELS), "float32")
        table[list(levels)] = list(levels.values())
        return table[self.labels]

    def seen_by_scanner(self, painted, blur):
        """Blurs by a share of an image pixel and averages down to image pixels."""
        painted = cv2.GaussianBlur(painted, (0, 0), blur * self.factor)
        size = self.sampled.shape[::-1]
        return cv2.resize(painted, size, interpolation=cv2.INTER_AREA)


class _Examination:
    """How the scanners were set for one patient."""

    def __init__(self, generator):
        self.ct_shift = generator.uniform(-18, 18)
        self.ct_contrast = generator.uniform(0.9, 1.2)
        self.ct_noise = generator.uniform(7, 13)
        self.mr_levels = _MR_WEIGHTINGS[generator.choice(3, p=(0.55, 0.25, 0.2))]
        self.mr_gain = generator.uniform(0.85, 1.1)
        self.mr_noise = generator.uniform(2.5, 5)
        self.coil = generator.standard_normal((4, 4), dtype="float32")

    def ct(self, drawing, generator):
        painted = drawing.painted(_CT)
        painted += drawing.bleed * (_CT_BLEED - painted)
        painted = (painted - 105) * np.float32(self.ct_contrast) + np.float32(105 + self.ct_shift)
        image = drawing.seen_by_scanner(painted, 0.55)
        noise = generator.standard_normal(image.shape, dtype="float32")
        # Reconstruction correlates the noise of neighbours.
        image += np.float32(self.ct_noise) * cv2.GaussianBlur(noise, (0, 0), 0.5)
        image[drawing.sampled == anatomy.BACKGROUND] = 0
        return np.clip(image, 0, 255)

    def mr(self, drawing, generator):
        painted = drawing.painted(self.mr_levels)
        # Oedema seeps: it has no edge. Its blur is that of a pixel of 256.
        blur = 1.5 * len(painted) / 256
        seeping = cv2.GaussianBlur(drawing.oedema.astype("float32"), (0, 0), blur)
        painted += seeping * (self.mr_levels[anatomy.OEDEMA] - painted)
        image = drawing.seen_by_scanner(painted * np.float32(self.mr_gain), 0.5)
        coil = cv2.resize(self.coil, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
        # Tissue is never as even as its label.
        texture = generator.standard_normal((40, 40), dtype="float32")
        texture = cv2.resize(texture, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
        image *= np.exp(np.float32(0.09) * coil + np.float32(0.03) * texture)
        # The magnitude of a complex signal with Gaussian noise in both parts: Rician.
        noise = generator.standard_normal((2, *image.shape), dtype="float32")
        noise *= np.float32(self.mr_noise)
        image = np.hypot(image + noise[0], noise[1])
        outside = (drawing.sampled == anatomy.BACKGROUND) | (drawing.sampled == anatomy.HEAD_REST)
        image[outside] = 0
        return np.clip(image, 0, 255)


def _drawings(count, patients, image_size, seed):
    _check(count, patients, image_size, seed)
    factor = max(1, round(_DRAWING_SIZE / image_size))
    grid = Grid(image_size * factor)
    for patient in range(patients):
        generator = np.random.default_rng([seed, patient, 0])
        head, examination = Patient(generator), _Examination(generator)
        slices = count // patients + (patient < count % patients)
        for position in range(slices):
            level = 0.95 * position / (slices - 1) if slices > 1 else 0.3
            yield _Drawing(patient, position, examination, head.tissue(level, grid), factor)


def _check(count, patients, image_size, seed):
    if patients < 1:
        raise DataError(f"Received patients={patients}; expected 1 or more.")
    if count < patients:
        raise DataError(
            f"Received count={count} for {patients} patients; expected at least one pair for "
            "each. Raise data.count, or lower data.patients."
        )
    if image_size < SMALLEST_IMAGE:
        raise DataError(
            f"Received image_size={image_size}; expected {SMALLEST_IMAGE} or more, or no "
            "structure would be wider than a pixel."
        )
    if seed < 0:
        raise DataError(f"Received seed={seed}; expected 0 or more.")
