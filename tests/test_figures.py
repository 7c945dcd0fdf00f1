import cv2
import numpy as np

from medgan.figures import sheet_figure


def test_sheet_shows_every_image_as_it_is_row_after_row(tmp_path):
    levels = np.linspace(0.2, 1.0, 5)
    images = {f"{level:.1f}": np.full((40, 40, 1), level) for level in levels}
    sheet_figure(images, tmp_path / "sheet.png", columns=3)
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    # Each image is a square of its own grey, at least 100 pixels wide: black is not stretched to.
    own = [np.abs(sheet.astype(int) - 255 * level) <= 1 for level in levels[:4]]
    areas = [mask.sum() for mask in own]
    assert min(areas) > 0.9 * max(areas) > 10_000
    tops = [np.flatnonzero(mask.sum(axis=1) > 100)[0] for mask in own]
    lefts = [np.flatnonzero(mask.sum(axis=0) > 100)[0] for mask in own]
    assert max(tops[:3]) - min(tops[:3]) <= 1 and tops[3] > tops[0] + 100
    assert lefts[0] < lefts[1] < lefts[2] and abs(lefts[3] - lefts[0]) <= 1
