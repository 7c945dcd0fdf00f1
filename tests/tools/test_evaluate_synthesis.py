import json

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from medgan.tools.evaluate import main


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def levels(seed, shape):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def test_generated_sets_are_scored_against_real_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        write(tmp_path / "real" / f"{number}.png", levels(number, (32, 32)))
        write(tmp_path / "noise" / f"n{number}.png", levels(100 + number, (32, 32)))
        write(tmp_path / "flat" / f"f{number}.png", np.full((32, 32), 9 * number, "uint8"))
        write(tmp_path / "small" / f"s{number}.png", levels(number, (16, 18)))
    (tmp_path / "flat" / "f9.png").write_bytes(b"")
    arguments = ("--real", "real", "--generated", "noise=noise", "--generated", "flat=flat")
    result = call(*arguments, "--quiet", "--csv", "s.csv", "--report", "page", "--json", "-")
    assert result.exit_code == 0, result.output
    payload, said = json.loads(result.stdout), " ".join(result.stderr.split())
    assert payload["task"] == "synthesis" and payload["images"] == [] and payload["tests"] == []
    noise, flat = payload["scores"]["noise"], payload["scores"]["flat"]
    assert noise["fid"] < flat["fid"] and flat["coverage"] == 0
    assert payload["intervals"]["noise"]["fid"] is None
    assert payload["problems"][0].startswith("f9.png (flat): received an empty file")
    assert "no intervals and no tests" in said and "scattering encoder" in said
    assert (tmp_path / "s.csv").read_text().splitlines()[1].startswith("noise,,,")
    assert (tmp_path / "page" / "report.html").exists()
    small = call("--real", "real", "--generated", "small=small", "--quiet")
    assert small.exit_code == 3
    assert "small: received 0 images that can be used" in small.stderr
    assert "8 problems: s0.png (small): the encoder cannot take images of 16 x" in small.stderr
    for number in range(4):
        (tmp_path / "flat" / f"f{number}.png").unlink()
    few = call("--real", "real", "--generated", "flat=flat", "--quiet")
    assert few.exit_code == 3
    assert "flat: received 4 images that can be used, expected at least 6" in few.stderr


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Real images, a set beside them with one that is too small; the working directory."""
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        write(tmp_path / "real" / f"{number}.png", levels(number, (32, 32)))
        write(tmp_path / "mine" / f"{number}.png", levels(9 + number, (32, 32)))
    write(tmp_path / "mine" / "tiny.png", levels(0, (7, 9)))
    return tmp_path


def test_one_image_that_is_too_small_is_left_out_and_nothing_else_lost(sets):
    arguments = ("--real", "real", "--generated", "mine=mine", "--quiet")
    result = call(*arguments, "--report", "page")
    assert result.exit_code == 0, result.output
    heading = result.stdout.splitlines()[0]
    assert heading == "1 set of 8 images against 8 of real"
    assert "left out: tiny.png (mine): the encoder cannot take images of 7 x 9 pix" in result.stdout
    assert "1 set of generated images." in (sets / "page" / "report.html").read_text()
    strict = call(*arguments, "--strict")
    assert strict.exit_code == 3 and "tiny.png (mine)" in strict.stderr


def save_encoder(path, *last):
    """An encoder of grey images that ends with some layers, saved."""
    images = keras.Input((None, None, 1))
    features = keras.layers.AveragePooling2D(4)(images)
    for layer in last:
        features = layer(features)
    keras.Model(images, features).save(path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_encoders_that_give_no_vectors_are_one_line(sets):
    save_encoder("map.keras")
    arguments = ("--real", "real", "--generated", "mine=mine", "--quiet", "--encoder")
    result = call(*arguments, "map.keras")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "output of shape (None, None, None, 1), expected (batch, features)" in result.stderr


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_features_that_are_not_finite_are_one_line(sets):
    pool = keras.layers.GlobalAveragePooling2D()
    save_encoder("nan.keras", pool, keras.layers.Rescaling(float("inf"), offset=-float("inf")))
    arguments = ("--real", "real", "--generated", "mine=mine", "--quiet", "--encoder")
    result = call(*arguments, "nan.keras")
    assert result.exit_code == 3 and len(result.stderr.splitlines()) == 1, result.output
    assert "mine against real: Received 8 real images without finite features" in result.stderr
