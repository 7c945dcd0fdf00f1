import pathlib

import pytest

from medgan.errors import RecipeError
from medgan.recipe import find_recipe, read_recipe

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "recipes"


def written(tmp_path, change=lambda text: text):
    path = tmp_path / "mine.toml"
    path.write_text(change((RECIPES / "kgan.toml").read_text()))
    return str(path)


def test_bare_name_finds_the_installed_recipe():
    assert find_recipe("kgan")[0] == (RECIPES / "kgan.toml").read_text()


# table1.toml is of medgan-compare, which reads it itself.
@pytest.mark.parametrize("name", sorted({p.stem for p in RECIPES.glob("*.toml")} - {"table1"}))
def test_every_installed_recipe_is_valid(name):
    assert read_recipe(name).name == name


def test_unknown_recipe_lists_those_installed():
    with pytest.raises(RecipeError, match=r"no recipe 'kgam'.*kgan"):
        read_recipe("kgam")


def test_syntax_error_names_the_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('[run]\nname = "x"\nseed = = 1\n')
    with pytest.raises(RecipeError, match="line 3"):
        read_recipe(str(path))


def test_unknown_table_names_the_nearest(tmp_path):
    path = written(tmp_path, lambda text: text.replace("[training]", "[trainign]"))
    with pytest.raises(RecipeError, match=r"\[trainign\].*Did you mean training"):
        read_recipe(path)


def test_missing_table_is_named(tmp_path):
    path = written(tmp_path, lambda text: text.replace("[networks.student]", "[networks.extra]"))
    with pytest.raises(RecipeError, match=r"\[networks.student\]"):
        read_recipe(path)


def test_set_changes_values_of_every_kind():
    recipe = read_recipe(
        "kgan",
        [
            "run.seed=7",
            "run.name=mine",
            "data.crop=64",
            'data.validation_patients=["33", "37"]',
            "data.flips=false",
            "teacher.adversarial_weight=1",
            "teacher.optimizer.learning_rate.initial_learning_rate=1e-3",
        ],
    )
    assert recipe["run"] == {"name": "mine", "seed": 7}
    assert recipe["data"]["crop"] == 64
    assert recipe["data"]["validation_patients"] == ["33", "37"]
    assert recipe["data"]["flips"] is False
    assert recipe["teacher"]["adversarial_weight"] == 1.0
    rate = recipe["teacher"]["optimizer"]["learning_rate"]["initial_learning_rate"]
    assert rate == 1e-3
    assert recipe.overrides["run.seed"] == 7


def test_texts_need_no_quotes_even_if_they_look_like_numbers():
    assert read_recipe("kgan", ["data.root=33"])["data"]["root"] == "33"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("run.sed=1", r"no key 'sed' in run.*seed"),
        ("rnu.seed=1", r"no table 'rnu'.*run"),
        ("teacher.optimizer.rate=1", "no key 'rate'"),
        ("run.seed", "expected table.key=value"),
        ("run.seed=one", "received 'one', expected a whole number"),
        ("run.seed=1.5", "received 1.5, expected a whole number"),
        ("data.flips=1", "received 1, expected true or false"),
        ("data.validation_patients=true", "a list of patients or a share"),
        ("run.seed=-1", "received -1, expected 0 or more"),
        ("teacher.steps=0", "received 0, expected 1 or more"),
        ("training.batch_size=0", "received 0, expected 1 or more"),
        ("run.name=a/b", "expected a name for a folder"),
        ("training.precision=mixed", "'mixed'. Did you mean mixed_float16 or mixed_bfloat16"),
        ("training.strategy=mirored", "'mirored'. Did you mean mirrored"),
        ("training.deterministic=1", "received 1, expected true or false"),
        ("training.validation_scores=[1]", "expected a list of texts"),
        ("divergence.policy=rolback", "'rolback'. Did you mean rollback"),
        ("divergence.within=0", "received 0, expected 1 or more"),
        ("divergence.rollbacks=-1", "received -1, expected 0 or more"),
        ("divergence.factor=1", "received 1.0, expected between 0 and 1"),
        ("divergence.factor=nan", "received nan, expected between 0 and 1"),
        ("divergence.symptoms=[1]", "expected a list of texts"),
        ("divergence.symtoms=[]", "no key 'symtoms' in divergence.*symptoms"),
    ],
)
def test_wrong_assignments_are_refused_in_one_line(assignment, message):
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe("kgan", [assignment])
    assert "\n" not in str(caught.value)


def test_real_pairs_get_settings_of_their_own():
    phantoms = read_recipe("kgan")
    pairs = read_recipe("kgan", ["data.type=paired_folders", "data.root=x"])
    assert pairs["teacher"]["steps"] > phantoms["teacher"]["steps"]


def test_set_wins_over_the_settings_for_real_pairs():
    pairs = read_recipe("kgan", ["teacher.steps=5", "data.type=paired_folders"])
    assert pairs["teacher"]["steps"] == 5


def test_condition_on_a_missing_key_is_refused(tmp_path):
    path = written(tmp_path, lambda text: text.replace("teacher.steps", "teacher.stepz"))
    with pytest.raises(RecipeError, match=r"\[when.paired_folders\].*stepz"):
        read_recipe(path, ["data.type=paired_folders"])


def test_what_came_later_may_be_left_out(tmp_path):
    def without(text):
        head, _, rest = text.partition("[divergence]")
        later = ("best_score", "precision", "strategy", "deterministic")
        kept = [line for line in head.splitlines() if not line.startswith(later)]
        return "\n".join(kept) + rest[rest.index("\n[when.") :]

    recipe = read_recipe(written(tmp_path, without))
    assert "divergence" not in recipe.tables
    assert set(recipe["training"]) == {
        "batch_size",
        "checkpoint_every",
        "validation_pairs",
        "validation_scores",
    }


def test_divergence_is_a_table(tmp_path):
    path = written(tmp_path, lambda text: text.replace("[divergence]", "[[divergence]]"))
    with pytest.raises(RecipeError, match=r"expected a table \[divergence\]"):
        read_recipe(path)


def test_an_unknown_key_of_divergence_names_the_nearest(tmp_path):
    path = written(tmp_path, lambda text: text.replace("rollbacks = 3", "rollback = 3"))
    with pytest.raises(RecipeError, match=r"\[divergence\].*'rollback'.*Did you mean rollbacks"):
        read_recipe(path)


def test_a_recipe_trains_one_trainer_or_distils(tmp_path):
    text = (RECIPES / "pix2pix.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("[training]", "[teacher]\nsteps = 1\n[training]"))
    with pytest.raises(RecipeError, match=r"has \[trainer\] beside \[teacher\]"):
        read_recipe(str(path))
    path.write_text(text.replace("[trainer", "[train"))
    with pytest.raises(RecipeError, match=r"\[train\]. Did you mean.*trainer"):
        read_recipe(str(path))
    path.write_text(text[: text.index("[trainer]")] + text[text.index("[training]") :])
    with pytest.raises(RecipeError, match="has nothing to train"):
        read_recipe(str(path))


def test_stages_are_named_by_the_recipe():
    assert read_recipe("kgan").stages == ("teacher", "student", "student_without_teacher")
    assert read_recipe("cyclegan").stages == ("generator",)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("data.task=translate", "'translate'. Did you mean translation"),
        ("trainer.steps=0", "received 0, expected 1 or more"),
        ("trainer.steps=1.5", "received 1.5, expected a whole number"),
        ("networks.generator=3", "received 3, expected a table"),
    ],
)
def test_wrong_assignments_to_a_trainer_are_refused(assignment, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe("pix2pix", [assignment])
