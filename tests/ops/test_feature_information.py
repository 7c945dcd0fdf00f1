import importlib.util
import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.ops import feature_mutual_information


@pytest.fixture(scope="module")
def reference():
    """FMI in plain NumPy, window by window or all at once."""
    path = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "reference_fmi.py"
    spec = importlib.util.spec_from_file_location("reference_fmi", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def score():
    """The op in a graph that knows neither batch nor size."""
    signature = [tf.TensorSpec((None, None, None, channels)) for channels in (2, 1)]
    return tf.function(feature_mutual_information, input_signature=signature, autograph=False)


def trio(seed, height, width, levels=256):
    """Two sources and a result with textured, flat, shared and nearly empty parts."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, levels, size=(height, width, 3)).astype("float64")
    images[: height // 2, : width // 2, 0] = 7
    images[height // 2 :, : width // 3, 1:] = 3
    images[..., -5:, 2] = images[..., -5:, 0]
    images[: height // 3, ..., 2] = 0
    images[1, 2, 2] = 200  # the only bright pixel of its windows
    return images


def test_reference_equals_its_loops(reference):
    for levels in (2, 6, 256):
        images = np.moveaxis(trio(levels, 9, 14, levels), -1, 0)
        assert_allclose(reference.fmi(*images), reference.fmi_loops(*images), rtol=1e-10)


@pytest.mark.parametrize("levels", [2, 6, 256])
def test_value_is_that_of_the_reference(reference, score, levels):
    batch = np.stack([trio(seed, 40, 52, levels) for seed in range(3)])
    expected = [reference.fmi(*np.moveaxis(images, -1, 0)) for images in batch]
    batch = batch.astype("float32")
    assert_allclose(score(batch[..., :2], batch[..., 2:]), expected, atol=1e-5)


def test_value_on_atlas_is_that_of_the_reference(reference, score, atlas):
    names = ["33013.png", "2010.png"]
    sources = np.stack(
        [
            np.stack([cv2.imread(str(atlas / "CT-MRI" / k / n), 0) for k in ("CT", "MRI")], -1)
            for n in names
        ]
    ).astype("float32")
    fused = np.stack([sources[0].max(-1), sources[1].mean(-1)])
    expected = [
        reference.fmi(pair[..., 0], pair[..., 1], image)
        for pair, image in zip(sources, fused, strict=True)
    ]
    assert_allclose(score(sources, fused[..., None]), expected, atol=1e-5)


def test_only_the_derivative_along_x_counts(score):
    # rows that only differ by an offset have the same derivative along x
    row = np.random.default_rng(0).uniform(0, 200, size=(1, 1, 30, 1)).astype("float32")
    offsets = np.random.default_rng(1).uniform(0, 50, size=(2, 1, 20, 1, 1)).astype("float32")
    first, second = row + offsets
    assert_allclose(score(np.concatenate([first, first], -1), second), [1], atol=1e-5)


def test_gain_and_offset_do_not_matter(score):
    image = np.random.default_rng(2).integers(0, 256, size=(1, 30, 30, 1)).astype("float32")
    sources = np.concatenate([image, image], axis=-1)
    assert_allclose(score(sources, image / 2 + 20), [1], atol=1e-5)


def test_a_flat_source_tells_nothing(score):
    image = np.random.default_rng(3).integers(0, 256, size=(1, 20, 20, 1)).astype("float32")
    assert_allclose(score(np.concatenate([image, 0 * image], -1), image), [0.5], atol=1e-6)


def test_constant_images_score_one(score):
    levels = np.array([[0, 0, 0], [9, 9, 9], [0, 100, 255]], "float32")
    images = np.tile(levels[:, None, None], (1, 12, 12, 1))
    assert_allclose(score(images[..., :2], images[..., 2:]), [1, 1, 1])


def test_sources_are_alike_and_images_of_a_batch_alone(score):
    batch = np.stack([trio(seed, 20, 24) for seed in range(3)]).astype("float32")
    together = score(batch[..., :2], batch[..., 2:])
    swapped = [score(image[None, ..., 1::-1], image[None, ..., 2:])[0] for image in batch]
    assert_allclose(together, swapped, rtol=1e-5)


def test_noise_lowers_it(score):
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.normal(size=(64, 64)), (0, 0), 2)[None, ..., None]
    sources = 128 + 200 * np.repeat(image, 2, axis=-1).astype("float32")
    noise = rng.normal(size=(1, 64, 64, 1)).astype("float32")
    scores = [float(score(sources, sources[..., :1] + s * noise)[0]) for s in (0, 0.3, 1, 5)]
    assert scores == sorted(scores, reverse=True)


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match=r"Received images of 2x8.*at least 3 pixels"):
        feature_mutual_information(np.zeros((1, 2, 8, 2)), np.zeros((1, 2, 8, 1)))
