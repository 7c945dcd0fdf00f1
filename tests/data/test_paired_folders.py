import logging

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.data import paired_folders
from medgan.errors import DataError


def grey(seed=0, dtype="uint8", shape=(8, 10)):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, True)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def root(tmp_path):
    """Two patients: 1 with the slices 001 and 002, 12 with the slice 001."""
    for number, stem in enumerate(("1001", "1002", "12001")):
        write(tmp_path / "CT" / f"{stem}.png", grey(number))
        write(tmp_path / "MRI" / f"{stem}.png", grey(number + 10))
    return tmp_path


def refused(message, *args, **kwargs):
    with pytest.raises(DataError, match=message) as caught:
        paired_folders(*args, **kwargs)
    assert "\n" not in str(caught.value)


def test_channels_are_the_files_of_first_and_second(root):
    pairs = paired_folders(root)
    assert pairs.names == ("1001.png", "1002.png", "12001.png")
    assert pairs.patients == ("1", "1", "12")
    assert pairs.modalities == ("CT", "MRI")
    for index in range(3):
        assert_array_equal(pairs.images[index][..., 0], grey(index))
        assert_array_equal(pairs.images[index][..., 1], grey(index + 10))


def test_names_are_in_natural_order(tmp_path):
    for stem in ("s10", "s9", "s1"):
        for folder in ("CT", "MRI"):
            write(tmp_path / folder / f"{stem}.png", grey())
    assert paired_folders(tmp_path, patient="(s)").names == ("s1.png", "s9.png", "s10.png")


def test_home_is_expanded(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    assert len(paired_folders(f"~/{root.name}")) == 3


def test_hidden_and_other_files_are_left_out(root, caplog):
    (root / "CT" / ".1001.png").write_bytes(b"")
    (root / "CT" / "notes.txt").write_text("")
    (root / "CT" / "older").mkdir()
    with caplog.at_level(logging.DEBUG):
        assert len(paired_folders(root)) == 3
    assert "notes.txt" in caplog.text


@pytest.mark.parametrize("extension", [".tif", ".TIFF", ".PNG"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_lossless_files_of_either_depth_are_read_exactly(tmp_path, extension, dtype):
    write(tmp_path / "a" / f"7001{extension}", grey(1, dtype))
    write(tmp_path / "b" / "7001.png", grey(2, dtype))
    pairs = paired_folders(tmp_path, "a", "b")
    assert pairs.images[0].dtype == dtype
    assert_array_equal(pairs.images[0], np.stack([grey(1, dtype), grey(2, dtype)], axis=-1))


def test_jpeg_is_read_to_within_its_loss(root):
    smooth = np.tile(np.arange(100, 132, dtype="uint8"), (32, 1))
    for folder in ("CT", "MRI"):
        write(root / folder / "1003.jpg", smooth)
    image = paired_folders(root).images[2]
    assert np.abs(image[..., 0].astype(int) - smooth).max() <= 3


def test_eight_bits_beside_sixteen_are_widened_by_257(root):
    write(root / "MRI" / "1001.png", grey(5, "uint16"))
    image = paired_folders(root).images[0]
    assert image.dtype == np.uint16
    assert_array_equal(image[..., 0], grey(0).astype("uint16") * 257)
    assert_array_equal(image[..., 1], grey(5, "uint16"))


def test_twelve_bits_in_sixteen_are_warned_of(tmp_path, caplog):
    for folder in ("CT", "MRI"):
        write(tmp_path / folder / "1001.png", np.full((4, 4), 4095, "uint16"))
    paired_folders(tmp_path)
    assert "4095 of 65535" in caplog.text


def test_colour_file_of_equal_channels_is_grey(root):
    write(root / "CT" / "1001.png", np.dstack([grey()] * 3))
    opaque = np.full_like(grey(), 255)
    write(root / "CT" / "1002.png", np.dstack([*[grey(1)] * 3, opaque]))
    pairs = paired_folders(root)
    assert_array_equal(pairs.images[0][..., 0], grey())
    assert_array_equal(pairs.images[1][..., 0], grey(1))


def test_colour_is_refused(root):
    write(root / "MRI" / "1002.png", np.dstack([grey(1), grey(2), grey(3)]))
    refused(r"MRI/1002\.png: .*colour.*Convert", root)


def test_transparency_is_refused(root):
    write(root / "MRI" / "1002.png", np.dstack([*[grey()] * 3, grey(1)]))
    refused(r"1002\.png: .*transparent", root)


@pytest.mark.parametrize(
    ("extension", "kept"),
    # The end of a TIFF file may hold nothing of the image, that of PNG and JPEG is a marker.
    [(extension, kept) for extension in (".png", ".jpg", ".tif") for kept in (0, 1, 0.3, 0.6, 0.9)]
    + [(".png", -2), (".jpg", -2)],
)
def test_truncated_files_are_named(root, extension, kept, capfd):
    image = grey(3, shape=(64, 64))
    (root / "CT" / "1001.png").unlink()
    path = root / "CT" / f"1001{extension}"
    write(path, image)
    content = path.read_bytes()
    length = kept if isinstance(kept, int) else int(kept * len(content))
    path.write_bytes(content[:length])
    refused(rf"CT/1001\{extension}: received .*; expected a whole", root)
    assert capfd.readouterr().err == ""


def test_a_thumbnail_does_not_hide_a_truncated_jpeg(root):
    content = cv2.imencode(".jpg", grey(3, shape=(64, 64)))[1].tobytes()
    thumbnail = cv2.imencode(".jpg", grey(4))[1].tobytes()
    marker = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    for folder in ("CT", "MRI"):
        whole = content[:2] + marker + content[2:]
        (root / folder / "1003.jpg").write_bytes(whole)
    assert paired_folders(root).images[2].shape == (64, 64, 2)
    (root / "CT" / "1003.jpg").write_bytes(whole[:-200])
    refused(r"1003\.jpg: received a truncated", root)


def test_a_flipped_bit_is_found(root):
    content = bytearray((root / "CT" / "1001.png").read_bytes())
    content[len(content) // 2] ^= 4
    (root / "CT" / "1001.png").write_bytes(content)
    refused(r"1001\.png: .*checksum", root)


def test_text_called_png_is_refused(root):
    (root / "CT" / "1001.png").write_text("not an image at all")
    refused(r"1001\.png: received a file that is no PNG", root)


def test_other_depths_are_refused(root):
    for folder in ("CT", "MRI"):
        write(root / folder / "1003.tif", np.ones((4, 4), "float32"))
    refused(r"1003\.tif: received float32", root)


def test_stack_of_pages_is_refused(root):
    for folder in ("CT", "MRI"):
        assert cv2.imwritemulti(str(root / folder / "1003.tif"), [grey(), grey(1)])
    refused(r"1003\.tif: received a TIFF file of 2 pages", root)


def test_a_folder_called_like_an_image_is_left_out(root):
    (root / "CT" / "1009.png").mkdir()
    assert len(paired_folders(root)) == 3


def test_missing_partner_is_named_with_the_remedy(root):
    (root / "MRI" / "1002.png").unlink()
    refused(r"CT/1002\.png: .*1 such files, 2 pairs.*--set data\.on_missing=skip", root)


def test_missing_partners_are_skipped_with_a_warning(root, caplog):
    (root / "MRI" / "1002.png").unlink()
    write(root / "MRI" / "1003.png", grey())
    assert paired_folders(root, on_missing="skip").names == ("1001.png", "12001.png")
    assert "left out 2 files" in caplog.text
    assert "1002.png" in caplog.text


def test_no_common_name_is_refused_even_when_skipping(root):
    for path in (root / "MRI").iterdir():
        path.rename(path.with_name(f"mr_{path.name}"))
    refused("no name that is in CT/ and in MRI/", root, on_missing="skip")


def test_two_files_of_one_name_are_refused(root):
    write(root / "CT" / "1001.tif", grey())
    refused(r"1001\.tif: received a second image.*1001\.png", root)


def test_sizes_within_a_pair_must_agree(root):
    write(root / "MRI" / "1002.png", grey(shape=(8, 9)))
    refused(r"MRI/1002\.png: received 8 x 9 pixels beside 8 x 10", root)


def test_sizes_may_differ_between_pairs(root):
    for folder in ("CT", "MRI"):
        write(root / folder / "1002.png", grey(shape=(20, 5)))
    assert paired_folders(root).sizes() == ((8, 10), (20, 5), (8, 10))


def test_missing_root_is_named(tmp_path):
    refused("nowhere: received no such folder", tmp_path / "nowhere")


def test_missing_modality_says_which_folders_are_there(root):
    refused(r"PET: received no such folder, only CT, MRI", root, second="PET")


def test_empty_modality_is_named(root):
    (root / "PET").mkdir()
    (root / "PET" / "readme.md").write_text("")
    refused(r"PET: received 1 files but no image.*CT, MRI, PET", root, second="PET")


def test_name_without_a_patient_is_named_with_the_pattern(root):
    for folder in ("CT", "MRI"):
        write(root / folder / "control.png", grey())
    refused(r"control\.png: .*\\\\d\{3\}\$.*data\.patient", root)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patient": "("}, "no regular expression"),
        ({"patient": r"\d+"}, "without a group"),
        ({"on_missing": "ignore"}, '"error" or "skip"'),
        ({"second": "CT"}, "two different folders"),
    ],
)
def test_bad_settings_are_refused(root, settings, message):
    refused(message, root, **settings)


def test_atlas_has_130_pairs_of_7_patients(atlas):
    pairs = paired_folders(atlas / "CT-MRI")
    assert len(pairs) == 130
    assert set(pairs.patients) == {"2", "20", "21", "32", "33", "34", "37"}
    assert set(pairs.sizes()) == {(256, 256)}
    assert pairs.names[:2] == ("2004.png", "2005.png")
    direct = cv2.imread(str(atlas / "CT-MRI" / "MRI" / "2004.png"), cv2.IMREAD_UNCHANGED)
    assert_array_equal(pairs.images[0][..., 1], direct)
