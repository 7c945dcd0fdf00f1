import functools

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan import precision
from medgan.networks import dense_fusion_generator, full_precision, modality_discriminator

IMAGES = np.random.default_rng(0).uniform(size=(1, 24, 24, 2)).astype("float32")


# With another head it would begin as the maximum of its sources, in any precision.
tanh_generator = functools.partial(dense_fusion_generator, head="tanh")


@pytest.mark.parametrize("build", [tanh_generator, modality_discriminator])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_network_becomes_the_float32_network_of_its_weights(build, policy):
    expected = build(width=2, seed=0)
    with precision.policy(policy):
        mixed = build(width=2, seed=1)
    mixed.set_weights(expected.get_weights())
    whole = full_precision(mixed)
    assert all(layer.compute_dtype == "float32" for layer in whole.layers)
    assert_array_equal(whole(IMAGES), expected(IMAGES))
    assert np.any(np.asarray(mixed(IMAGES)) != np.asarray(whole(IMAGES)))
    assert keras.config.dtype_policy().name == "float32"


def test_a_float32_network_stays_the_object_that_it_is():
    network = dense_fusion_generator(width=2)
    assert full_precision(network) is network
    assert_allclose(full_precision(network)(IMAGES), network(IMAGES))
