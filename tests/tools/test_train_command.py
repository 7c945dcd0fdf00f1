import csv
import json
import os
import pathlib

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

from medgan.experiment import Experiment
from medgan.metrics import FUSION_SCORES, PHANTOM_SCORES
from medgan.recipe import read_recipe
from medgan.run import RunFolder
from medgan.tools.train import main
from medgan.training import StageTraining


@pytest.fixture(scope="session")
def arguments(tiny):
    """Makes the words that set a tiny recipe, and more changes."""
    return lambda *changes: [w for change in (*tiny, *changes) for w in ("--set", change)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, arguments):
    """One tiny run: the command's result and the run folder."""
    folder = tmp_path_factory.mktemp("train")
    before = pathlib.Path.cwd()
    os.chdir(folder)
    try:
        output = ["--output", str(folder / "out"), "--json"]
        result = CliRunner().invoke(main, ["kgan", *arguments("data.test_patients=0.3"), *output])
    finally:
        os.chdir(before)
    assert result.exit_code == 0, result.stderr
    return result, folder / "out"


def test_json_holds_every_score_of_every_method(finished):
    result, run = finished
    printed = json.loads(result.stdout)
    assert printed["run"] == str(run)
    assert set(printed["scores"]) == {
        "average",
        "maximum",
        "laplacian",
        "teacher",
        "student",
        "student_without_teacher",
    }
    for scores in printed["scores"].values():
        assert set(scores) == {*FUSION_SCORES, *PHANTOM_SCORES}
        # 64 pixels have no room for MS-SSIM, and two slices need not show a lesion
        there = set(scores) - {"ms_ssim", "cnr_bleed", "cnr_oedema"}
        assert scores["ms_ssim"] is None
        assert np.isfinite([scores[key] for key in there]).all()


def test_test_patients_are_scored_apart(finished):
    result, run = finished
    printed = json.loads(result.stdout)
    assert set(printed["test_scores"]) == set(printed["scores"])
    split = json.loads((run / "split.json").read_text())
    rows = list(csv.DictReader((run / "scores_test.csv").read_text().splitlines()))
    assert {row["patient"] for row in rows} == set(split["test"]["patients"])
    assert "Test patients" in (run / "model_card.md").read_text()


def test_run_folder_is_complete(finished):
    _, run = finished
    for name in (
        "recipe.toml",
        "overrides.json",
        "environment.json",
        "split.json",
        "metrics.jsonl",
        "metrics.csv",
        "scores.json",
        "scores.csv",
        "teacher.keras",
        "student.keras",
        "student_without_teacher.keras",
        "checkpoints/student/last.npz",
        "checkpoints/student/best.keras",
        "fingerprint.json",
        "result.json",
        "samples/comparison.png",
        "samples/losses.png",
        "report.html",
        "report_test.html",
        "model_card.md",
    ):
        assert (run / name).stat().st_size > 0, name
    assert (run / "exports").is_dir()
    assert list((run / "tensorboard").rglob("events*"))
    assert cv2.imread(str(run / "samples" / "comparison.png")).shape[0] > 300
    assert not list(run.rglob(".*part*"))


def test_latest_points_at_the_run(finished):
    _, run = finished
    assert (run.parent / "runs" / "kgan" / "latest").resolve() == run.resolve()


def test_no_patient_is_trained_and_validated_on(finished):
    split = json.loads((finished[1] / "split.json").read_text())
    assert not set(split["train"]["patients"]) & set(split["validation"]["patients"])


def test_scores_of_the_table_are_means_by_patient_of_the_single_images(finished):
    result, run = finished
    rows = list(csv.DictReader((run / "scores.csv").read_text().splitlines()))
    mine = [row for row in rows if row["method"] == "student"]
    patients = sorted({row["patient"] for row in mine})
    means = [np.mean([float(r["sf"]) for r in mine if r["patient"] == p]) for p in patients]
    expected = json.loads(result.stdout)["scores"]["student"]["sf"]
    assert_allclose(expected, np.mean(means), rtol=1e-4)


def test_every_stage_logs_its_steps_once_and_in_order(finished):
    text = (finished[1] / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for stage in ("teacher", "student", "student_without_teacher"):
        steps = [line["step"] for line in lines if line["stage"] == stage]
        assert steps == [1, 2, 3]
    assert "val_sf" in lines[1]
    assert "soft_image" in next(line for line in lines if line["stage"] == "student")


def test_same_seed_trains_the_same_teacher(finished, tmp_path, tiny):
    experiment = Experiment(read_recipe("kgan", [*tiny, "data.test_patients=0.3"]))
    StageTraining(experiment, experiment.stage("teacher"), RunFolder(tmp_path)).train()
    before = keras.models.load_model(finished[1] / "teacher.keras")
    again = keras.models.load_model(tmp_path / "teacher.keras")
    for ours, theirs in zip(before.weights, again.weights, strict=True):
        assert_array_equal(ours, theirs)
    experiment = Experiment(read_recipe("kgan", [*tiny, "run.seed=2"]))
    assert any(
        not np.array_equal(ours, theirs)
        for ours, theirs in zip(
            before.get_weights(), experiment.networks["teacher"].get_weights(), strict=True
        )
    )


@pytest.mark.usefixtures("eager_steps")
def test_dry_run_reports_sizes_and_time_and_writes_nothing(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["kgan", *arguments(), "--dry-run", "--json"])
    assert result.exit_code == 0, result.stderr
    stages = json.loads(result.stdout)["stages"]
    assert stages["student"]["steps"] == 3
    assert stages["student"]["seconds_per_step"] > 0
    assert list(tmp_path.iterdir()) == []


def failed(words, code):
    """Runs the command, expects an exit code and one line, and returns the line."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, (result.output, result.exception)
    lines = [line for line in result.stderr.splitlines() if line.startswith("medgan: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    return lines[0]


def test_unknown_recipe_leaves_with_2():
    assert "kgan" in failed(["kgam"], 2)


@pytest.mark.usefixtures("eager_steps")
def test_unknown_key_of_a_network_leaves_with_2(tmp_path):
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("recipes/kgan.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("width = 8", "widht = 8"))
    assert "width" in failed([str(path), "--dry-run"], 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            ["data.crop=40", "teacher.content_loss.type=MetricAwareFusionLoss"],
            "[teacher] on crops of 40: Received images of 40x40",
        ),
        (["networks.discriminator.type=patch_discriminator"], "one channel per source"),
        (["networks.teacher.head=sum"], "expected one of"),
        (["run.seed=99999999999999"], "or less"),
        (["data.seed=-1"], "expected 0 or more"),
        (["run={}"], "[run] has no key"),
    ],
)
def test_what_cannot_be_trained_is_said_before_training(changes, words, tmp_path, arguments):
    output = tmp_path / "out"
    assert words in failed(["kgan", *arguments(*changes), "--output", str(output)], 2)
    assert not output.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("crop = 128", 'crop = "128"', "[data] crop: received '128', expected a whole number"),
        ("flips = true", 'flips = "no"', "[data] flips: received 'no', expected true or false"),
        (
            'content_loss = { type = "MetricAwareFusionLoss" }',
            'content_loss = "MetricAwareFusionLoss"',
            "expected a table with a type",
        ),
        ("[when.paired_folders]", "[when.paired_foldres]", "Did you mean paired_folders"),
        ("[run]", "callbacks = 3\n[run]", "expected tables [[callbacks]]"),
    ],
)
def test_wrong_values_in_a_file_leave_with_2(old, new, words, tmp_path):
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("recipes/kgan.toml").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new).replace("count = 300", "count = 30"))
    assert words in failed([str(path), "--dry-run"], 2)


def test_images_too_small_to_be_scored_leave_with_3(arguments):
    changes = arguments("data.image_size=40", "data.crop=32")
    assert "at least 41 a side" in failed(["kgan", *changes], 3)


def test_unknown_validation_score_leaves_with_2(arguments):
    line = failed(["kgan", *arguments('training.validation_scores=["sff"]')], 2)
    assert "'sff', expected some of sf, ssim" in line


def test_missing_data_folder_leaves_with_3(tmp_path, arguments):
    changes = arguments("data.type=paired_folders", f"data.root={tmp_path / 'nowhere'}")
    assert "nowhere" in failed(["kgan", *changes], 3)


def test_empty_root_says_what_to_set(arguments):
    line = failed(["kgan", *arguments("data.type=paired_folders")], 3)
    assert "--set data.root=DIR" in line


def test_crop_larger_than_the_image_leaves_with_3(arguments):
    assert "crop" in failed(["kgan", *arguments("data.crop=80")], 3)


def test_too_few_patients_leave_with_3(arguments):
    assert "patients" in failed(["kgan", *arguments("data.validation_patients=0.9")], 3)


def test_output_that_is_no_folder_leaves_with_1(tmp_path, arguments):
    file = tmp_path / "file"
    file.touch()
    assert "Choose another --output" in failed(["kgan", *arguments(), "--output", str(file)], 1)


def test_output_that_holds_a_run_is_kept(finished, arguments):
    _, run = finished
    before = (run / "scores.json").read_bytes()
    assert "holds a run already" in failed(["kgan", *arguments(), "--output", str(run)], 2)
    assert (run / "scores.json").read_bytes() == before


@pytest.mark.usefixtures("eager_steps")
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_diverging_losses_leave_with_4(tmp_path, arguments):
    changes = arguments("teacher.adversarial_weight=1e39")
    line = failed(["kgan", *changes, "--output", str(tmp_path / "out")], 4)
    assert "expected a finite number" in line
