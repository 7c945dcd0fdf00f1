import keras
import numpy as np
from numpy.testing import assert_allclose

from medgan.losses import StructuralFusionLoss
from medgan.models import FusionGAN
from medgan.networks import dense_fusion_generator, modality_discriminator


def blobs(count, seed):
    """Two sources with bright discs at different places: the maximum is the obvious fusion."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    images = np.zeros((count, 32, 32, 2), "float32")
    for image in images:
        for channel in range(2):
            row, column = generator.uniform(8, 24, 2)
            inside = (rows - row) ** 2 + (columns - column) ** 2 < 36
            image[..., channel] = np.where(inside, 0.9, 0.1)
    return images


def test_a_small_fusion_problem_is_learned():
    keras.utils.set_random_seed(1)
    model = FusionGAN(
        dense_fusion_generator(width=6, head="tanh", dense_layers=1, seed=1),
        modality_discriminator(width=4, seed=2),
        content_loss=StructuralFusionLoss(),
    )
    model.compile(keras.optimizers.Adam(3e-3), keras.optimizers.Adam(2e-4, beta_1=0.5))
    held_out = blobs(8, seed=9)
    target = held_out.max(-1, keepdims=True)
    before = np.abs(model.predict(held_out, verbose=0) - target).mean()
    model.fit(blobs(64, seed=1), batch_size=8, epochs=8, verbose=0)
    after = np.abs(model.predict(held_out, verbose=0) - target).mean()
    average = np.abs(held_out.mean(-1, keepdims=True) - target).mean()
    assert after < before / 3
    assert after < average


def test_model_call_is_the_generator():
    generator = dense_fusion_generator(width=2, dense_layers=1)
    model = FusionGAN(generator, modality_discriminator(width=2))
    x = blobs(2, seed=0)
    assert_allclose(model(x), generator(x), atol=0)
