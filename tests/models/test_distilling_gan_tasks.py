"""Translation, unpaired translation and synthesis, offline and online."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from medgan.losses import (
    DistillationLoss,
    LeastSquaresLoss,
    MetricAwareFusionLoss,
    RelationLoss,
    StructuralFusionLoss,
    TeacherImageLoss,
)
from medgan.models import DistillingGAN
from medgan.networks import dense_fusion_generator, modality_discriminator, patch_discriminator

WEIGHTS = {"alpha": 0.7, "beta": 0.6, "gamma": 0.5, "adversarial_weight": 0.4}
LATENT = 3


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def translator(width, seed, channels=1):
    """A plain Keras network, without an "embedding" layer."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((None, None, channels)),
            keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="first"),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="last"),
        ]
    )


def maker(width, seed, latent=LATENT, side=16):
    """A plain Keras network from noise to images."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((latent,)),
            keras.layers.Dense(width, activation="tanh", name="first"),
            keras.layers.Dense(side * side, activation="sigmoid"),
            keras.layers.Reshape((side, side, 1)),
        ]
    )


def parts(task, judged=1, make=translator, **kwargs):
    return DistillingGAN(
        make(4, 1),
        make(2, 2),
        patch_discriminator(width=2, channels=judged, seed=3),
        teacher_discriminator=patch_discriminator(width=2, channels=judged, seed=4),
        task=task,
        seed=5,
        **{**WEIGHTS, **kwargs},
    )


def compiled(model, optimizer=keras.optimizers.SGD, rates=(0.01, 0.2)):
    model.compile(*(optimizer(rate) for rate in rates), run_eagerly=True)
    return model


def softplus_mean(logits):
    return tf.reduce_mean(tf.nn.softplus(logits))


def thumbnail(image):
    small = tf.image.resize(image, (8, 8), antialias=True)
    return tf.reshape(small, (tf.shape(image)[0], -1))


def step_by_hand(model, fed, real, beside, content, soft_loss, online=False):
    """One step with plain tapes: first the discriminators, then the generators.

    `beside` is what a discriminator sees with an image, or None; `content` the hard loss on images.
    """
    teacher, student = model.teacher, model.student
    own_judge, teachers_judge = model.discriminator, model.teacher_discriminator

    def shown(image):
        return image if beside is None else tf.concat([beside, image], -1)

    def descend(loss, tape, network, rate):
        variables = network.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)

    for generator, judge in [(student, own_judge), (teacher, teachers_judge)][: 1 + online]:
        fake = generator(fed, training=True)
        with tf.GradientTape() as tape:
            logits = judge(tf.concat([shown(real), shown(fake)], 0), training=True)
            count = len(real)
            loss = softplus_mean(-logits[:count]) + softplus_mean(logits[count:])
        descend(loss, tape, judge, 0.2)

    teacher_image = teacher(fed, training=False)
    teacher_logits = teachers_judge(shown(teacher_image), training=False)
    with tf.GradientTape() as tape:
        fake = student(fed, training=True)
        logits = teachers_judge(shown(fake), training=False)
        soft = soft_loss.terms(teacher_image, fake, teacher_logits, logits)
        hard = content(fake) + 0.4 * softplus_mean(-own_judge(shown(fake), training=False))
        relation = RelationLoss().call(thumbnail(teacher_image), thumbnail(fake))
        loss = 0.7 * tf.reduce_mean(sum(soft.values())) + 0.6 * hard
        loss += 0.5 * tf.reduce_mean(relation)
    with tf.GradientTape() as teacher_tape:
        fake = teacher(fed, training=True)
        own = content(fake) + 0.4 * softplus_mean(-teachers_judge(shown(fake), training=False))
    descend(loss, tape, student, 0.01)
    if online:
        descend(own, teacher_tape, teacher, 0.01)


def networks_of(model):
    return {
        "teacher": model.teacher,
        "student": model.student,
        "discriminator": model.discriminator,
        "teacher_discriminator": model.teacher_discriminator,
    }


def weights_of(model):
    return {name: network.get_weights() for name, network in networks_of(model).items()}


def assert_same_networks(model, other):
    other = weights_of(other)
    for name, weights in weights_of(model).items():
        for ours, theirs in zip(weights, other[name], strict=True):
            assert_allclose(ours, theirs, atol=2e-6, err_msg=name)


def moved(before, model):
    """Names of the networks of which a trainable variable moved."""
    names = set()
    for name, network in networks_of(model).items():
        pairs = zip(before[name], network.get_weights(), strict=True)
        if not all(np.array_equal(*pair) for pair in pairs):
            names.add(name)
    return names


online = pytest.mark.parametrize("online", [False, True])


@online
@pytest.mark.parametrize("judged", [1, 2])
def test_a_step_of_translation_equals_the_step_by_hand(judged, online):
    """Judged alone, and conditionally with the source before the image."""
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)
    model, hand = (parts("translation", judged, online=online) for _ in range(2))
    compiled(model).train_on_batch(x, y)
    step_by_hand(
        hand,
        fed=x,
        real=y,
        beside=x if judged == 2 else None,
        content=lambda fake: 100 * tf.reduce_mean(tf.abs(fake - y)),
        soft_loss=DistillationLoss(absolute=50.0),
        online=online,
    )
    assert_same_networks(model, hand)


@online
def test_a_step_of_unpaired_translation_equals_the_step_by_hand(online):
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)
    model, hand = (parts("unpaired", online=online) for _ in range(2))
    compiled(model).train_on_batch(x, y)
    step_by_hand(
        hand,
        fed=x,
        real=y,
        beside=None,
        content=lambda fake: 0.0,
        soft_loss=DistillationLoss(absolute=50.0),
        online=online,
    )
    assert_same_networks(model, hand)


@online
def test_a_step_of_synthesis_equals_the_step_by_hand(online):
    x = draw(4, 16, 16, 1)
    model, hand = (parts("synthesis", make=maker, online=online) for _ in range(2))
    compiled(model).train_on_batch(x)
    step_by_hand(
        hand,
        fed=keras.random.normal((4, LATENT), seed=keras.random.SeedGenerator(5)),
        real=x,
        beside=None,
        content=lambda fake: 0.0,
        soft_loss=DistillationLoss(spatial=0, absolute=3, structure=0, wavelet=0),
        online=online,
    )
    assert_same_networks(model, hand)


def test_a_step_of_online_fusion_moves_the_teacher_as_its_own_training_would():
    x = draw(4, 32, 32, 2)

    def fusing(**kwargs):
        return DistillingGAN(
            dense_fusion_generator(width=3, head="tanh", dense_layers=1, seed=1),
            dense_fusion_generator(width=2, head="tanh", dense_layers=1, seed=2),
            modality_discriminator(width=2, seed=3),
            teacher_discriminator=modality_discriminator(width=2, seed=4),
            content_loss=StructuralFusionLoss(),
            online=True,
            **kwargs,
        )

    model, hand = fusing(beta=0.0), fusing()
    compiled(model).train_on_batch(x)
    generator, judge = hand.teacher, hand.teacher_discriminator

    fake = generator(x, training=True)
    with tf.GradientTape() as tape:
        logits = judge(tf.concat([x, tf.concat([fake] * 2, -1)], 0), training=True)
        loss = softplus_mean(-logits[:4]) + softplus_mean(logits[4:])
    gradients = tape.gradient(loss, judge.trainable_variables)
    for variable, gradient in zip(judge.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.2 * gradient)
    with tf.GradientTape() as tape:
        fake = generator(x, training=True)
        loss = tf.reduce_mean(StructuralFusionLoss().call(x, fake))
        loss += 0.1 * softplus_mean(-judge(tf.concat([fake] * 2, -1), training=False))
    gradients = tape.gradient(loss, generator.trainable_variables)
    for variable, gradient in zip(generator.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient)

    for name in ("teacher", "teacher_discriminator"):
        ours, theirs = networks_of(model)[name].weights, networks_of(hand)[name].weights
        for one, other in zip(ours, theirs, strict=True):
            assert_allclose(one, other, atol=2e-6, err_msg=name)


@pytest.mark.parametrize(
    "task, make", [("translation", translator), ("unpaired", translator), ("synthesis", maker)]
)
def test_offline_only_the_student_and_its_discriminator_move(task, make):
    model = compiled(parts(task, make=make), keras.optimizers.Adam, (1e-2, 1e-2))
    before = weights_of(model)
    y = () if task == "synthesis" else (draw(4, 16, 16, 1, seed=1),)
    for _ in range(2):
        model.train_on_batch(draw(4, 16, 16, 1), *y)
    assert moved(before, model) == {"student", "discriminator"}


def test_online_all_four_networks_move():
    model = compiled(parts("translation", online=True))
    before = weights_of(model)
    model.train_on_batch(draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1))
    assert moved(before, model) == set(before)


def test_one_optimizer_of_two_networks_steps_as_two_optimizers_would():
    """Adam's moments and the clipping of norms belong to single variables."""
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)

    def adam(rate):
        return keras.optimizers.Adam(rate, clipnorm=0.01)

    # A student that nobody teaches (alpha, gamma 0) and its teacher are two separate trainings.
    online = compiled(parts("translation", alpha=0.0, gamma=0.0, online=True), adam, (1e-2, 1e-2))
    offline = compiled(parts("translation", alpha=0.0, gamma=0.0), adam, (1e-2, 1e-2))
    for model in (online, offline):
        for _ in range(2):
            model.train_on_batch(x, y)
    for name in ("student", "discriminator"):
        ours, theirs = networks_of(online)[name].weights, networks_of(offline)[name].weights
        for one, other in zip(ours, theirs, strict=True):
            assert_allclose(one, other, atol=1e-6, err_msg=name)


def test_a_network_that_was_frozen_learns_again_online():
    teacher = translator(4, 1)
    judges = [patch_discriminator(width=2, seed=seed) for seed in (3, 4)]
    kwargs = {"teacher_discriminator": judges[1], "task": "translation"}
    DistillingGAN(teacher, translator(2, 2), judges[0], **kwargs)
    assert not teacher.trainable_variables and not judges[1].trainable_variables
    DistillingGAN(teacher, translator(2, 2), judges[0], online=True, **kwargs)
    assert teacher.trainable_variables and judges[1].trainable_variables


def test_products_are_what_learned():
    model, both = parts("translation"), parts("translation", online=True)
    assert model.products == {"student": model.student}
    assert both.products == {"student": both.student, "teacher": both.teacher}


@keras.saving.register_keras_serializable(package="tests")
class Seen(keras.layers.Layer):
    """Keeps what passes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inputs_seen = []

    def call(self, inputs):
        if hasattr(inputs, "numpy"):  # no placeholder
            self.inputs_seen.append(inputs)
        return inputs


def with_eyes(make, *args):
    network = make(*args)
    return keras.Sequential([keras.Input(network.input_shape[1:]), Seen(name="seen"), network])


@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_a_frozen_teacher_is_asked_once_per_batch_and_a_student_too(discriminator_steps):
    model = parts(
        "translation",
        make=lambda *args: with_eyes(translator, *args),
        discriminator_steps=discriminator_steps,
    )
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)
    compiled(model).train_on_batch(x, y)
    for network in (model.teacher, model.student):
        seen = network.get_layer("seen").inputs_seen
        assert len(seen) == 1
        assert_array_equal(seen[0], x)


def test_teacher_and_student_see_the_same_noise_and_every_step_other_noise():
    model = compiled(parts("synthesis", make=lambda *args: with_eyes(maker, *args)))
    for _ in range(2):
        model.train_on_batch(draw(4, 16, 16, 1))
    teacher, student = (
        network.get_layer("seen").inputs_seen for network in (model.teacher, model.student)
    )
    assert len(teacher) == len(student) == 2
    for step in range(2):
        assert_array_equal(teacher[step], student[step])
    assert np.abs(teacher[0] - teacher[1]).min() > 0


def test_noise_goes_on_where_a_saved_trainer_stopped(tmp_path):
    model = compiled(parts("synthesis", make=maker))
    model.train_on_batch(draw(4, 16, 16, 1))
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    for trainer in (model, twin):
        trainer.train_on_batch(draw(4, 16, 16, 1))
    assert_same_networks(twin, model)


# Small known problems: the student hears of them from its teacher alone (beta=0).


class Negative(keras.layers.Layer):
    def call(self, inputs):
        return 1 - inputs


def test_translation_is_learned_from_a_teacher_alone():
    """The teacher makes negatives; the targets of the batches would say something else."""
    teacher = keras.Sequential([keras.Input((None, None, 1)), Negative()])
    student = translator(4, 2)
    model = DistillingGAN(
        teacher,
        student,
        patch_discriminator(width=2, seed=3),
        task="translation",
        distillation_loss=TeacherImageLoss(absolute=10.0, structure=0.0),
        beta=0.0,
        gamma=0.0,
    )
    model.compile(keras.optimizers.Adam(2e-2), keras.optimizers.SGD(0.0))
    x, held_out = draw(32, 16, 16, 1), draw(8, 16, 16, 1, seed=9)
    before = np.abs(student(held_out) - (1 - held_out)).mean()
    model.fit(x, x, batch_size=8, epochs=25, verbose=0)
    after = np.abs(student(held_out) - (1 - held_out)).mean()
    assert after < before / 4
    assert after < 0.06
    assert np.abs(student(held_out) - held_out).mean() > 0.3


def test_synthesis_is_learned_from_a_teacher_alone():
    """The student makes its teacher's image of the same noise; the real images are all black."""
    teacher, student = maker(8, 1, side=8), maker(4, 2, side=8)
    model = DistillingGAN(
        teacher,
        student,
        # The images are too small for a patch discriminator.
        keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]),
        task="synthesis",
        beta=0.0,
        gamma=0.0,
        seed=1,
    )
    model.compile(keras.optimizers.Adam(2e-2), keras.optimizers.SGD(0.0))
    z = np.random.default_rng(9).normal(size=(16, LATENT)).astype("float32")
    target = teacher(z)
    before = np.abs(student(z) - target).mean()
    model.fit(np.zeros((32, 8, 8, 1), "float32"), batch_size=8, epochs=40, verbose=0)
    after = np.abs(student(z) - target).mean()
    one_image_for_all = np.abs(target - np.mean(target, axis=0)).mean()
    assert after < before / 3
    assert after < one_image_for_all / 3


# Teachers that medgan did not train.


@keras.saving.register_keras_serializable(package="tests")
class OwnNegative(keras.Model):
    """A subclassed model, of which Keras knows no layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = keras.layers.Rescaling(-1.0, offset=1.0)

    def call(self, inputs):
        return self.scale(inputs)


def test_a_subclassed_teacher_teaches():
    teacher = OwnNegative()
    teacher(draw(1, 16, 16, 1))
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)
    model = DistillingGAN(
        teacher,
        translator(2, 2),
        patch_discriminator(width=2, seed=3),
        task="translation",
        distillation_loss=keras.losses.MeanAbsoluteError(),
    )
    logs = compiled(model).evaluate(x, y, verbose=0, return_dict=True)
    assert_allclose(logs["soft_content"], np.abs(model.student(x) - (1 - x)).mean(), rtol=1e-5)
    model.train_on_batch(x, y)


def test_batch_normalisation_of_a_frozen_teacher_stands_still():
    keras.utils.set_random_seed(1)
    teacher = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("sigmoid"),
        ]
    )
    model = DistillingGAN(
        teacher, translator(2, 2), patch_discriminator(width=2, seed=3), task="translation"
    )
    before = teacher.get_weights()
    compiled(model).train_on_batch(draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1))
    for one, other in zip(before, teacher.get_weights(), strict=True):
        assert_array_equal(one, other)


def test_images_of_another_size_than_the_students_are_refused():
    keras.utils.set_random_seed(1)
    teacher = keras.Sequential([keras.Input((None, None, 1)), keras.layers.UpSampling2D()])
    model = DistillingGAN(
        teacher, translator(2, 2), patch_discriminator(width=2, seed=3), task="translation"
    )
    with pytest.raises(ValueError, match=r"Received images of shape \(4, 32, 32, 1\)"):
        compiled(model).train_on_batch(draw(4, 16, 16, 1), draw(4, 16, 16, 1))


# What does not fit.


def given(task, teacher=None, student=None, judge=None, **kwargs):
    make = maker if task == "synthesis" else translator
    return DistillingGAN(
        teacher or make(4, 1),
        student or make(2, 2),
        judge or patch_discriminator(width=2),
        task=task,
        **kwargs,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"task": "super_resolution"}, "expected one of fusion, translation, unpaired, synthesis"),
        ({"task": "translation", "teacher": maker(2, 1)}, "a teacher with inputs of shape"),
        ({"task": "unpaired", "student": maker(2, 1)}, "a student with inputs of shape"),
        ({"task": "synthesis", "teacher": translator(2, 1)}, "expected noise of a known shape"),
        ({"task": "synthesis", "teacher": maker(2, 1, latent=5)}, r"shape \(None, 5\) and a stud"),
        ({"task": "synthesis", "teacher": maker(2, 1, side=8)}, "a teacher with outputs of shape"),
        ({"task": "synthesis", "content_loss": TeacherImageLoss()}, "no real image belongs to"),
        ({"task": "unpaired", "content_loss": TeacherImageLoss()}, "no real image belongs to"),
        ({"task": "unpaired", "judge": patch_discriminator(width=2, channels=2)}, "expected 1. "),
        (
            {"task": "translation", "judge": patch_discriminator(width=2, channels=3)},
            "of 3 channels for task='translation' with sources of 1 and images of 1, expected 1 or",
        ),
        ({"task": "fusion", "judge": patch_discriminator(width=2, channels=2)}, "expected 1"),
        ({"task": "translation", "online": True}, "Received online=True without the teacher_d"),
        ({"task": "translation", "teacher": translator(2, 1, channels=2)}, "expected the same"),
        ({"task": "translation", "teacher": OwnNegative()}, "without weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["task"],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        given(**arguments)


def test_several_outputs_are_refused():
    image = keras.Input((None, None, 1))
    teacher = keras.Model(image, [image, 1 - image], name="two")
    with pytest.raises(ValueError, match="'two' with 2 outputs, expected one"):
        given("translation", teacher=teacher)


def test_a_frozen_judge_of_fused_images_alone_may_have_one_channel():
    model = DistillingGAN(
        dense_fusion_generator(width=3, dense_layers=1),
        dense_fusion_generator(width=2, dense_layers=1, head="tanh"),
        modality_discriminator(width=2),
        teacher_discriminator=patch_discriminator(width=2),
    )
    model.compile("sgd", "sgd", run_eagerly=True)
    sources = np.random.default_rng(0).uniform(size=(2, 48, 48, 2)).astype("float32")
    assert model.train_on_batch(sources, return_dict=True)["soft_soft_label"] > 0


@pytest.mark.parametrize("task", ["translation", "unpaired"])
def test_batches_without_a_target_are_refused(task):
    with pytest.raises(ValueError, match="expected \\(x, y\\)"):
        compiled(given(task)).train_on_batch(draw(4, 16, 16, 1))


def test_fusion_refuses_a_target():
    model = DistillingGAN(
        dense_fusion_generator(width=3, dense_layers=1),
        dense_fusion_generator(width=2, dense_layers=1),
        modality_discriminator(width=2),
    )
    with pytest.raises(ValueError, match="Set task='translation'"):
        compiled(model).train_on_batch(draw(2, 16, 16, 2), draw(2, 16, 16, 1))


def test_defaults_are_those_of_the_task():
    assert isinstance(parts_default("fusion").content_loss, MetricAwareFusionLoss)
    assert parts_default("fusion").adversarial_weight == 0.1
    assert parts_default("translation").content_loss.absolute == 100
    assert parts_default("unpaired").content_loss is None
    assert parts_default("synthesis").content_loss is None
    assert parts_default("synthesis").adversarial_weight == 1.0


def parts_default(task):
    if task != "fusion":
        return given(task)
    networks = [dense_fusion_generator(width=width, dense_layers=1) for width in (3, 2)]
    return DistillingGAN(*networks, modality_discriminator(width=2))


def test_least_squares_serve_as_adversarial_loss_of_both_players_online():
    x, y = draw(4, 16, 16, 1), draw(4, 16, 16, 1, seed=1)
    model = parts("translation", online=True, adversarial_loss=LeastSquaresLoss())
    logs = compiled(model, rates=(0.0, 0.0)).train_on_batch(x, y, return_dict=True)
    logits = model.teacher_discriminator(model.teacher(x))
    assert_allclose(logs["teacher_adversarial"], 0.4 * np.mean((logits - 1) ** 2), rtol=1e-2)
