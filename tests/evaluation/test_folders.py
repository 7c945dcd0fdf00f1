import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.data.grey_files import read_grey
from medgan.errors import DataError
from medgan.evaluation import ImageFolder, Problems, UnusableImage
from medgan.evaluation.folders import depth_note

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (6, 8), "uint8")
COLOUR = rng.integers(0, 256, (6, 8, 3), "uint8")


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def read(tmp_path, image, name="a.png"):
    """The image as the folder gives it back, and the folder's notes."""
    write(tmp_path / name, image)
    folder = ImageFolder("mine", tmp_path)
    return folder.read("a"), list(folder.notes())


@pytest.mark.parametrize(("dtype", "full"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_each_depth_is_divided_by_its_own_full_scale(tmp_path, dtype, full, extension):
    image = rng.integers(0, full, (6, 8), dtype, endpoint=True)
    received, notes = read(tmp_path, image, f"a.{extension}")
    assert_allclose(received, image / full, rtol=1e-6)
    assert received.dtype == "float32" and notes == []


def test_colour_becomes_luminance_and_that_is_said(tmp_path):
    received, notes = read(tmp_path, COLOUR)
    blue, green, red = COLOUR.astype("float64").transpose(2, 0, 1)
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    assert_allclose(255 * received, expected, atol=0.51)  # rounded to 8 bits
    (note,) = notes
    assert note.startswith("mine: 1 of 1 images are in colour") and "BT.601" in note


def test_sixteen_bits_in_colour_keep_their_precision(tmp_path):
    colour = COLOUR.astype("uint16") * 257
    received, _ = read(tmp_path, colour)
    blue, green, red = colour.astype("float64").transpose(2, 0, 1)
    assert_allclose(65535 * received, 0.299 * red + 0.587 * green + 0.114 * blue, atol=0.51)


def test_three_equal_channels_are_grey(tmp_path):
    received, notes = read(tmp_path, np.dstack([GREY] * 3))
    assert_array_equal(np.round(255 * received), GREY)
    assert notes == []


def test_floats_are_taken_as_they_are(tmp_path):
    image = rng.uniform(size=(6, 8)).astype("float32")
    received, _ = read(tmp_path, image, "a.tif")
    assert_array_equal(received, image)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "received 1 of 48 pixels that are NaN or infinite"),
        (np.inf, "received 1 of 48 pixels that are NaN or infinite"),
        (-0.5, "received float values from -0.5 to"),
        (200.0, "to 200; expected [0, 1]"),
    ],
)
def test_floats_elsewhere_are_refused(tmp_path, value, words):
    image = rng.uniform(size=(6, 8)).astype("float32")
    image[2, 3] = value
    with pytest.raises(UnusableImage) as caught:
        read(tmp_path, image, "a.tif")
    assert words in str(caught.value) and str(caught.value).startswith("a.tif (mine): ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a.png (mine): received an empty file"),
        (b"text", "a.png (mine): received a file that is no PNG"),
        (cv2.imencode(".png", GREY)[1].tobytes()[:-20], "a.png (mine): received a truncated PNG"),
    ],
)
def test_damaged_files_are_named_without_their_folder(tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnusableImage) as caught:
        ImageFolder("mine", tmp_path).read("a")
    assert str(caught.value).startswith(words)


def test_transparency_is_refused(tmp_path):
    with pytest.raises(UnusableImage, match="transparent"):
        read(tmp_path, np.dstack([GREY] * 4))


@pytest.mark.parametrize(
    ("dtype", "brightest", "words"),
    [("uint16", 4095, "4095 of 65535"), ("uint8", 1, "1 of 255")],
)
def test_values_far_below_full_scale_are_said(tmp_path, dtype, brightest, words):
    _, notes = read(tmp_path, np.full((4, 4), brightest, dtype))
    assert len(notes) == 1 and words in notes[0]


def test_two_files_of_one_name_are_none(tmp_path):
    for name in ("a.png", "a.tif", "b.png"):
        write(tmp_path / name, GREY)
    folder = ImageFolder("mine", tmp_path)
    assert list(folder.files) == ["b"]
    assert [path.name for path in folder.twice["a"]] == ["a.png", "a.tif"]


def test_hidden_files_and_folders_and_text_are_left_out(tmp_path):
    write(tmp_path / "a.png", GREY)
    (tmp_path / ".b.png").write_bytes(b"")
    (tmp_path / "c.png").mkdir()
    (tmp_path / "d.txt").write_text("")
    assert list(ImageFolder("mine", tmp_path).files) == ["a"]


def test_no_folder_and_no_image_are_errors(tmp_path):
    with pytest.raises(DataError, match="gone: received no such folder for mine"):
        ImageFolder("mine", tmp_path / "gone")
    with pytest.raises(DataError, match="received no image for mine"):
        ImageFolder("mine", tmp_path)


def test_depths_that_differ_are_said(tmp_path):
    write(tmp_path / "x" / "a.png", GREY)
    write(tmp_path / "y" / "a.png", GREY.astype("uint16") * 257)
    folders = [ImageFolder(name, tmp_path / name) for name in ("x", "y")]
    for folder in folders:
        folder.read("a")
    assert depth_note(folders[:1]) is None
    assert "16 bits: y; 8 bits: x" in depth_note(folders)


def test_first_problem_is_raised_when_strict():
    lenient, strict = Problems(), Problems(strict=True)
    error = UnusableImage("a.png", "mine", "received\n this")
    lenient.add(error)
    assert lenient.lines == ["a.png (mine): received this"]
    with pytest.raises(DataError):
        strict.add(error)


def test_read_grey_takes_colour_only_when_asked(tmp_path):
    write(tmp_path / "a.png", COLOUR)
    with pytest.raises(DataError, match="colour"):
        read_grey(tmp_path / "a.png")
    expected = np.round(COLOUR @ np.array([0.114, 0.587, 0.299]))
    assert_array_equal(read_grey(tmp_path / "a.png", colour="luminance"), expected)
