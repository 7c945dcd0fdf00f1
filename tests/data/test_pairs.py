import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.data import Pairs
from medgan.errors import DataError


def constant(value, dtype="uint8", shape=(4, 6, 2)):
    return np.full(shape, value, dtype)


def three():
    return Pairs(
        ("a.png", "b.png", "c.png"),
        ("1", "2", "1"),
        (constant(0), constant(51), constant(13107, "uint16", (3, 3, 2))),
    )


def test_images_are_divided_by_their_full_scale():
    pairs = three()
    assert len(pairs) == 3
    assert pairs.image(1).dtype == np.float32
    # 51 / 255 = 13107 / 65535 = 0.2
    assert_allclose(pairs.image(1), 0.2, rtol=1e-6)
    assert_allclose(pairs.image(2), 0.2, rtol=1e-6)
    assert pairs.images[2].dtype == np.uint16


def test_float_images_pass_unchanged():
    image = np.linspace(0, 1, 12, dtype="float32").reshape(2, 3, 2)
    assert_array_equal(Pairs(("a",), ("1",), (image,)).image(0), image)


def test_sizes_are_height_and_width():
    assert three().sizes() == ((4, 6), (4, 6), (3, 3))


def test_selection_keeps_the_given_order_and_shares_pixels():
    pairs = three()
    chosen = pairs.select(np.array([2, 0]))
    assert chosen.names == ("c.png", "a.png")
    assert chosen.images[0] is pairs.images[2]


def test_patients_come_with_all_their_slices_in_order():
    assert three().of_patients({"1"}).names == ("a.png", "c.png")


def test_unknown_patient_is_named():
    with pytest.raises(DataError, match=r"'9'.*1, 2"):
        three().of_patients(["9"])


def test_no_pairs_is_a_valid_set():
    assert len(three().of_patients([])) == 0


@pytest.mark.parametrize(
    ("names", "patients", "images", "message"),
    [
        (("a",), ("1", "2"), (constant(0),), "1 names, 2 patients and 1 images"),
        (("a", "a"), ("1", "2"), (constant(0), constant(0)), "'a' twice"),
        (("",), ("1",), (constant(0),), "not empty"),
        (("a",), (1,), (constant(0),), "two strings"),
        (("a",), ("1",), (constant(0, shape=(4, 6)),), r"a: .*\(4, 6\)"),
        (("a",), ("1",), (constant(0, shape=(4, 6, 3)),), r"\(4, 6, 3\)"),
        (("a",), ("1",), (constant(0, shape=(0, 6, 2)),), r"\(0, 6, 2\)"),
        (("a",), ("1",), ([[1, 2]],), "list"),
        (("a",), ("1",), (constant(0, "int16"),), "int16"),
        (("a",), ("1",), (constant(2, "float32"),), "from 2 to 2"),
        (("a",), ("1",), (constant(np.nan, "float32"),), "nan"),
    ],
)
def test_bad_parts_are_refused_in_one_line(names, patients, images, message):
    with pytest.raises(DataError, match=message) as caught:
        Pairs(names, patients, images)
    assert "\n" not in str(caught.value)


def test_modalities_must_differ():
    with pytest.raises(DataError, match="modalities"):
        Pairs((), (), (), ("CT", "CT"))
