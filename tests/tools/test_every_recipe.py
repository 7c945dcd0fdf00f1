import pathlib
import tomllib

import numpy as np
import pytest
from recipe_sizes import SIZES

from medgan.experiment import Experiment
from medgan.recipe import read_recipe

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "recipes"
# Those of fusion by distillation have tests of their own, as has the comparison.
OTHERS = {"kgan", "kgan-gpu", "table1"}

pytestmark = pytest.mark.usefixtures("eagerly")


def trainable(network):
    return [np.array(variable) for variable in network.trainable_variables]


def test_every_recipe_is_tried():
    assert {path.stem for path in RECIPES.glob("*.toml")} == {*SIZES, *OTHERS}


@pytest.mark.parametrize("name", SIZES)
def test_every_stage_of_a_recipe_can_be_built_and_moves_its_network_with_a_step(name):
    recipe = read_recipe(name, SIZES[name])
    experiment = Experiment(recipe)
    experiment.check()
    assert set(experiment.stages) == set(experiment.networks)
    for stage in map(experiment.stage, experiment.stages):
        before = trainable(stage.network)
        batch = next(iter(experiment.batches(0, stage.data_seed)))
        stage.trainer.train_on_batch(*(batch if isinstance(batch, tuple) else (batch,)))
        moved = [
            not np.array_equal(old, new)
            for old, new in zip(before, trainable(stage.network), strict=True)
        ]
        assert np.mean(moved) > 0.9
        assert all(np.isfinite(new).all() for new in trainable(stage.network))


@pytest.mark.parametrize("name", SIZES)
def test_a_recipe_says_what_it_reproduces_and_how(name):
    text = (RECIPES / f"{name}.toml").read_text()
    head = text[: text.index("[run]")]
    for said in ("Source ", f"Command   medgan-train {name} ", "Budget ", "Time ", "Scores "):
        assert f"# {said}" in head
    assert "@" not in head  # nothing left to be measured
    assert tomllib.loads(text)["run"]["name"] == name
    # What the head says to set can be set.
    words = " ".join(line.lstrip("# ") for line in head.splitlines())
    listed = words[words.index("Budget") :].split("--set ")[1:]
    settings = [word.split()[0] for word in listed]
    assert len(settings) > 2
    read_recipe(name, settings)
