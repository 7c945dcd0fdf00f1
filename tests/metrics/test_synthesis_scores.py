import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan import ops
from medgan.metrics import SYNTHESIS_SCORES, encode, score_features, score_synthesis
from medgan.networks import scattering_encoder

KEYS = ["fid", "kid", "precision", "recall", "density", "coverage"]


def brightness():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))


def images(seed, count):
    return np.random.default_rng(seed).uniform(size=(count, 5, 5, 1)).astype("float32")


def test_table_has_every_score_with_its_convention():
    assert list(SYNTHESIS_SCORES) == KEYS
    better = [score.better for score in SYNTHESIS_SCORES.values()]
    assert better == ["lower", "lower", "higher", "higher", None, "higher"]
    assert "n < 200: biased upwards, read KID" in SYNTHESIS_SCORES["fid"].convention


def test_features_are_those_of_clipped_images_in_order():
    batches = [images(1, 20), 3 * images(2, 1) - 1, images(3, 2)]
    expected = np.concatenate(batches).clip(0, 1).mean(axis=(1, 2))
    features = encode(brightness(), iter(batches))
    assert features.dtype == "float64"
    assert_allclose(features, expected, rtol=1e-6)


def test_scores_are_those_of_the_features():
    real, generated = images(1, 12), images(2, 9)
    scores = score_synthesis(brightness(), [real[:5], real[5:]], [generated])
    sets = real.mean(axis=(1, 2)), generated.mean(axis=(1, 2))
    variances = [float(np.var(x, ddof=1)) for x in sets]
    shift = float(sets[0].mean() - sets[1].mean())
    # in one dimension the distance of Gaussians is that of (mean, deviation)
    frechet = shift**2 + (np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2
    assert_allclose(scores["fid"], frechet, rtol=1e-3)
    assert list(scores) == KEYS
    pair = [float(x) for x in ops.precision_recall(*sets)]
    assert_allclose([scores["precision"], scores["recall"]], pair, rtol=1e-6)
    pair = [float(x) for x in ops.density_coverage(*sets)]
    assert_allclose([scores["density"], scores["coverage"]], pair, rtol=1e-6)


def test_what_cannot_be_compared_is_refused():
    few, enough = np.zeros((5, 2)), np.zeros((6, 2))
    with pytest.raises(ValueError, match="Received 5 generated images, expected at least 6"):
        score_features(enough, few)
    broken = enough.copy()
    broken[2, 1] = np.nan
    with pytest.raises(ValueError, match="Received 1 real images without finite features"):
        score_features(broken, enough)
    with pytest.raises(ValueError, match="Received no images"):
        encode(brightness(), [])
    with pytest.raises(ValueError, match=r"Received a batch of shape \(5, 5, 1\)"):
        encode(brightness(), images(1, 2))
    with pytest.raises(ValueError, match="Received images of 5x5, expected at least 25 pixels"):
        encode(None, [images(1, 2)])


def test_built_in_encoder_takes_colour():
    colour = np.random.default_rng(0).uniform(size=(3, 25, 30, 3)).astype("float32")
    assert_allclose(
        encode(None, [colour]), scattering_encoder(channels=3)(colour), rtol=1e-4, atol=1e-5
    )


def test_built_in_encoder_sees_blur_noise_and_collapse_of_real_slices(atlas):
    cv2 = pytest.importorskip("cv2")
    paths = sorted((atlas / "CT-MRI" / "MRI").glob("*.png"))[::2]
    slices = [
        cv2.resize(cv2.imread(str(p), 0), (64, 64), interpolation=cv2.INTER_AREA) for p in paths
    ]
    slices = np.stack(slices)[..., None] / np.float32(255)
    patients = np.array([path.stem[:-3] for path in paths])
    first = np.isin(patients, np.unique(patients)[::2])
    noise = np.random.default_rng(0).normal(size=slices[~first].shape)
    blurred = np.stack([cv2.GaussianBlur(i, (0, 0), 0.7)[..., None] for i in slices[~first]])
    sets = {
        "clean": slices[~first],
        "noise": slices[~first] + 0.05 * noise,
        "blur": blurred,
        "collapse": np.repeat(slices[~first][[4]], 30, axis=0),
    }
    real = encode(None, [slices[first]])
    scores = {name: score_features(real, encode(None, [made])) for name, made in sets.items()}
    for name in ("noise", "blur", "collapse"):
        assert scores[name]["fid"] > 1.5 * scores["clean"]["fid"]
        assert scores[name]["kid"] > 2 * scores["clean"]["kid"]
        assert scores[name]["coverage"] < scores["clean"]["coverage"]
    assert scores["collapse"]["recall"] == 0 < scores["clean"]["recall"]
