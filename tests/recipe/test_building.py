import fractions

import keras
import pytest
from numpy.testing import assert_allclose

from medgan.errors import RecipeError
from medgan.losses import NonSaturatingLoss
from medgan.recipe import build


def test_a_table_becomes_the_object_that_it_names():
    loss = build({"type": "NonSaturatingLoss", "real_label": 0.8}, "[x]")
    assert isinstance(loss, NonSaturatingLoss)
    assert loss.real_label == 0.8


def test_nested_tables_are_built_first_and_take_defaults():
    table = {
        "type": "Adam",
        "learning_rate": {"type": "CosineDecay", "initial_learning_rate": 0.5},
    }
    optimizer = build(table, "[x]", {"decay_steps": 10, "seed": 3})
    assert isinstance(optimizer, keras.optimizers.Adam)
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert schedule["decay_steps"] == 10
    # Half of the way down a cosine from 0.5.
    built = build(table["learning_rate"], "[x]", {"decay_steps": 10})
    assert_allclose(built(5), 0.25, rtol=1e-6)


def test_own_code_is_found_by_module_and_name():
    assert build({"type": "fractions:Fraction", "numerator": 3}, "[x]") == fractions.Fraction(3)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, r"\[x\] has no key 'type'"),
        ({"type": 3}, "expected a name"),
        ({"type": "NonSaturatedLoss"}, "Did you mean NonSaturatingLoss"),
        ({"type": "no_such_module:thing"}, "cannot import"),
        ({"type": "NonSaturatingLoss", "label": 1.0}, "unknown key 'label'.*real_label"),
        ({"type": "NonSaturatingLoss", "real_label": "x"}, "expected a number"),
        ({"type": "NonSaturatingLoss", "real_label": 0.1}, "expected above 0.5"),
        ({"type": "dense_fusion_generator", "width": 0}, "width=0, expected 1 or more"),
        ({"type": "dense_fusion_generator", "head": "sum"}, "expected one of"),
        ({"type": "Adam", "learning_rat": 0.1}, "unknown key 'learning_rat'.*learning_rate"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(table, message):
    with pytest.raises(RecipeError, match=message) as caught:
        build(table, "[x]")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("[x]")


def test_keys_that_medgan_sets_are_refused():
    with pytest.raises(RecipeError, match="medgan sets this key itself"):
        build({"type": "FusionGAN", "generator": 1}, "[teacher]", generator=None)
