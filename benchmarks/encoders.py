"""What encoders are worth for FID, KID, precision, recall, density and coverage.

    python benchmarks/encoders.py                      # MR slices of the atlas, or phantoms
    python benchmarks/encoders.py --phantoms --json
    python benchmarks/encoders.py --inception FILE     # with the weights of InceptionV3

Real images stand against damaged real images of other patients. A score is worth something if it
rises with the damage (Spearman's correlation with five severities, none included), and if already
the mildest damage moves it by more than another draw of patients does (`seen`: the rise in standard
deviations over random halves of the patients). Collapse (few images, repeated) has to cost recall
and coverage and to leave precision; copied training images have to be found by `ops.nearest`.

Competitors of the built-in scattering encoder: pixels of 32x32, and a convolutional network with
random weights, 256 features, in the manner of Naeem et al. 2020.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
from scipy.stats import spearmanr

from medgan import ops
from medgan.data import paired_folders, phantoms
from medgan.metrics import SYNTHESIS_SCORES, encode, score_features
from medgan.networks import inception_encoder, scattering_encoder

SIDE = 128
SPLITS = 8
SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "atlas"


def real_images(built_in):
    """MR slices `(images, 128, 128)` in [0, 1], their patients, and where they come from."""
    root = pathlib.Path(os.environ.get("MEDGAN_ATLAS", SHARED)) / "CT-MRI"
    if built_in or not root.is_dir():
        pairs, origin = phantoms(count=120, patients=40, image_size=SIDE), "phantoms"
    else:
        pairs, origin = paired_folders(root), "atlas"
    images = [image[..., 1].astype("float32") / 255 for image in pairs.images]
    images = [cv2.resize(i, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for i in images]
    return np.stack(images), np.array(pairs.patients), origin


def blurred(image, sigma, _):
    """Gaussian blur; sigma in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def noisy(image, deviation, generator):
    """White noise."""
    noise = generator.standard_normal(image.shape, dtype="float32")
    return image + np.float32(deviation) * noise


def checkered(image, share, _):
    """Every second pixel brighter, the others darker, as after transposed convolutions."""
    signs = np.indices(image.shape).sum(axis=0) % 2 * 2 - 1
    return image * (1 + share * signs).astype("float32")


def ghosted(image, share, _):
    """A second head, shifted by a quarter of the frame, as after motion in MR."""
    return image + share * np.roll(image, SIDE // 4, axis=1)


def cut_out(image, count, generator):
    """Black squares of an eighth of the frame: missing structures."""
    image, edge = image.copy(), SIDE // 8
    for row, column in generator.integers(SIDE // 5, 4 * SIDE // 5 - edge, (count, 2)):
        image[row : row + edge, column : column + edge] = 0
    return image


def brightened(image, exponent, _):
    """Gamma below 1: another contrast."""
    return image**exponent


def warped(image, pixels, generator):
    """Smooth random displacements: wrong anatomy, right texture."""
    field = generator.standard_normal((8, 8, 2), dtype="float32")
    field = cv2.resize(field, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) * pixels
    columns, rows = np.meshgrid(*2 * [np.arange(SIDE, dtype="float32")])
    return cv2.remap(image, columns + field[..., 0], rows + field[..., 1], cv2.INTER_LINEAR)


DAMAGES = {
    "blur": (blurred, (0.5, 0.75, 1.25, 2.0)),
    "noise": (noisy, (0.02, 0.05, 0.1, 0.2)),
    "checkerboard": (checkered, (0.05, 0.1, 0.2, 0.4)),
    "ghost": (ghosted, (0.05, 0.1, 0.2, 0.4)),
    "cut-out": (cut_out, (1, 2, 4, 8)),
    "gamma": (brightened, (0.9, 0.8, 0.65, 0.5)),
    "warp": (warped, (1, 2, 4, 8)),
}


def damaged(images):
    """(damage, severity) to images; severity 0 is none."""
    generator = np.random.default_rng(0)
    sets = {("none", 0): images}
    for name, (damage, strengths) in DAMAGES.items():
        for severity, strength in enumerate(strengths, 1):
            made = [damage(image, strength, generator) for image in images]
            sets[name, severity] = np.clip(np.stack(made), 0, 1)
    return sets


def random_encoder(seed=0):
    """Four 3x3 convolutions of stride 2, He initialisation, ReLU, averaged; 256 features."""
    image = keras.Input((None, None, 1))
    features = keras.layers.Rescaling(2.0, offset=-1.0)(image)
    for index, width in enumerate((32, 64, 128, 256)):
        kernel = keras.initializers.HeNormal(seed=seed + index)
        features = keras.layers.Conv2D(
            width, 3, strides=2, padding="same", activation="relu", kernel_initializer=kernel
        )(features)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(features))


def pixel_encoder():
    """The image itself at 32x32."""
    image = keras.Input((SIDE, SIDE, 1))
    small = keras.layers.AveragePooling2D(SIDE // 32)(image)
    return keras.Model(image, keras.layers.Flatten()(small))


def halves(patients):
    """Masks of the real side for random halves of the patients."""
    generator = np.random.default_rng(1)
    names = np.unique(patients)
    for _ in range(SPLITS):
        yield np.isin(patients, generator.permutation(names)[: (len(names) + 1) // 2])


def responses(features, patients):
    """Damage to how well FID and KID follow it, and how soon."""
    values = {
        key: np.array(
            [
                [float(SYNTHESIS_SCORES[key].function(clean[real], f[~real])) for f in sets]
                for real in halves(patients)
            ]
        )
        for key in ("fid", "kid")
        for clean, sets in [(features["none", 0], list(features.values()))]
    }
    places = {key: index for index, key in enumerate(features)}
    table = {}
    for name in DAMAGES:
        columns = [places["none", 0], *(places[name, severity] for severity in (1, 2, 3, 4))]
        table[name] = {}
        for key, value in values.items():
            means = value[:, columns].mean(axis=0)
            spread = value[:, 0].std()
            table[name][key] = {
                "means": means.tolist(),
                "spearman": float(spearmanr(range(5), means)[0]),
                "seen": float((means[1] - means[0]) / spread),
            }
    return table


def substitutes(features, patients):
    """Scores where generated images are few ones repeated, or partly copies of the real ones."""
    real = next(halves(patients))
    first, second = features[real], features[~real]
    generator = np.random.default_rng(2)
    count = len(second)
    lines = {"other patients": second}
    for kept in (count // 2, count // 4, 5, 1):
        lines[f"collapsed to {kept}"] = np.resize(
            generator.permutation(second)[:kept], second.shape
        )
    for share in (0.25, 1.0):
        copies = generator.permutation(first)[: round(share * count)]
        lines[f"{share:.0%} copied"] = np.concatenate([copies, second[len(copies) :]])
    table = {}
    for name, generated in lines.items():
        ratio = np.asarray(ops.nearest(first, generated)[1])
        copied = {"nearest_below_0.1": float((ratio < 0.1).mean())}
        table[name] = {**score_features(first, generated), **copied}
    return table


def measure(encoder, sets, patients):
    """Everything about one encoder."""
    start = time.perf_counter()
    features = {key: encode(encoder, [images[..., None]]) for key, images in sets.items()}
    spent = time.perf_counter() - start
    clean = features["none", 0]
    return {
        "features": clean.shape[1],
        "milliseconds_per_image": 1000 * spent / (len(sets) * len(clean)),
        "damages": responses(features, patients),
        "substitutes": substitutes(clean, patients),
    }


def show(result):
    """Prints the tables."""
    counts = "{images} images ({origin}), {patients} patients, {side}x{side}, {splits} halvings"
    print(counts.format(**result))
    encoders = result["encoders"]
    print(f"\n{'':14}" + "".join(f"{name:>28}" for name in encoders))
    print(f"{'damage':14}" + "  FID rho seen  KID rho seen" * len(encoders))
    for damage in DAMAGES:
        cells = [
            f"{line[key]['spearman']:9.2f}{line[key]['seen']:5.1f}"
            for line in (encoder["damages"][damage] for encoder in encoders.values())
            for key in ("fid", "kid")
        ]
        print(f"{damage:14}" + "".join(cells))
    for name, encoder in encoders.items():
        size = "{features} features, {milliseconds_per_image:.1f} ms per image".format(**encoder)
        keys = list(next(iter(encoder["substitutes"].values())))
        print(
            f"\n{name}: {size}\n{'':16}" + "".join(f"{key:>10}" for key in keys[:-1]) + "   copies"
        )
        for line, values in encoder["substitutes"].items():
            print(f"{line:16}" + "".join(f"{values[key]:10.3f}" for key in keys))


def main():
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--phantoms", action="store_true", help="phantoms, even if there are slices"
    )
    parser.add_argument("--inception", metavar="FILE", help="weights of InceptionV3; minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    images, patients, origin = real_images(arguments.phantoms)
    sets = damaged(images)
    encoders = {
        "scattering": scattering_encoder(),
        "random network": random_encoder(),
        "pixels": pixel_encoder(),
    }
    if arguments.inception:
        encoders["inception"] = inception_encoder(arguments.inception)
    result = {
        "images": len(images),
        "origin": origin,
        "patients": len(np.unique(patients)),
        "side": SIDE,
        "splits": SPLITS,
        "encoders": {name: measure(e, sets, patients) for name, e in encoders.items()},
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
