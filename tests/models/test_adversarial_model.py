import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.layers import DiffAugment
from medgan.losses import StructuralFusionLoss
from medgan.metrics import FusionScore
from medgan.models import FusionGAN
from medgan.networks import dense_fusion_generator, modality_discriminator
from medgan.ops import quantise


def small_gan(**kwargs):
    generator = dense_fusion_generator(width=3, head="tanh", dense_layers=1, seed=1)
    discriminator = modality_discriminator(width=2, seed=2)
    return FusionGAN(generator, discriminator, content_loss=StructuralFusionLoss(), **kwargs)


def images(count=4, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, 24, 24, 2)).astype("float32")


def values(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_one_step_equals_the_step_written_by_hand():
    x = images()
    model = small_gan(adversarial_weight=0.5)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=True)
    hand = small_gan(adversarial_weight=0.5)
    generator, discriminator = hand.generator, hand.discriminator
    model.train_on_batch(x)

    # Discriminator first, on the images of the generator as it was; eq. 9.
    fake = generator(x, training=True)
    with tf.GradientTape() as tape:
        both = tf.concat([x, tf.concat([fake, fake], -1)], 0)
        logits = discriminator(both, training=True)
        real_logits, fake_logits = logits[:4], logits[4:]
        loss = tf.reduce_mean(tf.math.log(1 + tf.exp(-real_logits)))
        loss += tf.reduce_mean(tf.math.log(1 + tf.exp(fake_logits)))
    gradients = tape.gradient(loss, discriminator.trainable_variables)
    for variable, gradient in zip(discriminator.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.2 * gradient)
    # Then the generator, against the new discriminator; eq. 8.
    with tf.GradientTape() as tape:
        fake = generator(x, training=True)
        logits = discriminator(tf.concat([fake, fake], -1), training=False)
        loss = tf.reduce_mean(StructuralFusionLoss().call(x, fake))
        loss += 0.5 * tf.reduce_mean(tf.math.log(1 + tf.exp(-logits)))
    gradients = tape.gradient(loss, generator.trainable_variables)
    for variable, gradient in zip(generator.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)

    for ours, by_hand in zip(model.generator.weights, generator.weights, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6)
    for ours, by_hand in zip(model.discriminator.weights, discriminator.weights, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6)


def test_step_in_a_graph_equals_the_eager_step():
    x = images()
    results = []
    for eager in (True, False):
        model = small_gan()
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=eager)
        model.train_on_batch(x)
        results.append(values(model.weights))
    for one, other in zip(*results, strict=True):
        assert_allclose(one, other, atol=2e-6)


def test_each_optimizer_moves_its_own_networks_only():
    x = images()
    for generator_rate, discriminator_rate in ((0.01, 0.0), (0.0, 0.01)):
        model = small_gan()
        model.compile(
            keras.optimizers.SGD(generator_rate),
            keras.optimizers.SGD(discriminator_rate),
            run_eagerly=True,
        )
        model.train_on_batch(x)  # spectral normalisation rescales kernels in the first call
        before = values(model.generator.trainable_variables)
        before_biases = [v for v in values(model.discriminator.trainable_variables) if v.ndim == 1]
        model.train_on_batch(x)
        after = values(model.generator.trainable_variables)
        after_biases = [v for v in values(model.discriminator.trainable_variables) if v.ndim == 1]
        generator_moved = any(np.any(a != b) for a, b in zip(before, after, strict=True))
        discriminator_moved = any(
            np.any(a != b) for a, b in zip(before_biases, after_biases, strict=True)
        )
        assert generator_moved == (generator_rate > 0)
        assert discriminator_moved == (discriminator_rate > 0)


def test_logs_are_means_over_the_epoch():
    x = images(8)
    model = small_gan()
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    model.fit(x[:4], batch_size=4, epochs=3, verbose=0)  # spectral norms settle
    first = model.evaluate(x[:4], verbose=0, return_dict=True)["loss"]
    second = model.evaluate(x[4:], verbose=0, return_dict=True)["loss"]
    both = model.evaluate(x, batch_size=4, verbose=0, return_dict=True)["loss"]
    assert_allclose(both, (first + second) / 2, rtol=1e-5)
    history = model.fit(x, batch_size=4, shuffle=False, verbose=0).history
    total = sum(
        value[0] for name, value in history.items() if name not in ("loss", "discriminator")
    )
    assert_allclose(history["loss"][0], total, rtol=1e-5)


def test_evaluation_reports_what_it_computed_only():
    x = images()
    model = small_gan()
    model.compile("sgd", "sgd", metrics=[FusionScore("sf")])
    untrained = model.evaluate(x, verbose=0, return_dict=True)
    model.train_on_batch(x)
    trained = model.evaluate(x, verbose=0, return_dict=True)
    assert set(trained) == set(untrained)
    assert "discriminator" not in trained
    assert "sf" in trained


def test_several_discriminator_steps_move_the_discriminator_more():
    x = images()
    moved = []
    for steps in (1, 3):
        model = small_gan(discriminator_steps=steps)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.05), run_eagerly=True)
        model.train_on_batch(x)
        moved.append(int(model.discriminator_optimizer.iterations))
    assert moved == [1, 3]


def test_compiled_metrics_see_sources_and_fused_image():
    x = images()
    model = small_gan()
    model.compile("sgd", "sgd", metrics=[FusionScore("sf")], run_eagerly=True)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    fused = np.asarray(quantise(model.predict(x, verbose=0)), "float64")
    rows = np.mean(np.diff(fused, axis=1) ** 2, axis=(1, 2, 3))
    columns = np.mean(np.diff(fused, axis=2) ** 2, axis=(1, 2, 3))
    assert_allclose(logs["sf"], np.mean(np.sqrt(rows + columns)), rtol=1e-4)


def test_reloaded_model_goes_on_as_if_never_saved(tmp_path):
    x = images()

    def make():
        model = small_gan(augmentation=DiffAugment(seed=5))
        model.compile(
            keras.optimizers.Adam(1e-2),
            keras.optimizers.Adam(1e-3),
            metrics=[FusionScore("sf")],
            run_eagerly=True,
        )
        for _ in range(2):
            model.train_on_batch(x)
        return model

    model = make()
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert int(reloaded.optimizer.iterations) == 2
    assert_allclose(float(reloaded.optimizer.learning_rate), 1e-2, rtol=1e-6)
    assert_allclose(float(reloaded.discriminator_optimizer.learning_rate), 1e-3, rtol=1e-6)
    model.train_on_batch(x)
    reloaded.train_on_batch(x)
    for one, other in zip(model.weights, reloaded.weights, strict=True):
        assert_allclose(one, other, atol=1e-6, err_msg=one.path)
    assert_allclose(model.predict(x, verbose=0), reloaded.predict(x, verbose=0), atol=1e-6)
    assert "sf" in reloaded.evaluate(x, verbose=0, return_dict=True)


def test_averaged_weights_are_those_of_the_generator_alone():
    x = images()
    model = small_gan()
    model.compile(
        keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5), "sgd", run_eagerly=True
    )
    model.train_on_batch(x)
    average = values(model.generator.trainable_variables)  # Keras starts the average here
    for _ in range(2):
        model.train_on_batch(x)
        now = values(model.generator.trainable_variables)
        average = [0.5 * a + 0.5 * b for a, b in zip(average, now, strict=True)]
    model.optimizer.finalize_variable_values(model.trainable_weights)
    for ours, expected in zip(model.generator.trainable_variables, average, strict=True):
        assert_allclose(ours, expected, atol=1e-5)


def test_float16_wraps_both_optimizers_and_stays_finite():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_gan()
        model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert isinstance(model.discriminator_optimizer, keras.optimizers.LossScaleOptimizer)
        history = model.fit(images(), batch_size=4, epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy(policy)
    assert all(np.isfinite(value).all() for value in history.values())


def test_one_optimizer_for_both_is_refused():
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="same optimizer object"):
        small_gan().compile(optimizer, optimizer)


def test_a_loss_in_compile_is_refused():
    with pytest.raises(ValueError, match="takes its losses in the constructor"):
        small_gan().compile("adam", "adam", loss="mse")


def test_a_discriminator_of_other_channels_is_refused():
    generator = dense_fusion_generator(width=2, dense_layers=1)
    discriminator = modality_discriminator(modalities=("ct",), width=2)
    with pytest.raises(ValueError, match="one channel per source"):
        FusionGAN(generator, discriminator)
