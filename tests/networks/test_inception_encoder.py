import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.networks import inception_encoder
from medgan.networks.inception_encoder import load_all_weights


def small(units=2, name="small"):
    image = keras.Input((3,))
    return keras.Model(image, keras.layers.Dense(units)(image), name=name)


def test_encoder_is_inception_with_the_weights_of_the_file(tmp_path):
    inception = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    inception.save_weights(tmp_path / "inception.weights.h5")
    encoder = inception_encoder(tmp_path / "inception.weights.h5")
    grey = np.random.default_rng(0).uniform(size=(1, 299, 299, 1)).astype("float32")
    expected = np.asarray(inception(2 * grey.repeat(3, axis=-1) - 1))
    assert expected.shape == (1, 2048) and expected.max() > 1e-3
    assert_allclose(encoder(grey), expected, rtol=1e-4, atol=1e-6)
    assert encoder.input_shape == (None, None, None, 1)
    assert encoder.trainable_variables == []


def test_missing_file_is_named():
    with pytest.raises(
        ValueError, match=r"weights='nowhere\.h5', which is no file.*downloads noth"
    ):
        inception_encoder("nowhere.h5")


def test_two_channels_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"channels=2, expected 1 \(grey\) or 3 \(colour\)"):
        inception_encoder(tmp_path, channels=2)


def test_all_weights_are_loaded(tmp_path):
    path = tmp_path / "small.weights.h5"
    small().save_weights(path)
    first, second = small(), small()
    load_all_weights(first, path)
    load_all_weights(second, path)
    assert_allclose(first(np.ones((1, 3))), second(np.ones((1, 3))))


def test_files_that_do_not_fit_are_refused_in_one_line(tmp_path):
    small(5).save_weights(tmp_path / "wide.weights.h5")
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "text.txt").write_text("no weights")
    for name in ("wide.weights.h5", "text.h5", "text.txt"):
        with pytest.raises(
            ValueError, match=rf"Cannot load .*{name} into small: .*Expected"
        ) as error:
            load_all_weights(small(), tmp_path / name)
        assert "\n" not in str(error.value)
