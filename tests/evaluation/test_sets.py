import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.evaluation import Problems
from medgan.evaluation.sets import SetScoring, generated, latents
from medgan.metrics import score_synthesis

SIDE = 32
rng = np.random.default_rng(3)


def blobs(count, seed):
    """Smooth images that differ."""
    draws = np.random.default_rng(seed).uniform(0.2, 0.8, size=(count, 2, 2, 1))
    return np.asarray(keras.ops.image.resize(draws.astype("float32"), (SIDE, SIDE)))


def remembering(images):
    """A generator that gives back images that it knows, whatever the noise: the first ones."""
    known = keras.ops.convert_to_tensor(images)
    noise = keras.Input((3,))

    def give(z):
        return known[: keras.ops.shape(z)[0]]

    return keras.Model(noise, keras.layers.Lambda(give, output_shape=(SIDE, SIDE, 1))(noise))


def inventing():
    noise = keras.Input((3,))
    pixels = keras.layers.Dense(4, activation="sigmoid", kernel_initializer="normal")(noise)
    image = keras.layers.Reshape((2, 2, 1))(pixels)
    large = keras.layers.Resizing(SIDE, SIDE)(image)
    return keras.Model(noise, large)


@pytest.fixture(scope="module")
def scored():
    held_out, training = blobs(8, 1), blobs(12, 2)
    networks = {"copies": remembering(training), "invents": inventing()}
    scoring = SetScoring(networks, held_out, training, "copies")
    evaluation = scoring.evaluate(Problems(), title="sets", baseline="training images")
    return scoring, evaluation, held_out, training, networks


def test_scores_are_those_of_the_images_of_the_documented_noise(scored):
    scoring, evaluation, held_out, training, networks = scored
    scores = evaluation.scores()
    assert list(scores) == scoring.names == ["training images", "copies", "invents"]
    noise = np.random.default_rng(0).standard_normal((8, 3)).astype("float32")
    made = np.asarray(networks["invents"](noise))
    for method, images in (
        ("invents", made),
        ("copies", training[:8]),
        ("training images", training[np.linspace(0, 11, 8).round().astype(int)]),
    ):
        expected = score_synthesis(None, [held_out], [images])
        for key, value in expected.items():
            assert_allclose(scores[method][key], value, rtol=1e-5, atol=1e-6)


def test_copies_of_training_images_are_named(scored):
    evaluation = scored[1].to_dict()
    assert "8 of 8 images are at least twice as near" in evaluation["cautions"]["copies"][0]
    assert "invents" not in evaluation["cautions"]
    note = next(note for note in evaluation["notes"] if note.startswith("copies:"))
    assert "lie 0.00 (median; the nearest 0.00)" in note


def test_pictures_show_an_image_beside_the_training_image_it_copies(scored):
    scoring, evaluation, _, training, _ = scored
    pictures = scoring.pictures(evaluation, 3)
    assert len(pictures) == 3
    for picture in pictures:
        assert list(picture["images"]) == ["nearest training image", "copies", "invents"]
        own, copied = picture["images"]["copies"], picture["images"]["nearest training image"]
        np.testing.assert_array_equal(own, copied)
        known = np.round(255 * training[..., 0])
        assert any(np.array_equal(own, image) for image in known)


def test_costs_of_generators_are_counted_without_a_size(scored):
    cost = scored[1].to_dict()["costs"]["invents"]
    assert cost["parameters"] == 16 and cost["macs"] == 12


def test_progress_counts_every_image_that_is_encoded(scored):
    _, _, held_out, training, networks = scored
    seen = []
    scoring = SetScoring(networks, held_out, training, "copies", baselines=False)
    evaluation = scoring.evaluate(Problems(), seen.append)
    assert seen == [8, 20, 28, 36] and scoring.count == 36
    assert list(evaluation.scores()) == ["copies", "invents"]


def test_networks_that_take_as_much_noise_get_the_same():
    one, other = inventing(), inventing()
    np.testing.assert_array_equal(latents(one, 5), latents(other, 5))
    assert np.ptp(latents(one, 5)) > 1


def test_images_are_generated_in_parts_and_clipped():
    sizes = []

    def function(noise):
        sizes.append(len(noise))
        return 2 * noise[:, None, None, :] - 0.5

    noise = np.linspace(0, 1, 5, dtype="float32")[:, None]
    images = generated(function, noise, batch=2)
    assert sizes == [2, 2, 1]
    assert_allclose(images[:, 0, 0, 0], [0, 0, 0.5, 1, 1])
