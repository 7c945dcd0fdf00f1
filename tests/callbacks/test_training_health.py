import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from medgan.callbacks import StopOnDivergence, StopOnSymptoms, TrainingHealth
from medgan.errors import DivergedError
from medgan.layers import DiffAugment
from medgan.losses import StructuralFusionLoss
from medgan.models import DistillingGAN, FusionGAN
from medgan.networks import modality_discriminator


class Rule(keras.layers.Layer):
    """A network of one weight that computes `function(inputs, weight)`."""

    def __init__(self, function, value=1.0):
        super().__init__()
        self.function = function
        self.weight = self.add_weight(shape=(), initializer=keras.initializers.Constant(value))

    def call(self, inputs):
        return self.function(inputs, self.weight)


class Noise(keras.layers.Layer):
    """The brighter source with noise drawn in every call."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(3)
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        image = maximum(inputs, self.weight)
        return image + 0.1 * keras.random.normal(ops.shape(image), seed=self.seed_generator)


def maximum(sources, weight):
    return weight * ops.max(sources, axis=-1, keepdims=True)


def marked(images, weight):
    """Judges by the corner's mark in the first channel, as one who knows the images by heart."""
    mark = images[:, 0, 0, :1] - images[:, 0, 0, 1:]
    return weight * (10 * mark - 5)


def brightness(images, weight):
    """Takes an image for real if it is bright on average."""
    return weight * (ops.mean(images, axis=(1, 2, 3), keepdims=True) - 0.5)


def network(layer, size=12, channels=2):
    image = keras.Input((size, size, channels))
    return keras.Model(image, layer(image))


def gan(generator=maximum, discriminator=brightness, eager=True):
    generator = generator if isinstance(generator, keras.Layer) else Rule(generator)
    trainer = FusionGAN(
        network(generator), network(Rule(discriminator)), content_loss=StructuralFusionLoss()
    )
    trainer.compile("sgd", "sgd", run_eagerly=eager)
    return trainer


def sources(count=4, seed=0, marks=0, size=12):
    """Bright images and dark ones by turns; the first `marks` of them carry a mark."""
    images = np.random.default_rng(seed).uniform(0.0, 0.2, (count, size, size, 2))
    images[::2] += 0.8
    images[:, 0, 0] = 0
    images[:marks, 0, 0, 0] = 1
    return images.astype("float32")


def looking(trainer, training, held_out, **arguments):
    callback = TrainingHealth(training, held_out, **arguments)
    callback.set_model(trainer)
    callback.on_train_begin()
    return callback


def look(callback, times=1):
    """Looks at the end of `times` epochs; returns the last logs."""
    for epoch in range(times):
        logs = {}
        callback.on_epoch_end(epoch, logs)
    return logs


def texts(callback):
    return [finding["text"] for finding in callback.findings]


def test_shares_enter_the_logs():
    training, held_out = [sources(marks=3), sources(marks=4, seed=1)], [sources(marks=1, seed=2)]
    callback = looking(gan(discriminator=marked), training, held_out)
    logs = look(callback)
    assert logs["health_real"] == 7 / 8 and logs["health_held_out"] == 1 / 4
    assert logs["health_fake"] == 0  # both channels of a fused image carry the mark
    assert_allclose(logs["health_diversity"], 1.0, atol=1e-6)
    assert set(logs) == {f"health_{n}" for n in ("real", "held_out", "fake", "diversity")}
    assert callback.numbers["real_logit"] == (7 * 5 - 5) / 8
    assert callback.numbers["fake_logit"] == -5


def test_only_the_first_batches_are_taken_and_endless_streams_may_go_on():
    def endless():
        while True:
            yield sources(marks=4)

    training = iter([sources(marks=4), sources(marks=0), sources(marks=0)])
    callback = looking(gan(discriminator=marked), training, endless(), batches=2)
    logs = look(callback, times=2)
    assert logs["health_real"] == 1 / 2 and logs["health_held_out"] == 1


def test_graph_sees_what_eager_steps_see():
    numbers = []
    for eager in (True, False):
        callback = looking(gan(eager=eager), [sources(), sources(3)], [sources(size=12, seed=1)])
        look(callback)
        numbers.append(callback.numbers)
    assert_allclose(list(numbers[0].values()), list(numbers[1].values()), rtol=1e-4, atol=1e-5)


def test_healthy_training_is_silent(caplog):
    callback = looking(gan(), [sources()], [sources(seed=1)])
    logs = look(callback, times=3)
    assert logs["health_real"] == logs["health_held_out"] == 1 / 2
    assert callback.findings == [] and not caplog.records


def test_discriminator_that_knows_its_images_is_said_once_and_again_when_over(caplog):
    trainer = gan(discriminator=marked)
    callback = looking(trainer, [sources(marks=3)], [sources(marks=1, seed=1)])
    look(callback)
    assert callback.findings == []
    trainer.optimizer.iterations.assign(40)
    look(callback, times=2)
    (finding,) = callback.findings
    assert (finding["step"], finding["severity"]) == (40, "warning")
    assert "75% of their logits" in finding["text"] and "25% of images" in finding["text"]
    assert "Add DiffAugment" in finding["text"]
    trainer.discriminator.layers[-1].weight.assign(-0.1)  # now 25 % and 75 %
    look(callback)
    assert len(callback.findings) == 2 and "no longer tells" in callback.findings[1]["text"]
    assert callback.findings[1]["severity"] == "notice"
    assert [record.levelno for record in caplog.records] == 2 * [logging.WARNING]
    assert caplog.records[0].getMessage() == f"Step 40: {finding['text']}"


def test_gap_in_looks_that_do_not_follow_each_other_is_silent():
    trainer = gan(discriminator=marked)
    callback = looking(trainer, [sources(marks=3)], [sources(marks=1, seed=1)])
    for value in (1.0, -1.0, 1.0, -1.0):
        trainer.discriminator.layers[-1].weight.assign(value)
        look(callback)
    assert callback.findings == []


def test_discriminator_that_wins_is_said():
    callback = looking(gan(discriminator=marked), [sources(marks=4)], [sources(marks=4, seed=1)])
    look(callback, times=2)
    assert len(callback.findings) == 1
    assert "wins: it judges 100% of real and 0% of generated" in texts(callback)[0]
    assert "learning rate" in texts(callback)[0]


def test_discriminator_that_gives_up_is_said():
    trainer = gan()
    trainer.discriminator.layers[-1].weight.assign(0.0)
    callback = looking(trainer, [sources()], [sources(seed=1)])
    look(callback, times=2)
    (finding,) = callback.findings
    assert finding["severity"] == "notice" and "has given up" in finding["text"]


def test_outputs_that_are_all_alike_are_said_at_the_second_look():
    ramp = np.linspace(0, 1, 144, dtype="float32").reshape(1, 12, 12, 1)

    def same(images, weight):
        return weight * ramp + 0 * images[..., :1]

    callback = looking(gan(same), [sources()], [sources(seed=1)])
    look(callback)
    assert callback.findings == []
    look(callback)
    assert len(callback.findings) == 1 and "collapse: they differ" in texts(callback)[0]
    assert " 0% as much" in texts(callback)[0]
    assert "Lower the adversarial weight" in texts(callback)[0]


def test_constant_outputs_are_said_at_once():
    def grey(images, weight):
        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return weight * mean + 0 * images[..., :1]

    callback = looking(gan(grey), [sources()], [sources(seed=1)])
    look(callback)
    assert len(callback.findings) == 1 and "are constant" in texts(callback)[0]


def test_output_that_equals_an_input_is_said_until_it_does_not():
    trainer = gan(lambda images, weight: weight * images[..., 1:])
    callback = looking(trainer, [sources()], [sources(seed=1)])
    look(callback, times=2)
    assert len(callback.findings) == 1 and "equals channel 2" in texts(callback)[0]
    trainer.generator.layers[-1].weight.assign(0.5)
    look(callback)
    assert len(callback.findings) == 2 and "no longer equals" in texts(callback)[1]


def test_missing_numbers_end_nothing():
    trainer = gan(lambda images, weight: weight * images[..., 1:])
    callback = looking(trainer, [sources()], [sources(seed=1)])
    look(callback)
    trainer.generator.layers[-1].weight.assign(float("nan"))
    look(callback)
    assert ["equals channel 2" in texts(callback)[0], len(callback.findings)] == [True, 2]
    assert "are NaN or infinite" in texts(callback)[1]


def test_findings_are_written_as_json_lines(tmp_path):
    path = tmp_path / "new" / "health.jsonl"
    trainer = gan()
    trainer.generator.layers[-1].weight.assign(float("nan"))
    callback = looking(trainer, [sources()], [sources(seed=1)], path=path)
    logs = look(callback)
    assert "health_diversity" not in logs and np.isfinite(list(logs.values())).all()
    trainer.generator.layers[-1].weight.assign(1.0)
    look(callback)
    begin, end = (json.loads(line) for line in path.read_text().splitlines())
    assert {key: begin[key] for key in ("step", "severity", "text")} == callback.findings[0]
    assert (begin["name"], begin["state"], end["state"]) == ("not_finite", "begins", "over")
    # 2 * 4 outputs of 12x12 pixels, and the logits of the 4 on training images
    assert begin["numbers"]["not_finite"] == 2 * 4 * 144 + 4
    assert begin["numbers"]["diversity"] is None


def test_targets_are_what_outputs_of_a_translation_should_be_like():
    networks = [
        network(Rule(lambda image, weight: weight * image), channels=1),
        network(Rule(lambda image, weight: weight * image), channels=1),
        network(Rule(brightness), channels=1),
    ]
    trainer = DistillingGAN(
        *networks, task="translation", content_loss=keras.losses.MeanAbsoluteError()
    )
    trainer.compile("sgd", "sgd", run_eagerly=True)
    x = sources()[..., :1]
    pairs = [(x, 0.5 * x)]
    callback = looking(trainer, pairs, pairs)
    logs = look(callback)
    assert_allclose(logs["health_diversity"], 2.0, rtol=1e-5)
    assert logs["health_real"] == 0 and logs["health_fake"] == 1 / 2
    assert len(callback.findings) == 1 and "equals channel 1" in texts(callback)[0]


def trained(*callbacks):
    """All variables after two steps of a trainer in which everything has a state."""
    keras.utils.set_random_seed(7)
    trainer = FusionGAN(
        network(Noise(), size=16),
        modality_discriminator(width=2, seed=2),  # spectrally normalised
        content_loss=keras.losses.MeanSquaredError(),
        augmentation=DiffAugment(seed=5),
    )
    trainer.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2), run_eagerly=True)
    x = sources(2, size=16)
    trainer.fit(x, batch_size=2, epochs=2, verbose=0, callbacks=list(callbacks))
    return [ops.convert_to_numpy(variable) for variable in trainer.variables]


def test_learning_goes_on_as_if_nobody_looked():
    health = TrainingHealth([sources(4, size=16)], [sources(3, seed=1, size=16)])
    for one, other in zip(trained(health), trained(), strict=True):
        assert_array_equal(one, other)


def test_state_goes_on_where_it_was_and_cuts_off_what_came_later(tmp_path):
    path = tmp_path / "health.jsonl"
    trainer = gan(lambda images, weight: weight * images[..., 1:])
    data = [sources(marks=4)], [sources(marks=4, seed=1)]
    callback = looking(trainer, *data, path=path)
    look(callback)  # says that the output equals an input
    trainer.discriminator.layers[-1].weight.assign(0.0)
    look(callback)  # the discriminator has given up, for the first time
    state = json.loads(json.dumps(callback.get_state()))
    written = path.read_bytes()
    trainer.generator.layers[-1].weight.assign(0.5)
    look(callback)
    assert len(callback.findings) == 3 and len(path.read_text().splitlines()) == 3

    other = looking(trainer, *data, path=path)
    other.set_state(state)
    assert path.read_bytes() == written
    assert other.showing == ("output_equals_input",)
    assert other.suspected == ("discriminator_gives_up", "output_equals_input")
    assert other.finding("output_equals_input") == other.findings[0]
    look(other)
    assert other.findings == callback.findings and len(path.read_text().splitlines()) == 3
    assert other.showing == callback.showing == ("discriminator_gives_up",)


def test_state_before_the_first_finding_empties_the_file(tmp_path):
    path = tmp_path / "health.jsonl"
    callback = TrainingHealth([], [], path=path)
    state = callback.get_state()
    path.write_text('{"step": 1}\n')
    callback.set_state(state)
    assert path.read_text() == ""
    TrainingHealth([], []).set_state(state)


def test_file_that_lost_findings_is_left_and_said(tmp_path, caplog):
    path = tmp_path / "health.jsonl"
    path.write_text("{}\n{}\n")
    callback = TrainingHealth([], [], path=path)
    state = callback.get_state()
    path.write_text("{}\n")
    callback.set_state(state)
    assert path.read_text() == "{}\n" and "has 3 bytes, expected 6" in caplog.text
    path.unlink()
    callback.set_state(state)
    assert not path.exists() and "has 0 bytes, expected 6" in caplog.text


def test_stopped_by_what_it_says_in_a_real_training():
    trainer = gan(lambda images, weight: weight * images[..., 1:])
    health = TrainingHealth([sources()], [sources(seed=1)])
    watcher = StopOnSymptoms(health, ["output_equals_input"])
    with pytest.raises(DivergedError, match="The output equals channel 2") as caught:
        trainer.optimizer.learning_rate = 0.0
        trainer.fit(sources(), batch_size=2, verbose=0, callbacks=[health, watcher])
    assert caught.value.step == 2


def test_looks_and_stops_on_several_replicas_without_moving_anything():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Only TensorFlow has distribution strategies.")
    if len(tf.config.list_logical_devices("CPU")) < 2:
        pytest.skip("There is one logical CPU; tests/conftest.py makes two.")
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        trainer = gan(Noise(), eager=False)
    stop = StopOnDivergence()
    stop.set_model(trainer)
    callback = looking(trainer, [sources()], [sources(seed=1)])
    before = [ops.convert_to_numpy(variable) for variable in trainer.variables]
    logs = look(callback)
    stop.on_epoch_end(0, logs)
    assert logs["health_real"] == 1 / 2
    for variable, value in zip(trainer.variables, before, strict=True):
        for replica in variable.value.values:
            assert_array_equal(replica, value)
    trainer.generator.layers[-1].weight.assign(float("nan"))
    look(callback)
    assert callback.showing == ("not_finite",)
    with pytest.raises(DivergedError, match=r"weight .* is not finite at step 0"):
        stop.on_epoch_end(1, {})


def test_a_model_without_two_players_is_refused():
    callback = TrainingHealth([], [])
    callback.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match="Received a Sequential, expected a trainer"):
        callback.on_train_begin()


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="batches=0, expected 1 or more"):
        TrainingHealth([], [], batches=0)
