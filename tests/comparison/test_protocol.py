import pytest

from medgan.comparison import read_protocol
from medgan.errors import RecipeError


def test_quick_comes_before_set_and_numbers_come_last(recipe):
    assert read_protocol(recipe)["protocol"]["batch_size"] == 2
    assert read_protocol(recipe, quick=True)["protocol"]["batch_size"] == 1
    changed = read_protocol(recipe, ["protocol.batch_size=7", "protocol.folds=2"], True, 4, 3)
    assert changed["protocol"]["batch_size"] == 7
    assert changed.folds == 3
    assert changed.seeds == [3, 4, 5, 6]


def test_other_data_change_what_the_recipe_says_for_them(recipe):
    assert read_protocol(recipe, ["data.type=paired_folders"]).folds == 2


def test_one_key_of_a_method_can_be_set(recipe):
    protocol = read_protocol(recipe, ["methods.bare.budget=3"])
    assert protocol.steps("bare") == 3
    assert protocol.steps("alone") == 1


def test_chosen_methods_bring_their_teachers(recipe):
    protocol = read_protocol(recipe, ['protocol.methods=["alone", "student"]'])
    assert list(protocol.methods) == ["teacher", "student", "alone"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["protocol.steps=0"], "[protocol] steps: received 0"),
        (["protocol.stepz=3"], "Did you mean steps"),
        (["methods.student.teacher=alone"], "expected a method above it"),
        (["methods.alone.network=huge"], "there is no [networks.huge]"),
        (["methods.student.title=alone"], "'alone' is there twice"),
        (['protocol.methods=["studnt"]'], "Did you mean student"),
        (['protocol.methods=["alone"]'], "[protocol] reference: received 'student'"),
        (["run.seed=-1"], "[run] seed"),
        (["methods.bare.group=tables"], "Did you mean table"),
    ],
)
def test_mistakes_are_said_with_what_was_expected(recipe, changes, words):
    with pytest.raises(RecipeError) as error:
        read_protocol(recipe, changes)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "alone"', 'name = "../alone"', "a folder is called so"),
        ('name = "alone"', 'name = "student"', "'student' is taken"),
        ("[quick]", "[quik]", "Did you mean quick"),
        ("batch_size = 2\n", "", "[protocol] has no key 'batch_size'"),
        ("budget = 2", "budget = 1.5", "budget: received 1.5, expected a whole number"),
        ('rules = ["maximum"]', 'rules = ["teacher"]', "'teacher' is also one of"),
        ("count = 6", "count = 6\ntest_patients = 0.2", "[data] test_patients"),
        ('group = "ablation"', "group = 3", "group: received 3, expected a text"),
    ],
)
def test_mistakes_in_the_file_are_said(recipe, tmp_path, old, new, words):
    text = recipe.read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(RecipeError) as error:
        read_protocol(path)
    assert words in str(error.value)


def test_quick_needs_its_table(recipe, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipe.read_text().replace("[quick]\nprotocol.batch_size = 1", ""))
    with pytest.raises(RecipeError, match=r"no table \[quick\]"):
        read_protocol(path, quick=True)


def test_installed_recipe_names_what_there_is():
    from medgan.comparison.folder import check_methods

    for quick in (False, True):
        protocol = read_protocol("table1", quick=quick)
        check_methods(protocol)
        groups = {protocol.group(name) for name in protocol.methods}
        assert groups == {"table", "ablation", "appendix"}
    assert protocol.rules == ["average", "maximum", "laplacian"]
