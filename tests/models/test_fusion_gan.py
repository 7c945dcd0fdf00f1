import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from steps_by_hand import (
    DISCRIMINATOR_RATE,
    GENERATOR_RATE,
    assert_moved,
    assert_same_weights,
    compiled,
    descend,
    generator,
    images,
    judge,
    squared,
)

from medgan.losses import IntensityDetailLoss, LeastSquaresLoss, StructuralFusionLoss
from medgan.models import FusionGAN
from medgan.networks import (
    ddcgan_discriminator,
    dense_fusion_generator,
    modality_discriminator,
)


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


def laplacian(image):
    """Of four neighbours, `(batch, height, width, 1)`, borders cut."""
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], "float32")[..., None, None]
    return tf.nn.conv2d(image, kernel, 1, "VALID")


def test_a_step_of_fusiongan_equals_the_step_written_by_hand():
    """One judge of MR, which steps twice; labels 0.95 and 0.15; 100 times intensity and detail."""
    x = images(4, 2)
    ct, mr = x[..., :1], x[..., 1:]

    def parts():
        return generator(1, channels=2), judge(2)

    model = compiled(
        FusionGAN(
            *parts(),
            content_loss=IntensityDetailLoss(100.0, 500.0),
            adversarial_loss=LeastSquaresLoss(0.95, 0.15),
            adversarial_weight=1.0,
            judged_source=1,
            discriminator_steps=2,
        ),
        generator_rate=0.01,
    )
    model.train_on_batch(x)

    fuse, discriminator = networks = parts()
    fused = fuse(x)
    for _ in range(2):
        with tf.GradientTape() as tape:
            logits = discriminator(tf.concat([mr, fused], 0), training=True)
            loss = (squared(logits[:4], 0.95) + squared(logits[4:], 0.15)) / 2
        descend(tape, loss, [discriminator], DISCRIMINATOR_RATE)
    with tf.GradientTape() as tape:
        fused = fuse(x)
        loss = squared(discriminator(fused), 0.95)
        loss += 100 * (squared(fused, ct) + 5 * squared(laplacian(fused), laplacian(mr)))
    descend(tape, loss, [fuse], 0.01)

    ours = [model.generator, model.discriminator]
    assert_same_weights(ours, networks, atol=5e-6)
    for one, start in zip(ours, parts(), strict=True):
        assert_moved([one], [start])
    judged = model.judged(model.as_batch(x), model.synthesize({"x": x}, training=False))
    assert_allclose(judged["real"], model.discriminator(mr), atol=0)


def test_a_step_of_ddcgan_equals_the_step_written_by_hand():
    """Two judges with batch normalisation, whose losses add up."""
    x = images(4, 2)

    def parts():
        return generator(1, channels=2), ddcgan_discriminator(width=2, image_size=16, seed=2)

    model = compiled(
        FusionGAN(
            *parts(),
            content_loss=IntensityDetailLoss(3.0, 2.0, kind="variation"),
            adversarial_weight=2.0,
        ),
    )
    model.train_on_batch(x)

    fuse, discriminator = networks = parts()
    fused = fuse(x)
    with tf.GradientTape() as tape:
        real = tf.sigmoid(discriminator(x, training=True))
        fake = tf.sigmoid(discriminator(tf.concat([fused, fused], -1), training=True))
        # The mean over both judges: the discriminator's optimizer sets its own pace.
        loss = -tf.reduce_mean(tf.math.log(real)) - tf.reduce_mean(tf.math.log(1 - fake))
    descend(tape, loss, [discriminator], DISCRIMINATOR_RATE)
    averages = discriminator.get_weights()
    with tf.GradientTape() as tape:
        fused = fuse(x)
        logits = discriminator(tf.concat([fused, fused], -1), training=True)
        loss = -sum(tf.reduce_mean(tf.math.log(tf.sigmoid(logits[:, i]))) for i in range(2))
        loss += 3.0 * squared(fused, x[..., :1])
        missed = fused - x[..., 1:]
        right = tf.abs(missed[:, :-1, 1:] - missed[:, :-1, :-1])
        down = tf.abs(missed[:, 1:, :-1] - missed[:, :-1, :-1])
        loss += 2.0 * tf.reduce_mean(right + down)
    descend(tape, loss, [fuse], GENERATOR_RATE)
    discriminator.set_weights(averages)  # the generator's turn moves no average

    ours = [model.generator, model.discriminator]
    assert_same_weights(ours, networks, atol=5e-6)
    for one, start in zip(ours, parts(), strict=True):
        assert_moved([one], [start])


def grey_and_grain(count, seed):
    """An even CT of any brightness, an MR of grain: brightness of one and detail of the other."""
    draws = np.random.default_rng(seed)
    ct = np.ones((1, 16, 16)) * draws.uniform(0.3, 0.7, (count, 1, 1))
    grain = draws.uniform(-0.15, 0.15, (count, 16, 16))
    sources = np.stack([ct, 0.5 + grain], axis=-1).astype("float32")
    return sources, (ct + grain)[..., None].astype("float32")


def test_fusiongan_learns_brightness_of_one_source_and_detail_of_the_other():
    keras.utils.set_random_seed(1)
    model = FusionGAN(
        generator(1, channels=2, width=8),
        judge(2),
        content_loss=IntensityDetailLoss(100.0, 100.0),
        adversarial_loss=LeastSquaresLoss(0.95, 0.15),
        adversarial_weight=1.0,
        judged_source=1,
    )
    model.compile(keras.optimizers.Adam(2e-2, beta_1=0.5), keras.optimizers.Adam(2e-4, beta_1=0.5))
    model.fit(grey_and_grain(128, seed=1)[0], batch_size=8, epochs=20, verbose=0)
    held_out, expected = grey_and_grain(16, seed=9)
    fused = model.predict(held_out, verbose=0)
    missed = np.abs(fused - expected).mean()
    for simple in (held_out[..., :1], held_out[..., 1:], held_out.mean(-1, keepdims=True)):
        assert missed < 0.6 * np.abs(simple - expected).mean()


def test_a_judge_of_a_source_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="judged_source=2 for 2 sources, expected 0 to 1"):
        FusionGAN(generator(1, channels=2), judge(2), judged_source=2)
    with pytest.raises(ValueError, match="discriminator of 2 channels with judged_source=1"):
        FusionGAN(generator(1, channels=2), judge(2, channels=2), judged_source=1)
