import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from medgan.losses import DistillationLoss, RelationLoss, StructuralFusionLoss
from medgan.models import DistillingGAN
from medgan.networks import dense_fusion_generator, modality_discriminator, patch_discriminator


def parts(seed=0, **kwargs):
    return DistillingGAN(
        dense_fusion_generator(width=4, head="tanh", dense_layers=1, seed=seed + 1),
        dense_fusion_generator(width=2, head="tanh", dense_layers=1, seed=seed + 2),
        modality_discriminator(width=2, seed=seed + 3),
        teacher_discriminator=modality_discriminator(width=2, seed=seed + 4),
        content_loss=StructuralFusionLoss(),
        **kwargs,
    )


def images(count=4, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, 32, 32, 2)).astype("float32")


def test_one_step_equals_the_step_written_by_hand():
    x = images()
    weights = {"alpha": 0.7, "beta": 0.6, "gamma": 0.5, "adversarial_weight": 0.4}
    model, hand = parts(**weights), parts(**weights)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.2), run_eagerly=True)
    model.train_on_batch(x)

    student, discriminator = hand.student, hand.discriminator
    teacher_image = hand.teacher(x, training=False)
    teacher_logits = hand.teacher_discriminator(tf.concat([teacher_image] * 2, -1))
    embed = {
        name: keras.Model(network.inputs[0], network.get_layer("embedding").output)
        for name, network in (("teacher", hand.teacher), ("student", student))
    }
    fake = student(x, training=True)
    with tf.GradientTape() as tape:
        logits = discriminator(tf.concat([x, tf.concat([fake] * 2, -1)], 0), training=True)
        loss = tf.reduce_mean(tf.nn.softplus(-logits[:4]))
        loss += tf.reduce_mean(tf.nn.softplus(logits[4:]))
    gradients = tape.gradient(loss, discriminator.trainable_variables)
    for variable, gradient in zip(discriminator.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.2 * gradient)
    with tf.GradientTape() as tape:
        fake = student(x, training=True)
        repeated = tf.concat([fake] * 2, -1)
        soft = DistillationLoss().terms(
            teacher_image, fake, teacher_logits, hand.teacher_discriminator(repeated)
        )
        relation = RelationLoss().call(
            tf.reduce_mean(embed["teacher"](x), axis=(1, 2)),
            tf.reduce_mean(embed["student"](x), axis=(1, 2)),
        )
        hard = tf.reduce_mean(StructuralFusionLoss().call(x, fake))
        hard += 0.4 * tf.reduce_mean(tf.nn.softplus(-discriminator(repeated, training=False)))
        loss = 0.7 * tf.reduce_mean(sum(soft.values())) + 0.6 * hard
        loss += 0.5 * tf.reduce_mean(relation)
    gradients = tape.gradient(loss, student.trainable_variables)
    for variable, gradient in zip(student.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient)

    for ours, by_hand in zip(model.student.weights, student.weights, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6)
    for ours, by_hand in zip(model.discriminator.weights, discriminator.weights, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6)


def test_teacher_and_its_discriminator_do_not_move():
    model = parts()
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    frozen = [*model.teacher.weights, *model.teacher_discriminator.weights]
    before = [keras.ops.convert_to_numpy(weight) for weight in frozen]
    model.fit(images(8), batch_size=4, epochs=2, verbose=0)
    for old, new in zip(before, frozen, strict=True):
        assert_allclose(new, old, atol=0)


def test_student_learns_its_teacher_from_soft_labels_alone():
    keras.utils.set_random_seed(3)
    model = parts(beta=0.0)
    model.compile(keras.optimizers.Adam(2e-2), keras.optimizers.SGD(0.0))
    held_out = images(4, seed=9)
    target = np.asarray(model.teacher(held_out))
    before = np.abs(model.predict(held_out, verbose=0) - target).mean()
    model.fit(images(32, seed=1), batch_size=8, epochs=20, verbose=0)
    after = np.abs(model.predict(held_out, verbose=0) - target).mean()
    assert after < before / 2


def test_without_soft_labels_and_relations_the_teacher_has_no_say():
    x = images()
    results = []
    for teacher_seed in (0, 50):
        teacher = dense_fusion_generator(width=4, head="tanh", dense_layers=1, seed=teacher_seed)
        model = DistillingGAN(
            teacher,
            dense_fusion_generator(width=2, head="tanh", dense_layers=1, seed=1),
            modality_discriminator(width=2, seed=2),
            content_loss=StructuralFusionLoss(),
            alpha=0.0,
            gamma=0.0,
        )
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
        model.train_on_batch(x)
        results.append([keras.ops.convert_to_numpy(weight) for weight in model.student.weights])
    for one, other in zip(*results, strict=True):
        assert_allclose(one, other, atol=0)


def translator(width, seed):
    """A plain Keras network of one channel, without an "embedding" layer."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(width, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def test_translation_takes_the_target_as_real_image():
    x = images()[..., :1]
    y = 1 - x
    model = DistillingGAN(
        translator(4, 1),
        translator(2, 2),
        patch_discriminator(width=2),
        task="translation",
        content_loss=keras.losses.MeanAbsoluteError(),
    )
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-4))
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    expected = np.abs(np.asarray(model.student(x)) - y).mean()
    assert_allclose(logs["content"], expected, rtol=1e-5)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_reloaded_model_keeps_student_teacher_and_weights_of_the_terms(tmp_path):
    x = images()
    model = parts(alpha=0.3, gamma=0.2)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-4), run_eagerly=True)
    model.train_on_batch(x)
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert (reloaded.alpha, reloaded.gamma) == (0.3, 0.2)
    assert_allclose(reloaded.teacher(x), model.teacher(x), atol=1e-6)
    assert_allclose(reloaded.student(x), model.student(x), atol=1e-6)
    one = model.train_on_batch(x, return_dict=True)
    other = reloaded.train_on_batch(x, return_dict=True)
    assert_allclose(other["loss"], one["loss"], rtol=0.2)  # epoch means start afresh
    for ours, theirs in zip(model.student.weights, reloaded.student.weights, strict=True):
        assert_allclose(ours, theirs, atol=1e-6)


def test_a_plain_keras_loss_serves_as_distillation_loss():
    x = images()
    model = DistillingGAN(
        dense_fusion_generator(width=2, dense_layers=1, seed=1),
        dense_fusion_generator(width=2, dense_layers=1, head="tanh", seed=2),
        modality_discriminator(width=2),
        distillation_loss=keras.losses.MeanSquaredError(),
        content_loss=StructuralFusionLoss(),
        alpha=3.0,
    )
    model.compile("sgd", "sgd", run_eagerly=True)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    difference = np.asarray(model.teacher(x)) - np.asarray(model.student(x))
    assert_allclose(logs["soft_content"], 3 * np.mean(difference**2), rtol=1e-4)


def test_one_network_in_two_parts_is_refused():
    network = dense_fusion_generator(width=2, dense_layers=1)
    with pytest.raises(ValueError, match="one network in two parts"):
        DistillingGAN(network, network, modality_discriminator(width=2))


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match="alpha=-1"):
        parts(alpha=-1)
