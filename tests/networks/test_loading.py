import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.errors import RecipeError
from medgan.layers import InstanceNormalization
from medgan.losses import StructuralFusionLoss
from medgan.models import DistillingGAN, FusionGAN
from medgan.networks import dense_fusion_generator, modality_discriminator, saved_network
from medgan.recipe import build

X = np.random.default_rng(0).uniform(size=(2, 16, 16, 2)).astype("float32")


def network(seed=1, **kwargs):
    return dense_fusion_generator(width=3, dense_layers=1, head="tanh", seed=seed, **kwargs)


@pytest.fixture
def run(tmp_path):
    """A run folder as far as a network needs one, and what is in it."""
    folder = tmp_path / "20260101-120000"
    folder.mkdir()
    networks = {name: network(seed) for seed, name in enumerate(("student", "teacher"), 1)}
    for name, each in networks.items():
        each.save(folder / f"{name}.keras")
    (tmp_path / "latest").symlink_to(folder.name, target_is_directory=True)
    return tmp_path, networks


@pytest.mark.parametrize("folder", ["20260101-120000", "latest"])
def test_a_run_folder_gives_the_network_of_the_name(run, folder):
    path, networks = run
    assert_array_equal(saved_network(path=path / folder)(X), networks["teacher"](X))
    student = saved_network(path=str(path / folder), network="student")
    assert_array_equal(student(X), networks["student"](X))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_file_gives_its_network_whatever_its_name(tmp_path, kind):
    layers = [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 3), InstanceNormalization()]
    keras.utils.set_random_seed(1)
    own = keras.Sequential(layers)
    own.compile("adam", "mse")
    own.save(tmp_path / f"own.{kind}")
    loaded = saved_network(path=tmp_path / f"own.{kind}")
    assert_array_equal(loaded(X), own(X))
    assert not loaded.compiled


def test_a_table_of_a_recipe_names_a_teacher_that_teaches(run):
    path, networks = run
    table = {"type": "saved_network", "path": str(path / "latest")}
    teacher = build(table, "[networks.teacher]", {"seed": 1, "name": "teacher"})
    model = DistillingGAN(
        teacher, network(5), modality_discriminator(width=2), content_loss=StructuralFusionLoss()
    )
    model.compile("sgd", "sgd", run_eagerly=True)
    model.train_on_batch(X)
    assert_array_equal(teacher(X), networks["teacher"](X))


def test_a_network_that_a_run_has_not_is_refused_with_those_it_has(run):
    with pytest.raises(RecipeError, match=r"network='critic' .*there are student, teacher"):
        saved_network(path=run[0] / "latest", network="critic")


def test_a_folder_without_networks_and_a_path_that_is_none_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="there is none"):
        saved_network(path=tmp_path)
    with pytest.raises(RecipeError, match="A path that is not absolute begins at"):
        saved_network(path=tmp_path / "no.keras")


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "teacher.keras").write_bytes(b"no network")
    with pytest.raises(RecipeError, match=r"teacher\.keras") as error:
        saved_network(path=tmp_path)
    assert "\n" not in str(error.value)


def test_a_trainer_is_refused_and_its_network_named(tmp_path):
    trainer = FusionGAN(network(), modality_discriminator(width=2))
    trainer.save(tmp_path / "trainer.keras")
    with pytest.raises(RecipeError, match=r"trainer, FusionGAN, .* trainer\.generator\.save"):
        saved_network(path=tmp_path / "trainer.keras")
