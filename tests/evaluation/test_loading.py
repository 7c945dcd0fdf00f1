import pytest

from medgan.errors import RecipeError
from medgan.evaluation.loading import load_network
from medgan.evaluation.runs import run_networks
from medgan.run import RunFolder


def test_a_network_that_cannot_be_loaded_is_one_line(tmp_path):
    path = tmp_path / "student.keras"
    path.write_bytes(b"no network")
    with pytest.raises(RecipeError, match=r"^Cannot load --net: .* Expected a vase\.$"):
        load_network(path, "--net", "a vase")
    with pytest.raises(RecipeError, match=r"student\.keras: .* a network that medgan saved\.$"):
        run_networks(RunFolder(tmp_path))
