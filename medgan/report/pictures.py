"""Pictures inside the page: lossless, each of them once, reduced where they are large."""

import base64
import dataclasses

import cv2
import numpy as np

from medgan.report.formatting import counted, escape
from medgan.report.tables import pair_table

# Longer sides are reduced: a page is for looking, and must open on a phone.
LONGEST_SIDE = 768


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A picture as it is embedded.

    Args:
        address: `data:` address of a PNG or WebP file without loss.
        width: in pixels, as embedded.
        height: in pixels, as embedded.
        reduced: whether the picture was larger.
    """

    address: str
    width: int
    height: int
    reduced: bool


def encode(image):
    """Encodes a picture as the smaller of PNG and lossless WebP.

    Args:
        image: uint8 `(height, width)`; a side over `LONGEST_SIDE` is reduced by area.

    Returns:
        An `Encoded`.

    Raises:
        ValueError: if the image is not a grey picture of 8 bits.

    Example:
        >>> import numpy as np
        >>> from medgan.report.pictures import encode
        >>> encoded = encode(np.zeros((4, 1536), "uint8"))
        >>> encoded.width, encoded.height, encoded.reduced
        (768, 2, True)
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        raise ValueError(
            f"Received a picture of {image.dtype} {image.shape}, expected uint8 (height, width): "
            "scale it to 0..255 and round."
        )
    height, width = image.shape
    factor = LONGEST_SIDE / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = np.ascontiguousarray(image)
    files = {
        "png": cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1],
        # A quality above 100 is how OpenCV asks for WebP without loss.
        "webp": cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1],
    }
    kind = min(files, key=lambda name: len(files[name]))
    text = base64.b64encode(files[kind].tobytes()).decode("ascii")
    return Encoded(f"data:image/{kind};base64,{text}", image.shape[1], image.shape[0], factor < 1)


def pair_blocks(payload, pictures):
    """Builds one block for each pair: its pictures and its scores.

    Without JavaScript the blocks are what the reader sees, the first one open; with it, the viewer
    takes its pictures from here, so that each is in the page only once.

    Args:
        payload: what the evaluation found.
        pictures: dicts with `name`, `patient` and `images`: title to uint8 `(height, width)`.

    Returns:
        HTML of all blocks, and how many pairs had to be reduced.
    """
    numbers = {image["name"]: n for n, image in enumerate(payload.get("images") or [])}
    blocks, reduced = [], 0
    for index, pair in enumerate(pictures):
        encoded = {title: encode(image) for title, image in pair["images"].items()}
        reduced += any(picture.reduced for picture in encoded.values())
        label = pair["name"]
        if pair.get("patient") is not None:
            label += f", patient {pair['patient']}"
        figures = "".join(_figure(pair["name"], *item) for item in encoded.items())
        table = pair_table(payload, numbers[pair["name"]]) if pair["name"] in numbers else ""
        blocks.append(
            f'<details class="pair"{"" if index else " open"}><summary>{escape(label)}</summary>'
            f'<div class="sheet">{figures}</div>{table}</details>'
        )
    return "".join(blocks), reduced


def _figure(name, title, picture):
    title, name = escape(title), escape(name)
    return (
        f'<figure data-title="{title}"><img src="{picture.address}" width="{picture.width}" '
        f'height="{picture.height}" decoding="async" alt="{title} of {name}">'
        f'<figcaption data-title="{title}">{title}</figcaption></figure>'
    )


def reduced_sentence(reduced, noun):
    """Says that pictures are smaller than what was scored; empty if none is."""
    if not reduced:
        return ""
    return (
        f"The pictures of {counted(reduced, noun)} are reduced to {LONGEST_SIDE} pixels for this "
        "page; the scores are those of the full size."
    )
