import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

from medgan.metrics.scoring import TASKS
from medgan.networks import dense_fusion_generator
from medgan.recipe.reading import read_recipe
from medgan.tools import score_table
from medgan.tools.evaluate import main

# Keras 3.15 saves its variables through an __array__ that NumPy 2.4 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("1001", "1002", "2001", "2002")
SHAPE = (16, 18)


@pytest.fixture
def few_scores(monkeypatch):
    """Leaves scores that are compiled in a second and suit small images."""
    kept = {
        "fusion": ("sf", "ssim", "scd", "cc"),
        "translation": ("mae", "psnr", "ssim"),
    }
    for task, keys in kept.items():
        table, prepared = TASKS[task]
        monkeypatch.setitem(TASKS, task, ({key: table[key] for key in keys}, prepared))


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def levels(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


@pytest.fixture
def root(tmp_path, few_scores, monkeypatch):
    """Two patients of two slices, results of two methods; the working directory."""
    monkeypatch.chdir(tmp_path)
    for number, stem in enumerate(NAMES):
        for folder, seed in (("CT", 0), ("MRI", 10), ("mine", 20), ("other", 30)):
            write(tmp_path / folder / f"{stem}.png", levels(seed + number))
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


SOURCES = ("--first", "CT", "--second", "MRI", "--quiet")
TARGET = ("--target", "CT", "--output", "mine=mine", "--quiet")
REAL = ("--real", "CT", "--generated", "mine=mine", "--quiet")
MINE = (*SOURCES, "--no-baselines", "--fused", "mine=mine")


def payload_of(*arguments):
    """The payload of a call that ends well, and what else it said."""
    result = call(*arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), " ".join(result.stderr.split())


def only_line(result):
    assert "Traceback" not in result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("medgan: ") and result.stdout == ""
    return line


def frequency(image):
    image = image.astype("float64")
    return np.sqrt(np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2))


def test_folders_become_table_csv_json_and_page(root):
    result = call(
        *("--first", "CT", "--second", "MRI", "--fused", "mine=mine", "--fused", "other=other"),
        *("--classical", "clipped_sum,average", "--csv", "all.csv", "--report", "page"),
    )
    assert result.exit_code == 0, result.output
    payload = json.loads((root / "page" / "scores.json").read_text())
    names = ["average", "maximum", "laplacian", "clipped_sum", "mine", "other"]
    assert payload["methods"] == names
    assert payload["title"] == "6 methods on CT and MRI" and payload["baseline"] == "maximum"
    assert payload["command"].startswith("medgan-evaluate --first CT --second MRI --fused mine")
    assert [image["patient"] for image in payload["images"]] == ["1", "1", "2", "2"]
    mine = [frequency(levels(20 + number)) for number in range(4)]
    assert_allclose(payload["values"]["mine"]["sf"], mine, rtol=1e-5)
    brighter = [frequency(np.maximum(levels(n), levels(10 + n))) for n in range(4)]
    assert_allclose(payload["scores"]["maximum"]["sf"], np.mean(brighter), rtol=1e-5)
    assert (root / "all.csv").read_text() == (root / "page" / "scores.csv").read_text()
    with open(root / "all.csv", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["method"] == "mine"]
    assert [row["name"] for row in rows] == [f"{stem}.png" for stem in NAMES]
    assert_allclose([float(row["sf"]) for row in rows], mine, rtol=1e-5)
    page = (root / "page" / "report.html").read_text()
    assert "6 methods on CT and MRI" in page and "1001" in page
    assert "scoring 4 images" in result.stderr
    assert f"{np.mean(mine):.2f}" in result.stdout
    assert "written: page/report.html" in result.stdout
    assert "2 patients only" in result.stdout and "scoring" not in result.stdout


def test_average_maximum_and_laplacian_are_there_unasked(root):
    payload, _ = payload_of(*SOURCES)
    assert payload["methods"] == ["average", "maximum", "laplacian"]


def test_json_leaves_standard_output_to_itself(root):
    payload, said = payload_of(*MINE)
    assert payload["methods"] == ["mine"] and payload["baseline"] is None
    assert "1 method on CT and MRI: 4 images of 2 patients, means by patient" in said


def test_names_are_printed_as_given(root):
    _, said = payload_of(*SOURCES, "--no-baselines", "--fused", "my_net=mine")
    assert "my_net" in said and "my net" not in said


def test_eleven_methods_are_a_plural(root):
    names = [f"m{number}" for number in range(11)]
    many = [text for name in names for text in ("--fused", f"{name}=mine")]
    payload, _ = payload_of(*SOURCES, "--no-baselines", *many)
    assert payload["title"] == "11 methods on CT and MRI"


def test_a_small_image_among_large_ones_loses_nothing_else(root):
    for folder in ("CT", "MRI"):
        write(root / folder / "2002.png", levels(0, (3, 3)))
    payload, said = payload_of(*SOURCES, "--classical", "all")
    assert len(payload["methods"]) == 9
    assert payload["values"]["maximum"]["sf"][3] is not None
    left_out = [line for line in payload["problems"] if line.startswith("2002.png (laplacian): ")]
    assert len(left_out) == 1 and left_out[0] in said
    values = payload["values"]["laplacian"]["sf"]
    assert [value is None for value in values] == [False, False, False, True]


def missing(root):
    (root / "mine" / "1002.png").unlink()


def superfluous(root):
    write(root / "mine" / "9001.png", levels(0))


def other_size(root):
    write(root / "mine" / "1002.png", levels(0, (16, 17)))


def damaged(root):
    path = root / "mine" / "1002.png"
    path.write_bytes(path.read_bytes()[:-30])


def not_a_number(root):
    (root / "mine" / "1002.png").unlink()
    image = np.full(SHAPE, 0.5, "float32")
    image[3, 4] = np.nan
    write(root / "mine" / "1002.tif", image)


def out_of_range(root):
    (root / "mine" / "1002.png").unlink()
    write(root / "mine" / "1002.tif", 255 * np.full(SHAPE, 0.5, "float32"))


def transparent(root):
    write(root / "mine" / "1002.png", np.dstack([levels(0)] * 4))


def twice(root):
    write(root / "mine" / "1002.tif", levels(0))


BAD = {
    missing: "1002.png (mine): received no result in mine; expected 1002.png",
    superfluous: "9001.png (mine): received a result without a source",
    other_size: "1002.png (mine): received 16 x 17 pixels, expected 16 x 18 like CT and MRI",
    damaged: "1002.png (mine): received a truncated PNG file; expected a whole PNG",
    not_a_number: "1002.tif (mine): received 1 of 288 pixels that are NaN",
    out_of_range: "1002.tif (mine): received float values from 127.5 to 127.5; expected [0, 1]",
    transparent: "1002.png (mine): received an image with transparent pixels",
    twice: "1002.png (mine): received 1002.png and 1002.tif of one name",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_one_bad_result_is_left_out_and_nothing_else_lost(root, spoil):
    spoil(root)
    payload, said = payload_of(*MINE, "--fused", "other=other")
    assert len(payload["problems"]) == 1 and payload["problems"][0].startswith(BAD[spoil])
    assert f"left out: {BAD[spoil]}" in said
    whole = [frequency(levels(30 + number)) for number in range(4)]
    assert_allclose(payload["values"]["other"]["sf"], whole, rtol=1e-5)
    kept = [0, 1, 2, 3] if spoil is superfluous else [0, 2, 3]
    values = payload["values"]["mine"]["sf"]
    assert [index for index, value in enumerate(values) if value is not None] == kept
    fair = np.mean([np.mean([whole[i] for i in kept if i < 2]), np.mean(whole[2:])])
    assert_allclose(payload["scores"]["other"]["sf"], fair, rtol=1e-5)
    if spoil is not superfluous:
        assert "over the 3 of 4 images that every method has" in said
    strict = call(*MINE, "--strict")
    assert strict.exit_code == 3 and BAD[spoil] in only_line(strict)


def test_bad_source_is_left_out_for_every_method(root):
    path = root / "MRI" / "1002.png"
    path.write_bytes(path.read_bytes()[:-30])
    (root / "CT" / "2002.png").unlink()
    payload, _ = payload_of(*SOURCES, "--fused", "mine=mine")
    assert payload["problems"][0].startswith("2002.png (MRI): received no image of this name in CT")
    assert payload["problems"][1].startswith("1002.png (MRI): received a truncated PNG")
    assert all(column["sf"][1] is None for column in payload["values"].values())
    # The result of a source that has no partner is not superfluous as well.
    assert len(payload["problems"]) == 2
    assert call(*SOURCES, "--strict").exit_code == 3


def test_colour_becomes_luminance_and_that_is_said(root):
    colour = levels(5, (*SHAPE, 3))
    write(root / "mine" / "1002.png", colour)
    payload, said = payload_of(*MINE)
    grey = np.round(colour @ np.array([0.114, 0.587, 0.299]))
    assert_allclose(payload["values"]["mine"]["sf"][1], frequency(grey), rtol=1e-5)
    assert "note: mine: 1 of 4 images are in colour; their luminance (YCbCr" in said


def test_sixteen_bits_beside_eight_are_said(root):
    write(root / "mine" / "1002.png", levels(21).astype("uint16") * 257)
    payload, said = payload_of(*MINE)
    assert_allclose(payload["values"]["mine"]["sf"][1], frequency(levels(21)), rtol=1e-5)
    assert "Depths differ (16 bits: mine; 8 bits: CT, MRI, mine); each image is divided" in said
    write(root / "mine" / "1002.png", levels(21).astype("uint16") * 16)
    _, said = payload_of(*MINE)
    assert "of 65535, so the images are nearly black; multiply 12-bit values by 16" in said


def test_constant_images_have_values_or_none(root):
    for folder in ("CT", "MRI", "mine"):
        write(root / folder / "1002.png", np.full(SHAPE, 7, "uint8"))
    payload, _ = payload_of(*MINE)  # json.loads takes NaN, so look at the text as well
    assert payload["problems"] == []
    assert_allclose(payload["values"]["mine"]["sf"][1], 0, atol=1e-5)
    assert "NaN" not in json.dumps(payload)


def test_one_image_has_no_interval_and_that_is_said(root):
    for folder in ("CT", "MRI", "mine", "other"):
        for stem in NAMES[1:]:
            (root / folder / f"{stem}.png").unlink()
    payload, said = payload_of(*MINE, "--fused", "other=other")
    assert payload["intervals"]["mine"]["sf"] is None and payload["tests"][0]["p"] is None
    assert "note: One image only: no intervals and no tests." in said


def test_names_that_do_not_pair_are_an_error(root):
    for path in (root / "mine").iterdir():
        path.rename(path.with_name(f"fused_{path.name}"))
    result = call(*MINE)
    assert result.exit_code == 3
    line = only_line(result)
    assert "results such as fused_1001" in line and "such as 1001; expected equal names" in line


def test_a_method_without_any_usable_image_is_an_error(root):
    for stem in NAMES:
        write(root / "mine" / f"{stem}.png", levels(0, (5, 5)))
    result = call(*MINE)
    assert result.exit_code == 3
    assert "mine: received no image that can be scored" in only_line(result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--first", "gone", "--second", "MRI"), "gone: received no such folder"),
        ((*SOURCES, "--fused", "mine=gone"), "gone: received no such folder for mine"),
        ((*SOURCES, "--patients", "7"), "Patient 7 has no images; expected some of 1, 2"),
        ((*SOURCES, "--patient", r"(x\d)"), "finds no patient"),
    ],
)
def test_data_that_is_not_there_has_exit_code_3(root, arguments, words):
    result = call(*arguments)
    assert result.exit_code == 3 and words in only_line(result)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "There is nothing to evaluate"),
        (("--first", "CT"), "Received --first without --second"),
        (("--fused", "mine=mine"), "Received --fused without --first"),
        (("--target", "CT"), "Received --target without --output"),
        ((*SOURCES, "--target", "CT"), "Received --first beside --target"),
        ((*SOURCES, "--run", "latest"), "Received --first beside --run"),
        ((*SOURCES, "--fused", "mine"), "expected NAME=DIR"),
        ((*MINE, "--fused", "mine=other"), "--fused mine= twice"),
        ((*SOURCES, "--fused", "CT=mine"), "The name CT is taken"),
        ((*SOURCES, "--classical", "magic"), "--classical 'magic', expected some of all, average"),
        ((*SOURCES, "--no-baselines"), "There is no method left"),
        (("--first", "CT", "--second", "./CT"), "expected two folders"),
        (
            ("--target", "CT", "--output", "a=mine", "--classical", "dwt"),
            "--classical beside --target",
        ),
        (("--real", "CT", "--generated", "a=mine", "--patients", "1"), "--patients beside --real"),
        ((*SOURCES, "--encoder", "x.keras"), "--encoder beside --first"),
        (
            ("--real", "CT", "--generated", "a=mine", "--encoder", "x.keras"),
            "Cannot load --encoder",
        ),
        ((*MINE, "--baseline", "gone"), "--baseline 'gone', expected one of mine"),
        ((*MINE, "--patient", "("), "no regular expression"),
        ((*MINE, "--patients", "1", "--no-patients"), "--no-patients"),
        ((*MINE, "--csv", "CT"), "CT is a folder"),
        ((*MINE, "--csv", "-"), "Received --csv -, expected a file"),
        ((*MINE, "--csv", "a", "--json", "./a"), "--json and --csv both write a, expected diff"),
        ((*MINE, "--csv", "p/scores.csv", "--report", "p"), "--report and --csv both write"),
        ((*MINE, "--csv", "p", "--report", "p"), "p is a folder"),
        ((*REAL, "--generated", "real=other"), "The name real is taken"),
        (("--run", "CT"), "is not a run folder"),
    ],
)
def test_usage_errors_take_one_line(root, arguments, words):
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert words in only_line(result)


def test_files_that_cannot_be_written_are_said_before_scoring(root):
    result = call(*MINE, "--csv", "CT/1001.png/scores.csv")
    assert result.exit_code == 1
    assert "Cannot write CT/1001.png/scores.csv" in only_line(result)


def test_patients_can_be_chosen_and_told_by_a_pattern(root):
    payload, _ = payload_of(*MINE, "--patients", "2")
    assert [image["name"] for image in payload["images"]] == ["2001.png", "2002.png"]
    assert payload["problems"] == []  # results for other patients are not superfluous
    payload, _ = payload_of(*MINE, "--patient", r"(\d)$")
    assert payload["patients"] == ["1", "2"]
    assert [image["patient"] for image in payload["images"]] == ["1", "2", "1", "2"]
    payload, said = payload_of(*MINE, "--no-patients")
    assert payload["patients"] is None and "Every image counts alike" in said


def test_own_results_stand_in_for_a_baseline_of_their_name(root):
    payload, said = payload_of(*SOURCES, "--fused", "average=mine")
    assert payload["methods"] == ["maximum", "laplacian", "average"]
    assert "average: the images in mine stand in for the built-in method" in said
    mine = [frequency(levels(20 + number)) for number in range(4)]
    assert_allclose(payload["values"]["average"]["sf"], mine, rtol=1e-5)


def test_translations_are_scored_against_targets(root):
    payload, said = payload_of(*TARGET, "--output", "other=other", "--report", "page")
    assert payload["task"] == "translation" and payload["methods"] == ["mine", "other"]
    errors = [
        np.abs(levels(number).astype(float) - levels(20 + number)).mean() for number in range(4)
    ]
    assert_allclose(payload["values"]["mine"]["mae"], errors, rtol=1e-5)
    assert "lower is better in MAE" in said
    assert (root / "page" / "report.html").exists()


def test_networks_of_a_run_are_scored_with_what_they_cost(root):
    run = root / "runs" / "tiny" / "20260101-120000"
    run.mkdir(parents=True)
    for seed, name in enumerate(("teacher", "student")):
        dense_fusion_generator(width=2, seed=seed, name=name).save(run / f"{name}.keras")
    (run / "recipe.toml").write_text(read_recipe("kgan").text)
    overrides = {"data.count": 3, "data.patients": 3, "data.image_size": 64}
    (run / "overrides.json").write_text(json.dumps(overrides))
    record = {"stage": "teacher", "step": 1, "loss": 1.0, "discriminator": 0.7}
    (run / "metrics.jsonl").write_text(f"{json.dumps(record)}\n")
    (run.parent / "latest").symlink_to(run.name)
    payload, said = payload_of("--run", "latest", "--quiet", "--report", "page")
    assert payload["methods"] == ["average", "maximum", "laplacian", "teacher", "student"]
    assert len(payload["images"]) == 1
    teacher = payload["costs"]["teacher"]
    assert teacher["parameters"] == dense_fusion_generator(width=2).count_params()
    assert teacher["macs"] > 0 and teacher["milliseconds"] > 0
    assert payload["costs"]["maximum"]["macs"] == 0
    assert payload["costs"]["laplacian"]["macs"] is None
    assert "parameters" in said and "One image only" in said
    assert call("--run", run, "--patient", r"(\d)").exit_code == 2


def test_narrow_terminals_get_the_table_in_parts(root, monkeypatch):
    monkeypatch.setattr(score_table, "PLAIN_WIDTH", 44)
    result = call(*SOURCES)
    heads = [line.split() for line in result.stdout.splitlines() if "method " in line]
    assert [head[0] for head in heads] == ["method"] * len(heads) and len(heads) > 1
    assert [word for head in heads for word in head[1:]] == ["SF", "SSIM", "SCD"]
    rows = [line for line in result.stdout.splitlines() if line.strip().startswith("maximum")]
    assert len(rows) == len(heads) and max(map(len, rows)) <= 44


def test_help_loads_no_tensorflow():
    code = (
        "import sys\nfrom medgan.tools.evaluate import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        "    assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "medgan-evaluate --first CT" in result.stdout
