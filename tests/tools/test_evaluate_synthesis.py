import json

import cv2
import numpy as np
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
    assert "the encoder cannot take images of 16 x 18 pixels" in small.stderr
    for number in range(4):
        (tmp_path / "flat" / f"f{number}.png").unlink()
    few = call("--real", "real", "--generated", "flat=flat", "--quiet")
    assert few.exit_code == 3
    assert "flat: received 4 images that can be used, expected at least 6" in few.stderr
