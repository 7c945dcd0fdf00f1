import json
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from medgan import export as exporting
from medgan import export_check
from medgan.models import DistillingGAN, FusionGAN
from medgan.networks import dense_fusion_generator, modality_discriminator
from medgan.recipe.reading import read_recipe, reread_recipe
from medgan.tools.export import _load, main

# Keras 3.15 saves its variables through an __array__ that NumPy 2.4 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
[run]
name = "tiny"
seed = 0
[data]
type = "phantoms"
root = ""
count = 3
patients = 3
image_size = 64
[networks.teacher]
type = "dense_fusion_generator"
[networks.student]
type = "dense_fusion_generator"
[networks.discriminator]
type = "modality_discriminator"
[teacher]
steps = 1
[distillation]
steps = 1
[training]
batch_size = 1
checkpoint_every = 1
validation_pairs = 1
"""


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for seed, name in enumerate(("teacher", "student")):
        dense_fusion_generator(width=2, seed=seed, name=name).save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def runs(networks, tmp_path, monkeypatch):
    """A working directory with one run of 48 x 48 phantoms, two of them for validation."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "tiny" / "20260101-120000"
    shutil.copytree(networks, run)
    (run / "recipe.toml").write_text(RECIPE)
    overrides = {"data.image_size": 48, "data.count": 6}
    (run / "overrides.json").write_text(json.dumps(overrides))
    (run.parent / "latest").symlink_to(run.name)
    return run


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def only_line(result):
    """The one line of an error, which follows the lines of progress."""
    assert "Traceback" not in result.output
    *_, last = result.stderr.splitlines()
    assert last.startswith("medgan: ")
    return last


def test_both_kinds_of_the_latest_run_as_json(runs):
    result = call("student", "--tflite", "--saved-model", "--json")
    assert result.exit_code == 0, result.output
    received = json.loads(result.stdout)
    assert (received["network"], received["data"]) == ("student", "validation")
    assert pathlib.Path(received["run"]) == runs
    tflite, saved_model = received["exports"]["tflite"], received["exports"]["saved_model"]
    assert pathlib.Path(tflite["path"]) == runs / "exports" / "student.tflite"
    assert pathlib.Path(saved_model["path"]) == runs / "exports" / "student_saved_model"
    assert tflite["image_size"] == [48, 48]
    for export in (tflite, saved_model):
        assert export["largest_error"] <= export["bound"] == 1e-3
        assert export["samples"] == 2
        assert export["milliseconds"] > 0 and export["bytes"] > 0
    network = keras.models.load_model(runs / "student.keras")
    serve = tf.saved_model.load(saved_model["path"]).signatures["serving_default"]
    image = np.random.default_rng(0).uniform(size=(1, 30, 50, 2)).astype("float32")
    np.testing.assert_allclose(serve(images=tf.constant(image))["image"], network(image), atol=1e-5)


def test_size_and_output_of_a_named_run_in_words(runs, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    target = tmp_path / "phone" / "small.tflite"
    arguments = ("teacher", "--tflite", "--run", runs, "--size", "32x56", "--output", target)
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert "2 of 2 images are cropped or padded to 32x56" in result.stderr
    assert f"{target}: {target.stat().st_size:,} bytes" in result.stdout
    assert call(*arguments, "--overwrite", "--quiet").stderr == ""


def test_existing_export_needs_overwrite(runs):
    (runs / "exports").mkdir()
    target = runs / "exports" / "student.tflite"
    target.write_bytes(b"old")
    result = call("student", "--tflite")
    assert result.exit_code == 2
    assert "student.tflite exists" in only_line(result) and "--overwrite" in only_line(result)
    assert target.read_bytes() == b"old"
    assert call("student", "--tflite", "--overwrite").exit_code == 0
    assert target.read_bytes() != b"old"


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_beyond_the_bound_leaves_no_file_in_place(runs, monkeypatch, kind):
    compare = export_check._compare

    def wrong(path, run, *others):
        return compare(path, lambda image: run(image) + 0.01, *others)

    monkeypatch.setattr(export_check, "_compare", wrong)
    result = call("student", f"--{kind.replace('_', '-')}", "--json")
    assert result.exit_code == 5
    assert "largest error of 0.01" in only_line(result) and result.stdout == ""
    assert not (runs / "exports").exists()


def test_beyond_the_bound_keeps_the_old_export(runs, monkeypatch):
    (runs / "exports").mkdir()
    target = runs / "exports" / "student.tflite"
    target.write_bytes(b"old")
    check = exporting.check_tflite

    def strict(path, model, samples, bound):
        return check(path, model, samples, -1.0)

    monkeypatch.setattr(exporting, "check_tflite", strict)
    result = call("student", "--tflite", "--overwrite")
    assert result.exit_code == 5
    assert "the old one is kept" in only_line(result)
    assert [file.name for file in (runs / "exports").iterdir()] == ["student.tflite"]
    assert target.read_bytes() == b"old"


def test_phantoms_stand_in_for_data_that_is_gone(runs):
    recipe = RECIPE.replace('"phantoms"', '"paired_folders"').replace('root = ""', 'root = "gone"')
    (runs / "recipe.toml").write_text(recipe)
    result = call("student", "--tflite", "--json", "--quiet", "--size", "40x40")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["data"] == "phantoms"
    (line,) = result.stderr.splitlines()
    assert "gone" in line and line.endswith("compared on built-in phantoms.")


def test_run_is_read_again_as_it_was_run(runs):
    text = ["data.image_size=40", "data.validation_patients=0.5", "data.root='\"7\"'", "run.name=7"]
    recipe = RECIPE.replace("[networks.teacher]", "validation_patients = [1]\n[networks.teacher]")
    (runs / "recipe.toml").write_text(recipe)
    original = read_recipe(str(runs / "recipe.toml"), text)
    assert original["data"]["root"] == '"7"'
    (runs / "overrides.json").write_text(json.dumps(original.overrides))
    assert reread_recipe(runs).tables == original.tables
    (runs / "overrides.json").unlink()
    assert reread_recipe(runs)["data"]["image_size"] == 64


def test_file_is_exported_beside_itself(tmp_path):
    network = dense_fusion_generator(width=2)
    network.save(tmp_path / "mine.keras")
    result = call(tmp_path / "mine.keras", "--tflite", "--size", "48x48", "--json")
    assert result.exit_code == 0, result.output
    received = json.loads(result.stdout)
    assert (received["network"], received["run"]) == ("mine", None)
    assert (tmp_path / "mine.tflite").exists()
    assert "built-in phantoms" in result.stderr


def test_trainer_gives_its_generator(tmp_path):
    teacher, student = (dense_fusion_generator(width=width) for width in (3, 2))
    distilling = DistillingGAN(teacher, student, modality_discriminator(width=2))
    fusing = FusionGAN(dense_fusion_generator(width=2), modality_discriminator(width=2))
    sizes = []
    for name, trainer in (("distilling", distilling), ("fusing", fusing)):
        trainer.compile("adam", "adam")
        trainer.save(tmp_path / f"{name}.keras")
        sizes.append(_load(tmp_path / f"{name}.keras").count_params())
    assert sizes == [student.count_params()] * 2


def test_network_of_one_size_keeps_it(tmp_path):
    inputs = keras.Input((32, 40, 2))
    keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs)).save(tmp_path / "fixed.keras")
    result = call(tmp_path / "fixed.keras", "--tflite", "--saved-model", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["exports"]["tflite"]["image_size"] == [32, 40]
    again = call(tmp_path / "fixed.keras", "--tflite", "--size", "48x48", "--overwrite")
    assert again.exit_code == 2
    assert "the network takes no other size" in only_line(again)


def test_other_channels_than_two_are_refused(tmp_path):
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs)).save(tmp_path / "colour.keras")
    result = call(tmp_path / "colour.keras", "--tflite")
    assert result.exit_code == 1
    assert "3 channels, expected 2" in only_line(result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["student"], "--tflite, --saved-model or both"),
        (["nobody", "--tflite"], "there are teacher, student"),
        (["gone/student.keras", "--tflite"], "There is no file gone/student.keras"),
        (["text.keras", "--tflite"], "is not a Keras archive"),
        (["student", "--tflite", "--size", "256"], "expected height x width"),
        (["student", "--saved-model", "--size", "8x8"], "takes any size"),
        (["student", "--tflite", "--size", "1x1"], "cannot take images of 1x1 pixels"),
        (["student", "--tflite", "--saved-model", "--output", "x.tflite"], "a folder"),
        (["student", "--tflite", "--run", "gone"], "gone is not a run folder"),
    ],
)
def test_usage_errors_take_one_line(runs, arguments, words):
    pathlib.Path("text.keras").write_text("no archive")
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in only_line(result)


def test_no_run_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("student", "--tflite")
    assert result.exit_code == 2
    assert "Train first" in only_line(result)


def test_output_folder_takes_both_kinds(runs, tmp_path):
    result = call("student", "--tflite", "--saved-model", "--output", tmp_path / "both")
    assert result.exit_code == 0, result.output
    names = sorted(entry.name for entry in (tmp_path / "both").iterdir())
    assert names == ["student.tflite", "student_saved_model"]


def test_help_loads_no_tensorflow():
    code = (
        "import sys\nfrom medgan.tools.export import main\n"
        "try:\n    main(['--help'])\nfinally:\n    assert 'tensorflow' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "medgan-export student --tflite" in result.stdout


def test_output_without_suffix_is_a_folder_for_a_tflite_file(runs, tmp_path):
    result = call("student", "--tflite", "--output", tmp_path / "phone")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "phone").iterdir()] == ["student.tflite"]
