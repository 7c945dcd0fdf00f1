import pathlib
import types

import pytest

from medgan.callbacks import StopOnSymptoms, TrainingHealth
from medgan.callbacks.symptoms import SYMPTOMS
from medgan.errors import DivergedError

NUMBERS = [number for symptom in SYMPTOMS for number in symptom.numbers] + ["mean", "nearest_input"]

# Numbers of one look that show the symptom, and how many looks in a row it takes.
SHOWN_BY = {
    "not_finite": ({"not_finite": 2.0}, 1),
    "discriminator_overfits": ({"real": 0.9, "held_out": 0.5}, 2),
    "discriminator_wins": ({"real": 1.0, "fake": 0.0}, 2),
    "discriminator_gives_up": ({"spread": 0.001, "mean": 0.5}, 2),
    "constant_output": ({"contrast": 0.2}, 1),
    "collapse": ({"diversity": 0.1}, 2),
    "output_equals_input": ({"distance_to_input": 0.1, "nearest_input": 1.0}, 1),
}
HEALTHY = {"real": 0.7, "fake": 0.3, "held_out": 0.7, "spread": 1.0, "diversity": 0.9}


class Health(TrainingHealth):
    """Measures what it is told."""

    def act(self, epoch, logs):
        self.numbers = {**dict.fromkeys(NUMBERS, float("nan")), **self.measured}
        self._diagnose()


def watching(symptoms, checkpoint=None):
    """A health that knows nothing yet, and its watcher."""
    health = Health([], [])
    watcher = StopOnSymptoms(health, symptoms, checkpoint)
    trained = types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=70))
    for callback in (health, watcher):
        callback.set_model(trained)
    return health, watcher


def look(health, watcher, **measured):
    """One epoch's end ten steps on."""
    health.model.optimizer.iterations += 10
    health.measured = measured
    for callback in (health, watcher):
        callback.on_epoch_end(0, {})


def test_every_symptom_is_tried_here():
    assert set(SHOWN_BY) == {symptom.name for symptom in SYMPTOMS}


@pytest.mark.parametrize("name", SHOWN_BY)
def test_each_symptom_stops_when_it_is_said(name):
    numbers, looks = SHOWN_BY[name]
    health, watcher = watching([name])
    look(health, watcher, **HEALTHY)
    assert not watcher.suspicious
    for _ in range(looks - 1):
        look(health, watcher, **numbers)
        assert watcher.suspicious and health.suspected == (name,) and health.showing == ()
    with pytest.raises(DivergedError, match=f"showed '{name}', expected none of") as caught:
        look(health, watcher, **numbers)
    assert health.showing == (name,)
    assert health.findings[-1]["text"] in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.step == 80 + 10 * looks and caught.value.reason == f"'{name}' shows"


def test_those_watched_unless_told_are_constant_outputs_collapse_and_a_winning_discriminator():
    assert StopOnSymptoms(Health([], [])).symptoms == (
        "constant_output",
        "collapse",
        "discriminator_wins",
    )


def test_nothing_stops_where_nothing_is_watched():
    health, watcher = watching(())
    for _ in range(3):
        for numbers, _ in SHOWN_BY.values():
            look(health, watcher, **numbers)
            assert not watcher.suspicious
    look(health, watcher, **SHOWN_BY["collapse"][0])
    look(health, watcher, **SHOWN_BY["collapse"][0])
    assert "collapse" in health.showing


def test_other_symptoms_than_the_watched_do_not_stop():
    health, watcher = watching(["collapse"])
    look(health, watcher, contrast=0.0)
    assert health.showing == ("constant_output",) and not watcher.suspicious


def test_suspicion_passes_when_the_symptom_does():
    health, watcher = watching(["collapse"])
    for diversity, suspicious in ((0.1, True), (0.9, False), (0.1, True), (0.9, False)):
        look(health, watcher, diversity=diversity)
        assert watcher.suspicious == suspicious


def test_look_at_the_end_of_a_stopped_training_counts():
    health, watcher = watching(["constant_output"])
    health.every = 2
    health.measured = {"contrast": 0.0}
    for callback in (health, watcher):
        callback.on_epoch_end(0, {})
    health.on_train_end()
    with pytest.raises(DivergedError, match="'constant_output'"):
        watcher.on_train_end()


@pytest.mark.parametrize(
    "saved, text",
    [
        (None, r"content\. No checkpoint was saved before\.$"),
        (80, r"The last good checkpoint is there.last\.npz of step 80\.$"),
        (90, r"The last checkpoint in there shows it too: go back to an earlier one\.$"),
    ],
)
def test_last_checkpoint_is_called_good_only_if_it_is_from_before(saved, text):
    checkpoint = types.SimpleNamespace(directory=pathlib.Path("there"), saved_step=saved)
    health, watcher = watching(["collapse"], checkpoint)
    look(health, watcher, diversity=0.9)  # step 80
    look(health, watcher, diversity=0.1)  # step 90
    with pytest.raises(DivergedError, match=text):
        look(health, watcher, diversity=0.1)


def test_state_goes_on_where_it_was():
    checkpoint = types.SimpleNamespace(directory=pathlib.Path("there"), saved_step=80)
    old = watching(["collapse"], checkpoint)
    look(*old, diversity=0.1)  # step 80
    new = watching(["collapse"], checkpoint)
    new[0].model.optimizer.iterations = 80
    for one, other in zip(old, new, strict=True):
        other.set_state(one.get_state())
    assert new[1].suspicious
    with pytest.raises(DivergedError, match="shows it too"):
        look(*new, diversity=0.1)


def test_unknown_symptom_is_refused():
    with pytest.raises(ValueError, match="'colapse', expected some of not_finite, disc"):
        StopOnSymptoms(Health([], []), ["colapse"])
