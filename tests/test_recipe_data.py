import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.data import Pairs
from medgan.recipe import read_recipe
from medgan.recipe_data import RecipeData, of_one_size, resized, spread


def pairs_of(*images):
    names = tuple(map(str, range(len(images))))
    return Pairs(names, names, images)


def test_images_are_reduced_by_the_means_of_areas():
    image = np.random.default_rng(0).uniform(size=(8, 8, 2)).astype("float32")
    small = resized(pairs_of(image), 4).images[0]
    assert_allclose(small, image.reshape(4, 2, 4, 2, 2).mean(axis=(1, 3)), rtol=1e-5)


def test_of_a_rectangle_the_middle_square_is_taken():
    image = np.arange(4 * 8 * 2, dtype="uint8").reshape(4, 8, 2)
    assert_array_equal(resized(pairs_of(image), 4).images[0], image[:, 2:6])


def test_types_stay_and_what_has_the_size_is_left_alone():
    image = np.zeros((6, 6, 2), "uint16")
    pairs = pairs_of(image)
    assert resized(pairs, 6) is pairs and resized(pairs, 0) is pairs
    assert resized(pairs, 3).images[0].dtype == np.uint16


def test_spread_takes_the_ends_and_what_lies_evenly_between():
    pairs = pairs_of(*(np.full((2, 2, 2), level, "uint8") for level in range(9)))
    assert spread(pairs, 3).names == ("0", "4", "8")
    assert len(spread(pairs, 100)) == 9


def test_pairs_of_one_size_are_those_of_the_first():
    pairs = pairs_of(*(np.zeros((side, side, 2), "uint8") for side in (4, 5, 4)))
    assert of_one_size(pairs).names == ("0", "2")


@pytest.mark.parametrize(("resize", "labelled"), [(0, True), (24, False)])
def test_labels_are_dropped_with_the_pixels_that_they_name(resize, labelled):
    settings = ["data.count=3", "data.patients=3", "data.image_size=32"]
    recipe = read_recipe("kgan", settings)
    recipe.tables["data"]["resize"] = resize
    data = RecipeData(recipe)
    assert (data.labels is not None) is labelled
    assert data.pairs.sizes()[0] == ((24, 24) if resize else (32, 32))
