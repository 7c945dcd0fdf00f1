import json
import re
import shutil

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from recipe_sizes import SIZES

from medgan.data import phantoms
from medgan.metrics import SYNTHESIS_SCORES, TRANSLATION_SCORES
from medgan.recipe import find_recipe
from medgan.tools.evaluate import main as evaluate
from medgan.tools.export import main as export
from medgan.tools.train import main as train

pytestmark = pytest.mark.usefixtures("eagerly")


def called(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def run(folder, name, *changes):
    """One tiny run: what it printed."""
    settings = [word for change in (*SIZES[name], *changes) for word in ("--set", change)]
    return json.loads(called(train, name, *settings, "--output", folder, "--json").stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory, eagerly):
    """A folder of its own for `runs/`."""
    folder = tmp_path_factory.mktemp("tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def translated(home):
    return run(home / "pix2pix", "pix2pix"), home / "pix2pix"


@pytest.fixture(scope="module")
def made(home):
    return run(home / "gan", "gan"), home / "gan"


def test_translation_is_scored_beside_the_source_and_the_mean_target(translated):
    printed, folder = translated
    assert list(printed["scores"]) == ["source", "mean target", "generator"]
    for scores in printed["scores"].values():
        assert set(scores) == set(TRANSLATION_SCORES)
        there = [value for key, value in scores.items() if "ms_ssim" not in key]
        assert np.isfinite(there).all()
    # By hand: phantoms in grey levels, CT first; means within each patient, then over patients.
    pairs = phantoms(count=6, patients=3, image_size=32, seed=0)
    split = json.loads((folder / "split.json").read_text())
    images = {
        side: np.stack([pairs.images[pairs.names.index(n)] for n in split[side]["names"]])
        for side in ("train", "validation")
    }
    ct, mr = np.moveaxis(images["validation"].astype(float), -1, 0)
    floor = np.round(images["train"][..., 0].mean(axis=0))
    assert len(split["validation"]["patients"]) == 1
    scores = printed["scores"]
    assert_allclose(scores["source"]["mae"], np.abs(mr - ct).mean(), rtol=1e-5)
    assert_allclose(scores["mean target"]["mae"], np.abs(floor - ct).mean(), rtol=1e-5)


def test_a_translating_run_is_complete(translated):
    _, folder = translated
    for name in (
        "generator.keras",
        "checkpoints/generator/best.keras",
        "checkpoints/generator/last.npz",
        "samples/comparison.png",
        "samples/generator/step_000003.png",
        "report.html",
        "model_card.md",
        "result.json",
    ):
        assert (folder / name).stat().st_size > 0, name
    card = (folder / "model_card.md").read_text()
    assert "image one that looks like CT, trained by Pix2Pix" in card
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert {line["stage"] for line in lines} == {"generator"}
    assert lines[1]["val_mae_head"] > 0


def test_synthesis_is_scored_as_a_set_beside_the_training_images(made):
    printed, folder = made
    assert list(printed["scores"]) == ["training images", "generator"]
    for scores in printed["scores"].values():
        assert set(scores) == set(SYNTHESIS_SCORES)
        assert np.isfinite(list(scores.values())).all()
    written = json.loads((folder / "scores.json").read_text())
    assert any("nearest training image" in note for note in written["notes"])
    assert "nearest training image" in (folder / "report.html").read_text()
    assert "noise, trained by GAN" in (folder / "model_card.md").read_text()


def test_pictures_of_synthesis_are_those_of_the_same_noise(made):
    _, folder = made
    pictures = [
        cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for path in sorted((folder / "samples" / "generator").iterdir())
    ]
    assert [picture.shape for picture in pictures] == [(128, 128)] * 2
    # By hand, what the kept network makes of the documented noise.
    network = keras.models.load_model(folder / "generator.keras")
    noise = np.random.default_rng(0).standard_normal((16, 4)).astype("float32")
    image = np.clip(np.asarray(network(noise))[5, ..., 0], 0, 1)
    assert np.abs(pictures[-1][32:64, 32:64] - 255 * image).max() <= 1


def test_a_translating_generator_is_exported_and_checked_on_its_source(translated):
    printed = json.loads(
        called(export, "generator", "--tflite", "--run", translated[1], "--json").stdout
    )
    assert printed["data"] == "validation"
    check = printed["exports"]["tflite"]
    assert check["image_size"] == [32, 32] and check["samples"] == 2
    assert check["largest_error"] < 1e-3


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_a_generator_of_noise_is_exported_and_checked_on_noise(made, kind):
    words = "generator", f"--{kind.replace('_', '-')}", "--run", made[1], "--json"
    printed = json.loads(called(export, *words).stdout)
    assert printed["data"] == "noise"
    check = printed["exports"][kind]
    assert check["samples"] == 16 and "image_size" not in check
    assert check["largest_error"] < 1e-3


def test_evaluate_scores_a_run_of_each_task_as_it_was_scored(translated, made):
    for printed, folder in (translated, made):
        page = folder / "again"
        called(evaluate, "--run", folder, "--report", page, "--quiet")
        again = json.loads((page / "scores.json").read_text())
        for method, scores in printed["scores"].items():
            for key, value in scores.items():
                found = again["scores"][method][key]
                assert (found is None) is (value is None)
                if value is not None:
                    assert_allclose(found, value, rtol=1e-4, atol=1e-6)
        assert again["baseline"] == next(iter(printed["scores"]))
        assert "<img" in (page / "report.html").read_text()


def test_classical_fusion_is_refused_for_a_translating_run(translated):
    words = ["--run", str(translated[1]), "--classical", "maximum"]
    result = CliRunner().invoke(evaluate, words)
    assert result.exit_code == 2
    assert "for a run of translation" in result.stderr


@pytest.fixture(scope="module")
def distilled(home):
    return run(home / "kgan", "kgan-translation"), home / "kgan"


def test_a_translating_teacher_is_distilled_in_three_stages(distilled):
    printed, folder = distilled
    stages = ["teacher", "student", "student_without_teacher"]
    assert list(printed["scores"]) == ["source", "mean target", *stages]
    for stage in stages:
        assert (folder / f"{stage}.keras").exists()
        assert (folder / f"checkpoints/{stage}/best.keras").exists()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    logged = {stage: [line for line in lines if line["stage"] == stage] for stage in stages}
    assert [line["step"] for line in logged["student"]] == [1, 2, 3]
    assert logged["student"][0]["soft_image"] > 0
    # The hard settings are those of the teacher's trainer.
    assert logged["student_without_teacher"][0]["absolute"] > 0


def with_teacher(path, folder):
    """The text of a recipe whose teacher comes from a file."""
    text = find_recipe("kgan-translation")[0]
    given = f'[networks.teacher]\ntype = "saved_network"\npath = "{path}"\n'
    text = re.sub(r"\[networks.teacher\]\n(.+\n)+", given, text)
    recipe = folder / "mine.toml"
    recipe.write_text(text)
    return recipe


@pytest.mark.slow
def test_a_teacher_from_a_run_is_distilled_without_training_it(distilled, tmp_path):
    before = keras.models.load_model(distilled[1] / "teacher.keras")
    teacher = tmp_path / "given"
    shutil.copytree(distilled[1], teacher)
    recipe = with_teacher(teacher, tmp_path)
    sizes = [s for s in SIZES["kgan-translation"] if not s.startswith("networks.teacher")]
    settings = [w for s in (*sizes, "teacher.steps=0") for w in ("--set", s)]
    words = [recipe, *settings, "--output", tmp_path / "run", "--json"]
    printed = json.loads(called(train, *words).stdout)
    assert set(printed["scores"]) >= {"teacher", "student", "student_without_teacher"}
    after = keras.models.load_model(tmp_path / "run" / "teacher.keras")
    for ours, theirs in zip(before.get_weights(), after.get_weights(), strict=True):
        assert_array_equal(ours, theirs)
    stages = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert stages == {"student", "student_without_teacher"}
    # Another teacher in the same place is another training.
    shutil.copy(teacher / "student.keras", teacher / "teacher.keras")
    (tmp_path / "run" / "result.json").unlink()
    result = CliRunner().invoke(train, ["--resume", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "the file of networks.teacher is another" in result.stderr
