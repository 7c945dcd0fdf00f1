import json

import keras
from numpy.testing import assert_allclose, assert_array_equal

from medgan import data
from medgan.callbacks import fusion_report
from medgan.experiment import Experiment
from medgan.metrics import score_fusion
from medgan.recipe import read_recipe
from medgan.run import RunFolder
from medgan.training import StageTraining


class Weights(keras.callbacks.Callback):
    """Keeps the generator's weights after every step."""

    def __init__(self):
        super().__init__()
        self.after = []

    def on_train_batch_end(self, batch, logs=None):
        self.after.append(self.model.generator.get_weights())


def test_averaged_weights_are_validated_and_saved(tmp_path, tiny):
    experiment = Experiment(read_recipe("kgan-gpu", [*tiny, "teacher.optimizer.ema_momentum=0.5"]))
    weights = Weights()
    stage = experiment.stage("teacher")
    StageTraining(experiment, stage, RunFolder(tmp_path), [weights]).train()
    average = weights.after[0]
    for now in weights.after[1:]:
        average = [0.5 * old + 0.5 * new for old, new in zip(average, now, strict=True)]
    saved = keras.models.load_model(tmp_path / "teacher.keras")
    for ours, expected in zip(saved.get_weights(), average, strict=True):
        assert_allclose(ours, expected, atol=1e-6)


def test_student_starts_alike_with_and_without_teacher_and_sees_the_same_batches(tiny):
    experiment = Experiment(read_recipe("kgan", tiny))
    stages = [experiment.stage(name) for name in ("student", "student_without_teacher")]
    weights = [stage.network.get_weights() for stage in stages]
    for one, other in zip(*weights, strict=True):
        assert_allclose(one, other, atol=0)
    batches = [next(iter(experiment.batches(0, stage.data_seed))) for stage in stages]
    assert_allclose(batches[0], batches[1], atol=0)
    assert stages[0].steps == stages[1].steps


def test_discriminator_of_the_student_starts_from_the_teachers(tiny):
    experiment = Experiment(read_recipe("kgan", tiny))
    teacher = experiment.stage("teacher").trainer.discriminator
    student = experiment.stage("student").trainer.discriminator
    assert teacher is not student
    for one, other in zip(teacher.get_weights(), student.get_weights(), strict=True):
        assert_allclose(one, other, atol=0)


def test_own_callbacks_are_called_and_contrasts_of_phantoms_logged(tmp_path, tiny, monkeypatch):
    # All scores bring the contrasts; compiling the others is not this test's business.
    monkeypatch.setattr(fusion_report, "score_fusion", lambda *of: score_fusion(*of[:2], ["sf"]))
    recipe = read_recipe("kgan", [*tiny, "training.validation_scores=[]"])
    log = tmp_path / "own.csv"
    recipe.tables["callbacks"] = [{"type": "CSVLogger", "filename": str(log)}]
    experiment = Experiment(recipe)
    StageTraining(experiment, experiment.stage("teacher"), RunFolder(tmp_path)).train()
    assert len(log.read_text().splitlines()) == 4
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["val_cnr_bone"] > 0
    logged = {name.removeprefix("val_") for name in lines[-1] if name.startswith("val_")}
    assert set(experiment.rivals["maximum"]) == logged


def test_validation_brings_the_labels_of_its_phantoms_drawn_once(tiny, monkeypatch):
    draw, calls = data.phantom_labels, []

    def counted(count=300, patients=60, image_size=256, seed=0):
        calls.append(count)
        return draw(count, patients, image_size, seed)

    monkeypatch.setattr(data, "phantom_labels", counted)
    chosen = Experiment(read_recipe("kgan", tiny))
    assert chosen.task.validation(None, chosen.scores)[2] is None  # single scores are chosen
    assert not calls
    experiment = Experiment(read_recipe("kgan", [*tiny, "training.validation_scores=[]"]))
    for count in (None, 1):
        _, patients, labels = experiment.task.validation(count, experiment.scores)
        pairs = experiment.split.validation
        assert len(labels) == len(patients) == (count or len(pairs))
        for name, label in zip(pairs.names, labels, strict=False):
            assert_array_equal(label, experiment.data.labels[name])
            # Bone is what the CT shows brightest.
            index = pairs.names.index(name)
            bone = label == data.phantom_anatomy.BONE
            assert pairs.image(index)[bone, 0].mean() > 2 * pairs.image(index)[~bone, 0].mean()
    assert calls == [6]
