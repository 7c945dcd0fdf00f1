import pytest

from medgan.comparison import Plan, read_protocol

RECIPE = """
[run]
name = "tiny"
seed = 3

[data]
type = "phantoms"
validation_patients = 0.5
crop = 24
count = 6
patients = 3
image_size = 48
root = ""

[protocol]
seeds = 1
folds = 3
steps = 1
batch_size = 2
rules = ["maximum"]
reference = "student"
control = "alone"
content_loss = { type = "StructuralFusionLoss" }
augmentation = { type = "DiffAugment" }
discriminator_optimizer = { type = "Adam", learning_rate = 1e-3, beta_1 = 0.5 }

[protocol.optimizer]
type = "Adam"
learning_rate = { type = "CosineDecay", initial_learning_rate = 1e-2 }

[networks.large]
type = "dense_fusion_generator"
width = 3
dense_layers = 1

[networks.small]
type = "dense_fusion_generator"
width = 2
dense_layers = 1

[networks.apart]
type = "dense_fusion_generator"
width = 2
dense_layers = 1
sources = 1
head = "tanh"

[networks.discriminator]
type = "modality_discriminator"
width = 2

[[methods]]
name = "teacher"
type = "FusionGAN"
network = "large"

[[methods]]
name = "student"
title = "the student"
type = "DistillingGAN"
network = "small"
teacher = "teacher"

[[methods]]
name = "alone"
type = "FusionGAN"
network = "small"

[[methods]]
name = "bare"
group = "ablation"
type = "DecomposingGAN"
network = "small"
networks = { first_decomposer = "apart", second_decomposer = "apart" }
content = false
budget = 2

[quick]
protocol.batch_size = 1

[when.paired_folders]
protocol.folds = 2
"""


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    """Path of a recipe whose cells take a fraction of a second."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def plan_of(recipe):
    """Makes the plan of the recipe with some `--set`."""
    return lambda *changes, **numbers: Plan(read_protocol(recipe, changes, **numbers))
