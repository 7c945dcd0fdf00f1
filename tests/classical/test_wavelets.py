import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.classical import dwt, swt


def pairs(seed, *shape):
    """In the middle of the range, so that nothing is clipped."""
    return 0.4 + 0.2 * np.random.default_rng(seed).uniform(size=(*shape, 2)).astype("float32")


def blocks(image):
    """The four pixels of every 2x2 block: top left, top right, bottom left, bottom right."""
    return image[::2, ::2], image[::2, 1::2], image[1::2, ::2], image[1::2, 1::2]


def haar_fused(first, second, levels, low):
    """Haar transform, choice and inverse with nothing but sums of four pixels."""
    if levels == 0:
        return np.maximum(first, second) if low == "maximum" else (first + second) / 2
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    bands = [np.tensordot(signs, np.stack(blocks(image)), 1) for image in (first, second)]
    chosen = np.where(np.abs(bands[0]) >= np.abs(bands[1]), *bands)
    chosen[0] = haar_fused(bands[0][0], bands[1][0], levels - 1, low)
    image = np.empty(first.shape)
    for place, values in zip(blocks(image), np.tensordot(signs, chosen, 1), strict=True):
        place[...] = values
    return image


@pytest.mark.parametrize("low", ["average", "maximum"])
@pytest.mark.parametrize("levels", [1, 3])
def test_haar_by_hand(levels, low):
    sources = pairs(0, 2, 16, 24)
    fused = dwt(sources, wavelet="haar", levels=levels, low=low, consistent=False)
    for pair, result in zip(sources.astype("float64"), fused, strict=True):
        expected = haar_fused(pair[..., 0], pair[..., 1], levels, low)
        assert_allclose(result[..., 0], expected, atol=1e-6)


def test_one_pair_of_blocks_by_hand():
    # Blocks of 2x2: mean 0.5 with a step of 0.1 along x, mean 0.4 with a step of 0.2 along y.
    first = [[0.45, 0.55], [0.45, 0.55]]
    second = [[0.3, 0.3], [0.5, 0.5]]
    sources = np.stack([first, second], axis=-1)[None].astype("float32")
    fused = dwt(sources, wavelet="haar", levels=1, consistent=False)
    # both steps survive on the mean of the means
    expected = [[0.45 - 0.05 - 0.1, 0.45 + 0.05 - 0.1], [0.45 - 0.05 + 0.1, 0.45 + 0.05 + 0.1]]
    assert_allclose(fused[0, ..., 0], expected, atol=1e-6)


def test_consistency_overrules_a_lonely_choice():
    sources = np.full((1, 12, 12, 2), 0.5, "float32")
    # The first source has a step of 0.2 in every block, the second one of 0.4 in a single block.
    sources[0, :, ::2, 0] += 0.1
    sources[0, :, 1::2, 0] -= 0.1
    sources[0, 4:6, 4, 1] += 0.2
    sources[0, 4:6, 5, 1] -= 0.2
    settings = {"wavelet": "haar", "levels": 1}
    lonely = dwt(sources, consistent=False, **settings)[0, ..., 0]
    consistent = dwt(sources, **settings)[0, ..., 0]
    assert_allclose(lonely[4:6, 4] - lonely[4:6, 5], 0.4, atol=1e-6)
    assert_allclose(consistent, sources[0, ..., 0], atol=1e-6)


@pytest.mark.parametrize("low", ["average", "maximum"])
def test_stationary_haar_is_the_mean_over_all_shifts(low):
    # Decimated transforms of every shift of a periodic image, averaged: what an SWT is.
    pair = pairs(1, 1, 8, 8)[0].astype("float64")
    tiled = np.tile(pair, (5, 5, 1))[None].astype("float32")
    fused = swt(tiled, wavelet="haar", levels=2, low=low)[0, 16:24, 16:24, 0]
    expected = np.zeros((8, 8))
    for down in range(4):
        for right in range(4):
            shifted = np.roll(pair, (down, right), axis=(0, 1))
            once = haar_fused(shifted[..., 0], shifted[..., 1], 2, low)
            expected += np.roll(once, (-down, -right), axis=(0, 1)) / 16
    assert_allclose(fused, expected, atol=1e-6)


def test_stationary_transform_follows_a_shift():
    sources = pairs(2, 1, 96, 96)
    shift = 3
    moved = swt(np.roll(sources, shift, axis=2))[0, 30:60, 30 + shift : 60 + shift]
    assert_allclose(moved, swt(sources)[0, 30:60, 30:60], atol=1e-6)


@pytest.mark.parametrize("method", [dwt, swt])
@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4", "bior2.2"])
def test_image_comes_back_whatever_the_wavelet(method, wavelet):
    image = pairs(3, 1, 29, 34)[..., :1]
    both = np.repeat(image, 2, axis=-1)
    assert_allclose(method(both, wavelet=wavelet, levels=2), image, atol=1e-6)


@pytest.mark.parametrize("method", [dwt, swt])
def test_small_images_have_fewer_levels(method):
    sources = pairs(4, 1, 13, 40)
    # db2 has 4 taps: 13 pixels are enough for two levels, not for three
    assert_allclose(method(sources, levels=8), method(sources, levels=2))
    with pytest.raises(ValueError, match=r"13x40; .* at least 14 pixels a side"):
        method(sources, wavelet="sym4")


@pytest.mark.parametrize("method", [dwt, swt])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wavelet": "db999"}, "wavelet='db999'; expected a discrete wavelet of PyWavelets"),
        ({"wavelet": "morl"}, "wavelet='morl'"),
        ({"wavelet": 2}, "wavelet=2"),
        ({"low": "minimum"}, 'low=\'minimum\'; expected "average" or "maximum"'),
        ({"levels": -1}, "levels=-1; expected a whole number"),
    ],
)
def test_unknown_settings_are_refused(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(np.zeros((1, 16, 16, 2)), **settings)
