import base64

import cv2
import numpy as np
import pytest

from medgan.report import write_report
from medgan.report.pictures import encode


def decoded(address):
    head, data = address.split(",")
    assert head in {"data:image/png;base64", "data:image/webp;base64"}
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), "uint8"), cv2.IMREAD_UNCHANGED)
    if image.ndim == 3:  # WebP knows no grey: three equal channels
        assert (image == image[..., :1]).all()
        image = image[..., 0]
    return image


@pytest.mark.parametrize("kind", ["noise", "ramp", "constant", "thin"])
def test_pictures_are_embedded_without_loss(kind):
    image = {
        "noise": np.random.default_rng(0).integers(0, 256, (61, 47), "uint8"),
        "ramp": np.tile(np.arange(256, dtype="uint8"), (9, 1)),
        "constant": np.full((5, 5), 77, "uint8"),
        "thin": np.arange(7, dtype="uint8")[:, None],
    }[kind]
    encoded = encode(image)
    np.testing.assert_array_equal(decoded(encoded.address), image)
    assert (encoded.height, encoded.width) == image.shape and not encoded.reduced


def test_large_pictures_are_reduced_by_area():
    image = np.repeat(np.repeat(np.arange(48, dtype="uint8").reshape(6, 8), 192, 0), 192, 1)
    encoded = encode(image)  # 1152 x 1536, halved
    assert (encoded.width, encoded.height, encoded.reduced) == (768, 576, True)
    np.testing.assert_array_equal(decoded(encoded.address), image[::2, ::2])


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 1), "uint8"), np.zeros((0, 4))]
)
def test_what_is_no_grey_picture_is_refused(image):
    with pytest.raises(
        ValueError, match=r"Received a picture of .*expected uint8 \(height, width\)"
    ):
        encode(image)


def test_page_holds_each_picture_once_and_to_the_pixel(page_of, payload, pictures):
    page = page_of(payload, pictures)
    images = [image for image in page.found("img") if image.get("src")]
    wanted = [image for pair in pictures for image in pair["images"].values()]
    assert len(images) == len(wanted) == 10
    for image, expected in zip(images, wanted, strict=True):
        np.testing.assert_array_equal(decoded(image["src"]), expected)
        assert (int(image["height"]), int(image["width"])) == expected.shape
    assert images[1]["alt"] == "MR of 33001.png"


def test_first_pair_is_open_without_javascript(page_of, payload, pictures):
    blocks = page_of(payload, pictures).found("details", class_="pair")
    assert ["open" in block for block in blocks] == [True, False]


def test_page_says_that_pictures_are_reduced(page_of, payload, pictures):
    pictures[1]["images"]["CT"] = np.zeros((8, 800), "uint8")
    text = page_of(payload, pictures).text
    assert "The pictures of 1 pair are reduced to 768 pixels" in text


def test_twelve_real_pairs_of_nine_pictures_would_stay_below_eight_megabytes(
    atlas, tmp_path, payload
):
    pictures = []
    for path in sorted((atlas / "CT-MRI" / "MRI").glob("*.png"))[10:130:30]:
        mr = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        ct = cv2.imread(str(atlas / "CT-MRI" / "CT" / path.name), cv2.IMREAD_GRAYSCALE)
        fused = np.maximum(ct, mr)
        # the maximum is as rich in detail as any fused picture: seven of them stand for methods
        images = {"CT": ct, "MR": mr, **{f"method {n}": fused for n in range(7)}}
        pictures.append({"name": path.name, "patient": None, "images": images})
    assert len(pictures) == 4
    write_report(tmp_path / "report.html", payload, pictures)
    assert (tmp_path / "report.html").stat().st_size < 8e6 / 3
