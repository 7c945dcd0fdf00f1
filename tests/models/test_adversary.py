import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.layers import DiffAugment
from medgan.losses import NonSaturatingLoss, StructuralFusionLoss
from medgan.models import DistillingGAN, FusionGAN
from medgan.models.adversary import Adversary
from medgan.networks import dense_fusion_generator, modality_discriminator, patch_discriminator


def images(channels=2, seed=0):
    return np.random.default_rng(seed).uniform(size=(2, 16, 16, channels)).astype("float32")


def test_judgement_is_neither_augmented_nor_moves_the_discriminator():
    discriminator, augmentation = modality_discriminator(width=2, seed=1), DiffAugment(seed=2)
    adversary = Adversary(discriminator, NonSaturatingLoss(), augmentation)
    state = [*discriminator.variables, *augmentation.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in state]
    real, fake = images(), images(1, seed=1)
    logits = adversary.judged(real, fake)
    for old, new in zip(before, state, strict=True):  # spectral norms and draws among them
        assert_array_equal(new, old)
    assert set(logits) == {"real", "fake"}
    assert_allclose(logits["real"], discriminator(real), atol=0)
    assert_allclose(logits["fake"], discriminator(np.concatenate([fake, fake], -1)), atol=0)


def test_fusion_gan_has_its_sources_and_its_fused_images_judged():
    trainer = FusionGAN(
        dense_fusion_generator(width=2, dense_layers=1, seed=1),
        modality_discriminator(width=2, seed=2),
        content_loss=StructuralFusionLoss(),
    )
    x = images()
    batch = trainer.as_batch(x)
    fused = trainer.synthesize(batch, training=False)
    logits = trainer.judged(batch, fused)
    repeated = np.concatenate([fused["fused"]] * 2, axis=-1)
    assert_allclose(logits["real"], trainer.discriminator(x), atol=0)
    assert_allclose(logits["fake"], trainer.discriminator(repeated), atol=0)


def test_distilling_gan_has_targets_and_the_students_images_judged_by_its_own_discriminator():
    teacher, student = (
        keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
        for _ in range(2)
    )
    trainer = DistillingGAN(
        teacher,
        student,
        patch_discriminator(width=2, seed=1),
        teacher_discriminator=patch_discriminator(width=2, seed=2),
        content_loss=keras.losses.MeanAbsoluteError(),
        task="translation",
    )
    x, y = images(1), images(1, seed=1)
    batch = trainer.as_batch((x, y))
    logits = trainer.judged(batch, trainer.synthesize(batch, training=False))
    assert_allclose(logits["real"], trainer.discriminator(y), atol=0)
    assert_allclose(logits["fake"], trainer.discriminator(student(x)), atol=0)


def test_a_discriminator_of_pairs_is_shown_the_source_before_the_image():
    discriminator = patch_discriminator(width=2, channels=3, seed=1)
    adversary = Adversary(discriminator, NonSaturatingLoss())
    source, real, fake = images(), images(1, seed=1), images(1, seed=2)
    logits = adversary.judged(real, fake, given=source)
    for name, image in (("real", real), ("fake", fake)):
        assert_allclose(logits[name], discriminator(np.concatenate([source, image], -1)), atol=0)
    assert_allclose(
        adversary.generator_loss(fake, given=source),
        np.mean(np.log1p(np.exp(-np.asarray(logits["fake"])))),
        rtol=1e-5,
    )


def test_a_discriminator_without_channels_for_the_source_is_refused():
    adversary = Adversary(patch_discriminator(width=2, seed=1), NonSaturatingLoss())
    with pytest.raises(ValueError, match="has the channels of both"):
        adversary.discriminator_loss(images(1), images(1), given=images(1))
