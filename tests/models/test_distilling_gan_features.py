"""What a student learns from the inside of its teacher and of the teacher's discriminator."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.losses import AdaptedFeatureLoss, DiscriminatorFeatureLoss, KernelAlignmentLoss
from medgan.models import DistillingGAN
from medgan.models.taps import activations
from medgan.networks import patch_discriminator

ALPHA, RATE = 0.7, 0.1


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def translator(width, seed, strides=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(
                width, 3, strides=strides, padding="same", activation="tanh", name="down"
            ),
            keras.layers.Conv2D(width + 1, 3, padding="same", activation="tanh", name="middle"),
            keras.layers.UpSampling2D(strides),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="last"),
        ]
    )


def judge(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(3, 3, name="plain"),
            keras.layers.LeakyReLU(name="leaky"),
            keras.layers.Conv2D(2, 3, activation="tanh", name="fused"),
            keras.layers.Conv2D(1, 3, activation="linear", name="logits"),
        ]
    )


def parts(student_strides=1, **kwargs):
    """The features alone teach: of the soft part only they are left."""
    return DistillingGAN(
        translator(4, 1),
        translator(2, 2, student_strides),
        judge(3),
        teacher_discriminator=judge(4),
        task="translation",
        distillation_loss=keras.losses.MeanSquaredError(),
        alpha=ALPHA,
        beta=0.0,
        gamma=0.0,
        seed=7,
        **kwargs,
    )


X, Y = draw(4, 12, 12, 1), draw(4, 12, 12, 1, seed=1)


def stepped(model):
    model.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE), run_eagerly=True)
    return model.train_on_batch(X, Y, return_dict=True)


def descended(loss, variables, tape):
    gradients = tape.gradient(loss, variables)
    return [v - RATE * g for v, g in zip(variables, gradients, strict=True)]


def looking_into(network, *names):
    outputs = [network.get_layer(name).output for name in names]
    return keras.Model(network.inputs[0], [network.outputs[0], *outputs])


def test_a_step_with_adapters_equals_the_step_by_hand():
    loss = AdaptedFeatureLoss(["down", ["middle", "down"]], weight=3.0)
    model, hand = parts(feature_loss=loss), parts(feature_loss=loss)
    kernels = [v for v in hand.generator_variables if "adapter" in v.path]
    assert [tuple(v.shape) for v in kernels] == [(1, 1, 2, 4), (4,), (1, 1, 2, 5), (5,)]
    # A 1x1 convolution is a matrix; its weights at the start are known by the seed.
    for kernel, seed in ((kernels[0], 7), (kernels[2], 8)):
        assert_array_equal(kernel, keras.initializers.GlorotUniform(seed)(kernel.shape))
    image, down, middle = looking_into(hand.teacher, "down", "middle")(X)
    network = looking_into(hand.student, "down")
    trained = [*hand.student.trainable_variables, *kernels]
    with tf.GradientTape() as tape:
        fake, narrow = network(X, training=True)
        first = tf.einsum("bhwc,cd->bhwd", narrow, kernels[0][0, 0]) + kernels[1]
        second = tf.einsum("bhwc,cd->bhwd", narrow, kernels[2][0, 0]) + kernels[3]
        features = tf.reduce_mean((first - down) ** 2) + tf.reduce_mean((second - middle) ** 2)
        total = ALPHA * (tf.reduce_mean((fake - image) ** 2) + 3 * features)
    expected = descended(total, trained, tape)
    logs = stepped(model)
    assert_allclose(logs["soft_features"], ALPHA * 3 * features, rtol=1e-5)
    for ours, by_hand in zip(model.generator_variables, expected, strict=True):
        assert_allclose(ours, by_hand, atol=1e-6, err_msg=ours.path)


def test_adapters_move_and_are_no_part_of_the_student(tmp_path):
    model = parts(feature_loss=AdaptedFeatureLoss(["down"]))
    adapters = [v for v in model.generator_variables if "adapter" in v.path]
    before = [v.numpy() for v in adapters]
    count = model.student.count_params()
    stepped(model)
    assert len(adapters) == 2
    assert all(not np.array_equal(*pair) for pair in zip(before, adapters, strict=True))
    assert not any("adapter" in layer.name for layer in model.student._flatten_layers())
    assert model.student.count_params() == count
    model.student.save(tmp_path / "student.keras")
    alone = keras.models.load_model(tmp_path / "student.keras")
    assert_array_equal(alone(X), model.student(X))


def test_adapters_are_saved_with_the_trainer(tmp_path):
    model = parts(feature_loss=AdaptedFeatureLoss(["down", ["middle", "down"]]))
    stepped(model)
    model.save(tmp_path / "trainer.keras")
    twin = keras.models.load_model(tmp_path / "trainer.keras")
    for trainer in (model, twin):
        trainer.train_on_batch(X, Y)
    for one, other in zip(model.generator_variables, twin.generator_variables, strict=True):
        assert_allclose(other, one, atol=1e-6, err_msg=one.path)


def test_a_step_with_kernel_alignment_equals_the_step_by_hand():
    """Maps of other channels and of half the size, without adapters."""
    loss = KernelAlignmentLoss(["middle"], weight=2.0)
    model, hand = (parts(student_strides=2, feature_loss=loss) for _ in range(2))
    image, wide = looking_into(hand.teacher, "middle")(X)
    network = looking_into(hand.student, "middle")
    trained = hand.student.trainable_variables

    def gram(maps):
        rows = tf.reshape(maps, (4, -1))
        return tf.matmul(rows, rows, transpose_b=True)

    with tf.GradientTape() as tape:
        fake, narrow = network(X, training=True)
        assert tuple(narrow.shape) == (4, 6, 6, 3)
        first, second = gram(wide), gram(narrow)
        alignment = tf.reduce_sum(first * second) / tf.norm(first) / tf.norm(second)
        total = ALPHA * (tf.reduce_mean((fake - image) ** 2) + 2 * (1 - alignment))
    expected = descended(total, trained, tape)
    logs = stepped(model)
    assert_allclose(logs["soft_features"], ALPHA * 2 * (1 - alignment), rtol=1e-3)
    assert [v.path for v in model.generator_variables] == [
        v.path for v in model.student.trainable_variables
    ]
    for ours, by_hand in zip(model.student.trainable_variables, expected, strict=True):
        assert_allclose(ours, by_hand, atol=2e-6, err_msg=ours.path)


@pytest.mark.parametrize("layers", [None, ["plain"]])
def test_a_step_with_the_discriminators_eyes_equals_the_step_by_hand(layers):
    loss = DiscriminatorFeatureLoss(layers, weight=2.0)
    model, hand = (parts(discriminator_feature_loss=loss) for _ in range(2))
    # By default every activation, be it a layer or a part of one, but not the logits.
    eyes = looking_into(hand.teacher_discriminator, *(layers or ["leaky", "fused"]))
    image = hand.teacher(X)
    _, *seen = eyes(image)
    trained = hand.student.trainable_variables
    with tf.GradientTape() as tape:
        fake = hand.student(X, training=True)
        _, *of_student = eyes(fake)
        maps = zip(seen, of_student, strict=True)
        features = sum(tf.reduce_mean(tf.abs(one - other)) for one, other in maps)
        total = ALPHA * (tf.reduce_mean((fake - image) ** 2) + 2 * features)
    expected = descended(total, trained, tape)
    before = model.teacher_discriminator.get_weights()
    logs = stepped(model)
    assert_allclose(logs["soft_discriminator_features"], ALPHA * 2 * features, rtol=1e-5)
    for ours, by_hand in zip(model.student.trainable_variables, expected, strict=True):
        assert_allclose(ours, by_hand, atol=1e-6, err_msg=ours.path)
    for one, other in zip(before, model.teacher_discriminator.get_weights(), strict=True):
        assert_array_equal(one, other)


def test_online_features_teach_the_student_and_leave_the_teacher_alone():
    """With alpha the soft part counts a thousandfold for the student, and not for the teacher."""
    results = []
    for alpha in (0.0, 1000.0):
        model = DistillingGAN(
            translator(4, 1),
            translator(2, 2),
            judge(3),
            teacher_discriminator=judge(4),
            task="translation",
            online=True,
            distillation_loss=keras.losses.MeanSquaredError(),
            feature_loss=AdaptedFeatureLoss(["down"]),
            discriminator_feature_loss=DiscriminatorFeatureLoss(),
            alpha=alpha,
            gamma=0.0,
            seed=7,
        )
        stepped(model)
        results.append({name: network.get_weights() for name, network in model.products.items()})
    for one, other in zip(*(result["teacher"] for result in results), strict=True):
        assert_allclose(one, other, atol=1e-6)
    assert np.abs(results[0]["student"][0] - results[1]["student"][0]).max() > 1e-3


def test_a_student_learns_maps_that_its_image_does_not_show():
    """Layers behind which the image does not change are taught through the taps alone."""
    image = keras.Input((None, None, 1))
    networks = []
    for width, seed in ((3, 1), (2, 2)):
        keras.utils.set_random_seed(seed)
        hidden = keras.layers.Conv2D(width, 1, activation="tanh", name="hidden")(image)
        unseen = keras.layers.Lambda(lambda maps: 0 * maps[..., :1], output_shape=(None, None, 1))
        networks.append(keras.Model(image, keras.layers.Add()([image, unseen(hidden)])))
    model = DistillingGAN(
        *networks,
        judge(3),
        task="translation",
        distillation_loss=keras.losses.MeanSquaredError(),
        feature_loss=AdaptedFeatureLoss(["hidden"]),
        beta=0.0,
        gamma=0.0,
        seed=7,
    )
    model.compile(keras.optimizers.Adam(0.05), keras.optimizers.SGD(0.0))
    before = model.evaluate(X, Y, verbose=0, return_dict=True)
    model.fit(np.tile(X, (60, 1, 1, 1)), np.tile(Y, (60, 1, 1, 1)), batch_size=4, verbose=0)
    after = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert before["soft_content"] == after["soft_content"] == 0
    assert after["soft_features"] < before["soft_features"] / 20


# What does not fit.


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    """A model of which Keras knows no layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = keras.layers.Rescaling(-1.0, offset=1.0)

    def call(self, inputs):
        return self.scale(inputs)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"'deep' to tap in the teacher .*expected one of down,"):
        parts(feature_loss=AdaptedFeatureLoss(["deep"]))
    with pytest.raises(ValueError, match="'deep' to tap in the student"):
        parts(feature_loss=KernelAlignmentLoss([["down", "deep"]]))
    with pytest.raises(ValueError, match="'deep' to tap in the teacher_discriminator"):
        parts(discriminator_feature_loss=DiscriminatorFeatureLoss(["deep"]))


def test_taps_of_a_subclassed_teacher_are_refused():
    teacher = Subclassed(name="own")
    teacher(X)
    with pytest.raises(ValueError, match="'own' with layers to tap, 'down', expected a functional"):
        DistillingGAN(
            teacher,
            translator(2, 2),
            judge(3),
            task="translation",
            feature_loss=AdaptedFeatureLoss(["down"]),
        )


def test_adapters_between_maps_of_other_sizes_are_refused():
    """At once where Keras knows the sizes, else with the first batch."""
    model = parts(student_strides=2, feature_loss=AdaptedFeatureLoss(["down"]))
    with pytest.raises(ValueError, match="same resolution, or use a KernelAlignmentLoss"):
        stepped(model)
    sized = []
    for strides in (1, 2):
        image = keras.Input((12, 12, 1))
        maps = keras.layers.AveragePooling2D(strides, name="maps")(image)
        sized.append(keras.Model(image, keras.layers.UpSampling2D(strides)(maps)))
    with pytest.raises(ValueError, match=r"taps of shapes \(None, 12, 12, 1\) in the teacher and"):
        DistillingGAN(
            *sized, judge(3), task="translation", feature_loss=AdaptedFeatureLoss(["maps"])
        )


def test_features_of_a_discriminator_that_is_not_given_are_refused():
    with pytest.raises(ValueError, match="without the teacher_discriminator that it needs"):
        DistillingGAN(
            translator(4, 1),
            translator(2, 2),
            judge(3),
            task="translation",
            discriminator_feature_loss=DiscriminatorFeatureLoss(),
        )


def test_a_discriminator_without_known_activations_wants_names():
    flat = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 3)])
    with pytest.raises(ValueError, match="Name the layers to compare"):
        DistillingGAN(
            translator(4, 1),
            translator(2, 2),
            judge(3),
            teacher_discriminator=flat,
            task="translation",
            discriminator_feature_loss=DiscriminatorFeatureLoss(),
        )


def test_the_three_activations_of_a_patch_discriminator_are_known():
    network = patch_discriminator(width=2)
    layers = [network.get_layer(name) for name in activations(network)]
    assert [type(layer) for layer in layers] == [keras.layers.LeakyReLU] * 3
