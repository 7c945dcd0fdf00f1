import cv2
import numpy as np
import pytest

from medgan.metrics import Cautions


def pairs(count=4, side=96):
    """A bright ring and a textured disc on black, in one source each."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    radius = np.hypot(x, y) / side
    out = []
    for _ in range(count):
        texture = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 2) * 120
        ring = np.where((radius > 0.33) & (radius < 0.4), 255, 60 + rng.normal(size=(side, side)))
        disc = np.where(radius < 0.33, 110 + texture, 20)
        out.append(np.stack([ring, disc], axis=-1) * (radius < 0.4)[..., None])
    return [np.clip(np.round(image), 0, 255) for image in out]


def cautions(sources, fused):
    """Sentences about results."""
    seen = Cautions()
    for pair, image in zip(sources, fused, strict=True):
        seen.add(pair, image)
    return seen.sentences()


def said(method, sources):
    """Sentences about the 8-bit results of a method."""
    results = [np.clip(np.round(method(pair)), 0, 255) for pair in sources]
    return cautions(sources, [result[..., None] for result in results])


def brightest(pair):
    return pair.max(axis=-1)


def sharpened(image, amount):
    return image + amount * (image - cv2.GaussianBlur(image, (0, 0), 1.5))


def stretched(image):
    return 255 * (image - image.min()) / (image.max() - image.min())


QUIET = {
    "average": lambda pair: pair.mean(axis=-1),
    "maximum": brightest,
    "weighted": lambda pair: 0.6 * pair[..., 0] + 0.5 * pair[..., 1],
    "blurred maximum": lambda pair: cv2.GaussianBlur(brightest(pair), (0, 0), 0.7),
    "slightly sharpened": lambda pair: sharpened(brightest(pair), 0.2),
}
LOUD = {
    "lifted": (lambda pair: brightest(pair) + 15, ["lifted by 15.0 grey levels"]),
    "stretched": (
        lambda pair: stretched(sharpened(brightest(pair), 0.6)),
        ["black in both sources, is lifted", "4 of 4 results fill 0..255"],
    ),
    "unsharp mask": (lambda pair: sharpened(brightest(pair), 2), ["sharpening"]),
    "contrast": (lambda pair: brightest(pair) * 1.4, ["brighter than both sources"]),
    "clipped sum": (lambda pair: pair.sum(axis=-1), ["brighter than both sources"]),
    "first source": (lambda pair: pair[..., 0], ["the first source, unchanged"]),
    "second source": (lambda pair: pair[..., 1], ["the second source, unchanged"]),
    "constant": (lambda pair: 0 * pair[..., 0] + 90, ["4 of 4 results are constant"]),
    "0..1 saved as 0..255": (lambda pair: brightest(pair) / 255, ["4 of 4 results are constant"]),
}


def atlas_pairs(atlas, names):
    root = atlas / "CT-MRI"
    return [
        np.stack([cv2.imread(str(root / kind / name), 0) for kind in ("CT", "MRI")], axis=-1)
        for name in names
    ]


NAMES = ["2010.png", "20013.png", "21014.png", "33013.png", "37011.png"]


@pytest.mark.parametrize("name", QUIET)
def test_honest_fusion_passes(name):
    assert said(QUIET[name], pairs()) == []


@pytest.mark.parametrize("name", LOUD)
def test_games_are_seen(name):
    method, expected = LOUD[name]
    sentences = said(method, pairs())
    assert len(sentences) == len(expected)
    for sentence, part in zip(sentences, expected, strict=True):
        assert part in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence


@pytest.mark.parametrize("name", ["average", "maximum"])
def test_honest_fusion_of_the_atlas_passes(atlas, name):
    sources = [pair.astype("float64") for pair in atlas_pairs(atlas, NAMES)]
    assert said(QUIET[name], sources) == []


@pytest.mark.parametrize("name", ["lifted", "stretched", "contrast", "second source"])
def test_games_on_the_atlas_are_seen(atlas, name):
    method, expected = LOUD[name]
    sources = [pair.astype("float64") for pair in atlas_pairs(atlas, NAMES)]
    sentences = said(method, sources)
    assert len(sentences) == len(expected)
    assert expected[0] in sentences[0]


@pytest.mark.parametrize(
    ("method", "suspicious"),
    [("average", False), ("max", False), ("lp4_max", False), ("gff", False), ("sum_clip", True)],
)
def test_published_methods_on_the_atlas(atlas, oracle, method, suspicious):
    fused = [
        cv2.imread(str(oracle / "fused" / f"{method}__{name}"), 0)[..., None] for name in NAMES
    ]
    sentences = cautions(atlas_pairs(atlas, NAMES), fused)
    assert bool(sentences) == suspicious
    assert all("brighter than both sources" in sentence for sentence in sentences)


def test_the_cost_of_a_lifted_background_is_that_of_ssim():
    sources = pairs(1)
    (sentence,) = said(LOUD["lifted"][0], sources)
    background = np.mean(sources[0].max(axis=-1) == 0)
    constant = (0.01 * 255) ** 2
    assert f"costs up to {background * (1 - constant / (15**2 + constant)):.2f} of" in sentence


def test_noise_in_the_background_is_not_stretching():
    rng = np.random.default_rng(1)
    noisy = [brightest(pair) + rng.normal(size=pair.shape[:2]) * 8 for pair in pairs()]
    noisy = [np.clip(np.round(image), 0, 255)[..., None] for image in noisy]
    assert not any("fill 0..255" in sentence for sentence in cautions(pairs(), noisy))


def test_filling_the_range_is_stretching_where_the_sources_do_not():
    dim = [20 + pair * 0.5 for pair in pairs()]
    sentences = said(lambda pair: stretched(pair.mean(axis=-1)), dim)
    assert any("4 of 4 results fill 0..255" in sentence for sentence in sentences)
    assert said(lambda pair: pair.mean(axis=-1), dim) == []


def test_equal_sources_may_be_returned():
    equal = [np.repeat(pair[..., :1], 2, axis=-1) for pair in pairs()]
    assert said(lambda pair: pair[..., 0], equal) == []


def test_one_constant_result_of_many_is_counted():
    seen = Cautions()
    for index, pair in enumerate(pairs()):
        seen.add(pair, 0 * pair[..., :1] if index == 2 else pair.max(axis=-1, keepdims=True))
    (sentence,) = seen.sentences()
    assert sentence.startswith("1 of 4 results are constant")


def test_constant_sources_and_nothing_at_all_pass():
    black = np.zeros((16, 16, 2))
    assert cautions([black], [black[..., :1]]) == []
    assert cautions([black + 77], [black[..., :1] + 77]) == []
    assert Cautions().sentences() == []


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Received sources of shape \(8, 8, 3\)"):
        Cautions().add(np.zeros((8, 8, 3)), np.zeros((8, 8, 1)))
    with pytest.raises(ValueError, match="of the same size"):
        Cautions().add(np.zeros((8, 8, 2)), np.zeros((8, 9, 1)))
