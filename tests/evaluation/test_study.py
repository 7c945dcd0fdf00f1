import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.errors import DataError, RecipeError
from medgan.evaluation import ImageFolder, Patients, Problems, UnusableImage, folder_study

STEMS = ("1001", "1002", "12001")


def image(seed, shape=(6, 8)):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


@pytest.fixture
def root(tmp_path):
    """Two patients: 1 with the slices 001 and 002, 12 with the slice 001."""
    for number, stem in enumerate(STEMS):
        for folder, seed, extension in (("CT", number, "png"), ("MRI", 10 + number, "tif")):
            (tmp_path / folder).mkdir(exist_ok=True)
            path = tmp_path / folder / f"{stem}.{extension}"
            assert cv2.imwrite(str(path), image(seed))
    return tmp_path


def study(root, patients=None, problems=None):
    folders = [ImageFolder(name, root / name) for name in ("CT", "MRI")]
    return folder_study(folders, patients or Patients(), problems or Problems())


def test_sources_pair_by_stem_as_channels(root):
    received = study(root)
    assert received.names == ["1001.png", "1002.png", "12001.png"]
    assert received.patients == ["1", "1", "12"]
    assert received.titles == ["CT", "MRI"]
    for index in range(3):
        expected = np.stack([image(index), image(10 + index)], axis=-1)
        assert_array_equal(np.round(255 * received.read(index)), expected)


def test_sources_without_partner_are_left_out(root):
    (root / "MRI" / "1002.tif").unlink()
    assert cv2.imwrite(str(root / "MRI" / "9001.png"), image(0))
    problems = Problems()
    assert study(root, problems=problems).names == ["1001.png", "12001.png"]
    first, second = problems.lines
    assert first.startswith("1002.png (CT): received no image of this name in ")
    assert second.startswith("9001.png (MRI): ")
    with pytest.raises(DataError, match=r"1002\.png"):
        study(root, problems=Problems(strict=True))


def test_sources_that_are_there_twice_are_said_once(root):
    assert cv2.imwrite(str(root / "CT" / "1001.jpg"), image(0))
    problems = Problems()
    assert len(study(root, problems=problems)) == 2
    assert len(problems.lines) == 1 and "1001.jpg and 1001.png" in problems.lines[0]


def test_sizes_of_a_pair_must_agree(root):
    assert cv2.imwrite(str(root / "MRI" / "1001.tif"), image(0, (6, 7)))
    received = study(root)
    with pytest.raises(UnusableImage, match=r"1001\.tif \(MRI\): received 6 x 7 .* 6 x 8 in CT"):
        received.read(0)
    received.read(1)


def test_no_pair_at_all_is_an_error(root):
    for path in (root / "MRI").iterdir():
        path.rename(path.with_name(f"mr_{path.name}"))
    with pytest.raises(DataError, match="no name that all folders have"):
        study(root)


def test_patients_are_told_by_the_pattern(root):
    assert study(root, Patients(r"(\d)$")).patients == ["1", "2", "1"]


def test_patients_that_are_wanted_are_kept_and_others_are_no_problem(root):
    (root / "MRI" / "1002.tif").unlink()
    problems = Problems()
    received = study(root, Patients(wanted=["12"]), problems)
    assert received.names == ["12001.png"] and problems.lines == []
    assert {"1001", "1002", "12001"} == received.known


def test_names_that_tell_no_patient_make_all_images_alike(root):
    for folder, extension in (("CT", "png"), ("MRI", "tif")):
        assert cv2.imwrite(str(root / folder / f"control.{extension}"), image(0))
    received = study(root)
    assert received.patients is None and len(received) == 4
    (note,) = received.notes
    assert "the name control tells none (1 such names)" in note
    with pytest.raises(DataError, match=r"control: .*--patient"):
        study(root, Patients(r"(\d+)\d{3}$"))
    assert study(root, Patients(known=False)).notes == []


def test_patients_without_images_are_an_error(root):
    with pytest.raises(DataError, match="Patient 7 has no images; expected some of 1, 12"):
        study(root, Patients(wanted=["1", "7"]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": r"\d"}, "without a group"),
        ({"pattern": r"(\d)", "known": False}, "--no-patients"),
        ({"wanted": ["1"], "known": False}, "--no-patients"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(RecipeError, match=words):
        Patients(**settings)
