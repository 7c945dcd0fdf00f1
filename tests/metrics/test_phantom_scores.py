import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy import ndimage

from medgan.data import phantom_anatomy as anatomy
from medgan.data import phantom_labels, phantoms
from medgan.metrics import PHANTOM_SCORES, RelativeContrast
from medgan.metrics.phantom_scores import phantom_contrast

KEYS = ["cnr_bone", "cnr_bleed", "cnr_oedema", "cnr_grey_white"]


@pytest.fixture(scope="module")
def data():
    """Sources in 0..255 and labels of nine slices."""
    arguments = {"count": 9, "patients": 3, "image_size": 96, "seed": 1}
    images = np.stack(phantoms(**arguments).images).astype("float32")
    return images, np.stack(phantom_labels(**arguments))


@pytest.fixture(scope="module")
def ratios():
    """The function in a graph, from sources, result and labels to arrays."""
    graph = tf.function(phantom_contrast, autograph=False, reduce_retracing=True)
    return lambda *images: {key: np.asarray(value) for key, value in graph(*images).items()}


def expected(sources, fused, labels, structure, neighbours):
    """Relative contrast of one slice, by NumPy and SciPy in double precision."""
    inside = labels == structure
    outside = np.isin(labels, neighbours) & ndimage.maximum_filter(inside, size=17)
    if min(inside.sum(), outside.sum()) < 12:
        return np.nan

    def contrast(image):
        first, second = image[inside].astype("float64"), image[outside].astype("float64")
        return abs(first.mean() - second.mean()) / np.sqrt((first.var() + second.var()) / 2)

    return contrast(fused) / max(contrast(sources[..., 0]), contrast(sources[..., 1]))


@pytest.mark.parametrize(
    ("key", "structure", "neighbours"),
    [
        (
            "cnr_bone",
            anatomy.BONE,
            [anatomy.SKIN, anatomy.FAT, anatomy.MUSCLE, anatomy.CSF, anatomy.GREY_MATTER],
        ),
        ("cnr_bleed", anatomy.BLEED, [anatomy.GREY_MATTER, anatomy.WHITE_MATTER]),
        ("cnr_oedema", anatomy.OEDEMA, [anatomy.WHITE_MATTER]),
        ("cnr_grey_white", anatomy.GREY_MATTER, [anatomy.WHITE_MATTER]),
    ],
)
def test_values_by_scipy(data, ratios, key, structure, neighbours):
    images, labels = data
    fused = 0.3 * images[..., :1] + 0.7 * images[..., 1:]
    values = [
        expected(pair, image[..., 0], label, structure, neighbours)
        for pair, image, label in zip(images, fused, labels, strict=True)
    ]
    assert np.isfinite(values).any()
    assert_allclose(ratios(images, fused, labels)[key], values, rtol=1e-4)


def test_each_source_shows_what_it_is_good_for(data, ratios):
    images, labels = data
    from_ct, from_mr = (ratios(images, images[..., i : i + 1], labels) for i in (0, 1))
    assert list(from_ct) == list(from_mr) == KEYS
    for key in KEYS:
        both = np.stack([from_ct[key], from_mr[key]])
        there = ~np.isnan(both[0])
        assert_allclose(both[:, there].max(axis=0), 1, rtol=1e-6)
    assert np.nanmean(from_mr["cnr_bleed"]) < 0.6
    assert np.nanmean(from_ct["cnr_oedema"]) < 0.3
    assert np.nanmean(from_ct["cnr_grey_white"]) < 0.6


def test_gain_does_not_matter(data, ratios):
    images, labels = data
    fused = images.mean(axis=-1, keepdims=True)
    bright, dark = ratios(images, fused, labels), ratios(images, fused / 2, labels)
    for key in KEYS:
        assert_allclose(bright[key], dark[key], rtol=1e-3)


def test_structures_that_are_absent_or_too_small_have_no_value(ratios):
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, size=(3, 24, 24, 2)).astype("float32")
    labels = np.full((3, 24, 24), anatomy.WHITE_MATTER)
    labels[1, 5:16, 7] = anatomy.OEDEMA  # 11 pixels
    labels[2, 5:17, 7] = anatomy.OEDEMA  # 12 pixels
    values = ratios(images, images[..., :1], labels)
    assert np.isnan(values["cnr_oedema"]).tolist() == [True, True, False]
    assert np.isnan(values["cnr_bone"]).all()


def test_what_no_source_shows_has_no_value(data, ratios):
    images, labels = data
    values = ratios(0 * images + 50, images[..., :1], labels)
    assert all(np.isnan(column).all() for column in values.values())


def test_table_has_the_same_values(data, ratios):
    images, labels = data
    fused = images.max(axis=-1, keepdims=True)
    assert list(PHANTOM_SCORES) == KEYS
    for key, values in ratios(images, fused, labels).items():
        assert_allclose(PHANTOM_SCORES[key].function(images, fused, labels), values, rtol=1e-5)


def truth(images, labels):
    return np.concatenate([images / 255, labels[..., None]], axis=-1).astype("float32")


def test_metric_is_the_mean_over_images_that_have_the_structure(data, ratios):
    images, labels = data
    fused = images.max(axis=-1, keepdims=True)
    values = ratios(images, fused, labels)["cnr_oedema"]
    assert 0 < np.isnan(values).sum() < len(values)
    metric = RelativeContrast("oedema")
    for part in (slice(0, 2), slice(2, 9)):
        metric.update_state(truth(images[part], labels[part]), fused[part] / 255)
    assert_allclose(metric.result(), np.nanmean(values), rtol=1e-5)


def test_weights_weigh_images_and_no_structure_is_zero(data, ratios):
    images, labels = data
    fused = images.mean(axis=-1, keepdims=True)
    values = ratios(images, np.round(fused), labels)["cnr_bone"]
    weights = np.arange(9.0)
    metric = RelativeContrast("bone")
    metric.update_state(truth(images, labels), fused / 255, sample_weight=weights)
    assert_allclose(metric.result(), np.average(values, weights=weights), rtol=1e-3)
    metric.reset_state()
    metric.update_state(truth(images, 0 * labels), fused / 255)
    assert_allclose(metric.result(), 0)


def test_metric_survives_serialisation():
    metric = RelativeContrast("grey_white", name="other", dtype="float32")
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == "medgan>RelativeContrast"
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == metric.get_config()
    assert (copy.name, copy.structure) == ("other", "grey_white")
    assert RelativeContrast("bleed").name == "cnr_bleed"


def test_unknown_structures_are_refused():
    with pytest.raises(ValueError, match=r"'tumour', expected one of bone, bleed"):
        RelativeContrast("tumour")
