import json

import keras
import numpy as np
import pytest

from medgan.errors import DivergedError, RecipeError
from medgan.experiment import Experiment
from medgan.recipe import read_recipe
from medgan.run import RunFolder
from medgan.training import StageTraining

pytestmark = pytest.mark.usefixtures("eagerly")


class Poison(keras.callbacks.Callback):
    """Makes a weight infinite after some batches of a training; counts the batches."""

    def __init__(self, *batches):
        super().__init__()
        self.batches = batches
        self.seen = []  # no number: that would be put back by the checkpoint
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)
        if len(self.seen) in self.batches:
            kernel = self.model.generator.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.inf, "float32"))

    def on_epoch_begin(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def training(folder, tiny, poison, *changes):
    settings = [
        *tiny,
        "teacher.steps=6",
        "divergence.within=1",
        'teacher.optimizer={type="SGD", learning_rate=1e-3}',
        *changes,
    ]
    experiment = Experiment(read_recipe("kgan", settings))
    return StageTraining(experiment, experiment.stage("teacher"), RunFolder(folder), [poison])


def test_divergence_stops_and_names_the_last_good_checkpoint(tmp_path, tiny):
    started = training(tmp_path, tiny, Poison(5))
    with pytest.raises(DivergedError, match=r"last\.npz of step 4") as caught:
        started.train()
    assert caught.value.step == 5
    again = training(tmp_path, tiny, Poison())
    assert again.checkpoint.newest()["step"] == 4


def test_rollback_goes_back_lowers_the_rates_and_says_so(tmp_path, tiny):
    poison = Poison(5)
    started = training(tmp_path, tiny, poison, "divergence.policy=rollback")
    started.train()
    assert (tmp_path / "teacher.keras").exists()
    assert len(poison.seen) == 7  # 1 to 5, then 5 and 6 again
    np.testing.assert_allclose(poison.rates, [1e-3] * 5 + [5e-4] * 2, rtol=1e-5)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    health = (tmp_path / "health_teacher.jsonl").read_text().splitlines()
    said = [json.loads(line)["text"] for line in health if "Rollback" in line]
    assert len(said) == 1
    assert said[0].startswith("Rollback 1 of 3, from step 5 to step 4, learning rates times 0.5:")
    # Another process that takes it up knows the rate.
    assert started.checkpoint.newest()["learning_rate_factor"] == 0.5


@pytest.mark.slow
def test_a_second_rollback_past_the_first_counts_from_the_rate_that_it_finds(tmp_path, tiny):
    poison = Poison(3, 4)  # both right behind the checkpoint of step 2
    training(tmp_path, tiny, poison, "divergence.policy=rollback").train()
    assert poison.rates[-1] == pytest.approx(2.5e-4)


def test_a_stage_that_is_done_takes_no_step_and_ends_alike(tmp_path, tiny):
    changes = "teacher.optimizer.learning_rate=2e-3", "teacher.steps=2"
    training(tmp_path, tiny, Poison(), *changes).train()
    before = keras.models.load_model(tmp_path / "teacher.keras").get_weights()
    (tmp_path / "teacher.keras").unlink()
    poison = Poison()
    training(tmp_path, tiny, poison, *changes).train()
    assert poison.seen == []
    for one, other in zip(
        before, keras.models.load_model(tmp_path / "teacher.keras").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_rollbacks_come_to_an_end(tmp_path, tiny):
    changes = "divergence.policy=rollback", "divergence.rollbacks=1"
    started = training(tmp_path, tiny, Poison(3, 4), *changes)
    with pytest.raises(DivergedError):
        started.train()
    assert started.rollbacks == 1


def test_unknown_symptom_is_refused(tmp_path, tiny):
    with pytest.raises(RecipeError, match=r"\[divergence\] Received the symptom 'colapse'"):
        training(tmp_path, tiny, Poison(), 'divergence.symptoms=["colapse"]')
