import csv
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.comparison import Cell, NoContentLoss, Plan, read_protocol
from medgan.comparison.cell_training import CellTraining, build_trainer, pictured
from medgan.comparison.cells import SCORES, changes, read_result, write_result
from medgan.comparison.folder import check_methods, open_folder
from medgan.comparison.results import Results
from medgan.comparison.summing_up import Summary
from medgan.errors import RecipeError
from medgan.metrics import score_images

pytestmark = pytest.mark.usefixtures("eagerly")


def run(plan, output, cells):
    training = CellTraining(plan, output)
    for cell in cells:
        training.run(cell)


@pytest.fixture(scope="module")
def plan(plan_of):
    return plan_of("protocol.folds=2")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, plan, eagerly):
    """Every cell, run in one go."""
    output = tmp_path_factory.mktemp("comparison") / "out"
    open_folder(plan, output)
    run(plan, output, plan.missing(output))
    return output


def test_every_method_runs_on_every_fold_and_a_teacher_before_its_students(plan):
    cells = plan.cells
    assert len(cells) == len(set(cells)) == 2 * (1 + 4)
    for cell in cells:
        teacher = plan.teacher(cell)
        assert (teacher is not None) == (cell.method == "student")
        if teacher is not None:
            assert cells.index(teacher) < cells.index(cell)
            assert (teacher.seed, teacher.fold) == (cell.seed, cell.fold)


def test_equal_parts_start_from_equal_weights_whatever_the_method(plan):
    networks = {
        name: build_trainer(plan, Cell(name, 3, 0), None)
        for name in ("student", "alone", "bare", "teacher")
    }
    alone = networks["alone"][1].get_weights()
    for name in ("student", "bare"):
        for one, other in zip(networks[name][1].get_weights(), alone, strict=True):
            assert_array_equal(one, other)
    judges = [trainer.discriminator.get_weights() for trainer, _ in networks.values()]
    for judge in judges[1:]:
        for one, other in zip(judge, judges[0], strict=True):
            assert_array_equal(one, other)
    decomposers = networks["bare"][0].first_decomposer, networks["bare"][0].second_decomposer
    first, second = (decomposer.get_weights() for decomposer in decomposers)
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    other = build_trainer(plan, Cell("alone", 4, 0), None)[1].get_weights()
    assert any(not np.array_equal(one, two) for one, two in zip(alone, other, strict=True))


def test_methods_of_a_seed_and_a_fold_see_the_same_batches(plan, tmp_path):
    training = CellTraining(plan, tmp_path)
    batches = [
        next(iter(training.batches(Cell(name, 3, 1)))) for name in ("student", "alone", "bare")
    ]
    assert_array_equal(batches[0], batches[1])
    assert_array_equal(batches[0], batches[2])
    other = next(iter(training.batches(Cell("alone", 3, 0))))
    assert not np.array_equal(batches[0], other)


def test_content_is_the_protocols_or_none_and_a_budget_stretches_the_schedule(plan):
    bare, _ = build_trainer(plan, Cell("bare", 3, 0), None)
    alone, _ = build_trainer(plan, Cell("alone", 3, 0), None)
    assert type(bare.content_loss) is NoContentLoss
    assert type(alone.content_loss).__name__ == "StructuralFusionLoss"
    assert bare.optimizer.get_config()["learning_rate"]["config"]["decay_steps"] == 2
    assert alone.optimizer.get_config()["learning_rate"]["config"]["decay_steps"] == 1


def test_a_method_may_have_an_optimizer_of_its_own(recipe, tmp_path):
    path = tmp_path / "own.toml"
    own = 'optimizer = { type = "SGD", learning_rate = 0.25 }'
    path.write_text(recipe.read_text().replace('name = "alone"', f'name = "alone"\n{own}'))
    plan = Plan(read_protocol(path))
    trainer, _ = build_trainer(plan, Cell("alone", 3, 0), None)
    assert type(trainer.optimizer) is keras.optimizers.SGD
    assert_allclose(float(trainer.optimizer.learning_rate), 0.25)
    assert type(trainer.discriminator_optimizer) is keras.optimizers.Adam
    other, _ = build_trainer(plan, Cell("teacher", 3, 0), None)
    assert type(other.optimizer) is keras.optimizers.Adam


def test_no_content_loss_asks_for_nothing():
    rng = np.random.default_rng(0)
    value = NoContentLoss()(rng.uniform(size=(3, 4, 4, 2)), rng.uniform(size=(3, 4, 4, 1)))
    assert float(value) == 0.0


def test_scores_are_those_of_the_saved_network_on_its_held_out_images(plan, finished):
    cell = Cell("student", 3, 1)
    pairs = plan.splits[1].validation
    network = keras.models.load_model(cell.folder(finished) / "network.keras", compile=False)
    rows = list(csv.DictReader((cell.folder(finished) / "scores.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == list(pairs.names)
    assert [row["patient"] for row in rows] == list(pairs.patients)
    sources = np.stack([pairs.image(index) for index in range(len(pairs))])
    fused = np.round(255 * np.clip(network(sources), 0, 1)) / 255
    expected = score_images("fusion", sources, fused, tuple(SCORES))
    for key, values in expected.items():
        assert_allclose([float(row[key]) for row in rows], values, rtol=1e-3, atol=1e-3)


def test_students_teacher_is_that_of_the_same_fold(plan, finished):
    trainer, _ = build_trainer(plan, Cell("student", 3, 1), finished)
    folders = [Cell("teacher", 3, fold).folder(finished) for fold in (1, 0)]
    own, other = (
        keras.models.load_model(folder / "network.keras", compile=False) for folder in folders
    )
    for one, two in zip(trainer.teacher.get_weights(), own.get_weights(), strict=True):
        assert_array_equal(one, two)
    different = zip(own.get_weights(), other.get_weights(), strict=True)
    assert any(not np.array_equal(one, two) for one, two in different)
    judge = keras.models.load_model(folders[0] / "discriminator.keras", compile=False)
    for one, two in zip(
        trainer.teacher_discriminator.get_weights(), judge.get_weights(), strict=True
    ):
        assert_array_equal(one, two)


def test_finished_cells_are_not_run_again(plan, finished):
    assert plan.missing(finished) == []


def test_more_seeds_go_on_in_the_same_folder(plan_of, finished):
    more = plan_of("protocol.folds=2", seeds=2)
    open_folder(more, finished)
    missing = more.missing(finished)
    assert {cell.seed for cell in missing} == {4}
    assert len(missing) == 2 * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("protocol.steps=3", "protocol.steps was 1 and is 3"),
        ("protocol.folds=3", "protocol.folds was 2 and is 3"),
        ("data.count=5", "data.count was 6 and is 5"),
        ("data.crop=16", "data.crop was 24 and is 16"),
    ],
)
def test_another_protocol_is_refused_in_the_same_folder(plan_of, finished, change, words):
    before = (finished / "fingerprint.json").read_text()
    with pytest.raises(RecipeError) as error:
        open_folder(plan_of("protocol.folds=2", change), finished)
    assert words in str(error.value)
    assert (finished / "fingerprint.json").read_text() == before


@pytest.mark.parametrize(
    ("change", "method", "words"),
    [
        ("methods.bare.budget=3", "bare", "budget was 2 and is 3"),
        ("networks.large.width=4", "student", "taught_by.networks_used.large.width was 3 and is 4"),
    ],
)
def test_another_method_is_refused_where_its_cells_are(plan_of, finished, change, method, words):
    other = plan_of("protocol.folds=2", change)
    open_folder(other, finished)  # what all methods share is the same
    with pytest.raises(RecipeError, match="made by another protocol") as error:
        other.missing(finished)
    settings = read_result(Cell(method, 3, 0), finished)["settings"]
    assert any(words in said for said in changes(settings, other.settings(method)))
    assert "Undo that" in str(error.value)


def test_a_folder_with_something_else_is_left_alone(plan, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecipeError, match="holds something else"):
        open_folder(plan, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_killed_and_continued_ends_with_the_table_of_an_uninterrupted_run(plan_of, tmp_path):
    plan = plan_of("protocol.folds=2", 'protocol.methods=["alone"]', 'protocol.reference=""')
    whole, output = tmp_path / "whole", tmp_path / "killed"
    open_folder(plan, whole)
    run(plan, whole, plan.missing(whole))  # the second fold takes what the first has compiled
    open_folder(plan, output)
    missing = plan.missing(output)
    run(plan, output, missing[:3])
    (missing[2].folder(output) / "result.json").unlink()  # killed just before its last file
    before = (missing[1].folder(output) / "result.json").stat().st_mtime_ns
    assert plan.missing(output) == missing[2:]
    run(plan, output, plan.missing(output)[::-1])
    assert (missing[1].folder(output) / "result.json").stat().st_mtime_ns == before
    assert Summary(plan, output).markdown() == Summary(plan, whole).markdown()
    for cell in plan.cells:
        scores = [(cell.folder(folder) / "scores.csv").read_text() for folder in (whole, output)]
        assert scores[0] == scores[1]


def test_a_diverged_cell_is_recorded_and_shown_and_its_student_with_it(plan, finished, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    teacher, student = Cell("teacher", 3, 0), Cell("student", 3, 0)
    for cell in (teacher, student):
        shutil.rmtree(cell.folder(output))

    def with_poison(*arguments):
        trainer, network = build_trainer(*arguments)
        network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
        return trainer, network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medgan.comparison.cell_training.build_trainer", with_poison)
        result = CellTraining(plan, output).run(teacher)
    assert result["status"] == "diverged" and "step" in result["reason"]
    assert plan.missing(output) == [student]
    run(plan, output, [student])
    assert read_result(student, output)["reason"] == "its teacher diverged"
    summary = Summary(plan, output)
    text = summary.markdown()
    assert "| the student (1 diverged) |" in text
    assert "- the student: seed 3, fold 1: its teacher diverged" in text
    assert "cannot be told, for trainings diverged" in text
    payload = summary.to_dict()
    assert "the student" not in payload["evaluation"]["methods"]
    assert any("the student left out" in line for line in payload["evaluation"]["problems"])


def test_table_is_means_by_patient_over_seeds(plan, finished):
    results = Results(plan, finished)
    found = results.methods["alone"].to_dict()
    rows = []
    for fold in range(2):
        path = Cell("alone", 3, fold).folder(finished) / "scores.csv"
        rows += csv.DictReader(path.read_text().splitlines())
    by_patient = {}
    for row in rows:
        by_patient.setdefault(row["patient"], []).append(float(row["scd"]))
    expected = np.mean([np.mean(column) for column in by_patient.values()])
    assert len(by_patient) == 3
    assert_allclose(found["scores"]["scd"], expected, rtol=1e-6)
    assert found["deviation_over_seeds"]["scd"] is None


def test_spread_is_over_seeds(plan, finished):
    method = Results(plan, finished).methods["alone"]
    shifted = dataclasses.replace(method, values=np.concatenate([method.values, method.values + 2]))
    found = shifted.to_dict()
    first = method.to_dict()["scores"]["sf"]
    assert_allclose(found["scores"]["sf"], first + 1, rtol=1e-6)
    assert_allclose(found["deviation_over_seeds"]["sf"], np.std([0, 2], ddof=1), rtol=1e-6)


def test_everything_that_is_promised_is_written(plan, finished):
    summary = Summary(plan, finished, "medgan-compare tiny")
    payload = summary.write()
    assert json.loads((finished / "scores.json").read_text()) == json.loads(json.dumps(payload))
    gap = payload["differences_to_reference"]["bare"]["sf"]["difference"]
    means = {entry["name"]: entry["scores"]["sf"] for entry in payload["methods"]}
    assert_allclose(gap, means["bare"] - means["student"], rtol=1e-6)
    page = (finished / "report.html").read_text()
    for words in ("Does distillation help?", "Table 1", "Ablations", "16.37", "the student"):
        assert words in page
    rows = list(csv.DictReader((finished / "scores.csv").read_text().splitlines()))
    assert len(rows) == len(plan.pairs) * 5
    assert {row["method"] for row in rows} == {"maximum", "teacher", "student", "alone", "bare"}
    for name in ("figure4.png", "figure5.png", "table1.md"):
        assert (finished / name).stat().st_size > 0
    text = (finished / "table1.md").read_text()
    for paper in ("16.37 |  0.593", "15.52", "1.256"):
        assert paper.replace("|  ", "| ") in text
    assert "(smoke)" not in text and "--quick" not in text


def test_quick_says_that_nothing_can_be_concluded(plan_of, finished):
    quick = plan_of("protocol.folds=2", "protocol.batch_size=2", quick=True)
    summary = Summary(quick, finished)
    assert "No conclusion may be drawn" in summary.markdown()
    assert "No conclusion may be drawn" in summary.verdict["sentence"]


def test_mistakes_in_methods_are_said_before_anything_is_trained(recipe):
    for change, words in (
        ("methods.alone.type=FusionGun", "FusionGAN"),
        ('protocol.rules=["maximun"]', "maximum"),
    ):
        with pytest.raises(RecipeError) as error:
            check_methods(read_protocol(recipe, [change]))
        assert words in str(error.value)


def test_a_cell_is_finished_once_its_result_is_there(tmp_path):
    cell = Cell("alone", 1, 0)
    write_result(cell, tmp_path, {"status": "done"})
    assert read_result(cell, tmp_path) == {"status": "done"}
    assert read_result(Cell("alone", 2, 0), tmp_path) is None


def test_pictures_are_spread_over_a_fold():
    assert pictured(9) == [2, 4, 6]
    assert pictured(1) == [0]
