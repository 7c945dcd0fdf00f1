import numpy as np
import pytest
from numpy.testing import assert_array_equal
from recipe_sizes import SIZES

from medgan.experiment import Experiment
from medgan.recipe import read_recipe
from medgan.run import RunFolder
from medgan.training import StageTraining

pytestmark = pytest.mark.usefixtures("eagerly")


class Killed(BaseException):
    """What no code expects."""


def kill_at(step):
    """A callback that ends the process's work like a kill: nothing is saved, nobody is asked."""
    import keras

    seen = []

    def end(batch, logs=None):
        seen.append(batch)
        if len(seen) == step:
            raise Killed

    return keras.callbacks.LambdaCallback(on_train_batch_end=end)


def trained(folder, name, further=()):
    folder.mkdir(exist_ok=True)
    settings = [s for s in SIZES[name] if ".steps=" not in s]
    settings += [s.replace("=3", "=5") for s in SIZES[name] if ".steps=" in s]
    experiment = Experiment(read_recipe(name, settings))
    last = experiment.stages[-1]
    for stage in experiment.stages:
        own = further if stage == last else ()
        StageTraining(experiment, experiment.stage(stage), RunFolder(folder), own).train()
    return folder / "checkpoints" / last / "last.npz"


# Noise is drawn inside, a pool keeps images and draws, two streams are drawn apart.
@pytest.mark.parametrize(
    "name",
    [
        "gan",
        pytest.param("cyclegan", marks=pytest.mark.slow),
        pytest.param("wgan-gp", marks=pytest.mark.slow),
        pytest.param("csgan", marks=pytest.mark.slow),
        pytest.param("pix2pix", marks=pytest.mark.slow),
        pytest.param("ddcgan", marks=pytest.mark.slow),
    ],
)
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path, name):
    whole = trained(tmp_path / "whole", name)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", name, [kill_at(4)])  # saved are steps 0 and 2
    resumed = trained(tmp_path / "killed", name)
    archives = [np.load(path) for path in (whole, resumed)]
    members = [key for key in archives[0].files if key.endswith(".npy") or key.isdigit()]
    assert len(members) > 20
    for key in members:
        assert_array_equal(archives[0][key], archives[1][key], err_msg=key)
    lines = [(tmp_path / run / "metrics.jsonl").read_text() for run in ("whole", "killed")]
    assert lines[0] == lines[1]
