import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medgan.errors import DataError, RecipeError
from medgan.experiment import Experiment
from medgan.models import CycleGAN, DistillingGAN, FusionGAN, Pix2Pix
from medgan.recipe import read_recipe
from medgan.recipe.reading import find_recipe
from medgan.stages import roles

TINY = {
    "translation": [
        "data.count=6",
        "data.patients=3",
        "data.image_size=32",
        "data.crop=32",
        "training.batch_size=2",
        "networks.discriminator.width=2",
        "networks.discriminator.receptive_field=16",
    ],
}
KGAN = [*TINY["translation"]] + [
    f"networks.{who}.{key}" for who in ("teacher", "student") for key in ("width=2", "blocks=1")
]
PIX2PIX = [*TINY["translation"], "networks.generator.width=2", "networks.generator.depth=3"]
ROLES = ["generator", "backward_generator", "discriminator", "backward_discriminator"]


def changed(tmp_path, name, *replacements):
    """The path of a recipe with other text."""
    text = find_recipe(name)[0]
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_networks_of_a_trainer_are_its_positional_arguments():
    assert roles({"type": "CycleGAN"}, "[x]") == ROLES
    assert roles({"type": "DistillingGAN"}, "[x]") == ["teacher", "student", "discriminator"]


def test_a_recipe_with_one_trainer_has_one_stage_named_after_its_network():
    experiment = Experiment(read_recipe("pix2pix", PIX2PIX))
    assert experiment.stages == ("generator",)
    stage = experiment.stage("generator")
    assert isinstance(stage.trainer, Pix2Pix)
    assert stage.products == {"generator": experiment.networks["generator"]}
    assert stage.network is stage.trainer.generator and stage.attribute == "generator"
    assert stage.steps == 3000 and stage.data_seed == 1


def test_the_schedule_falls_over_the_stages_own_steps():
    experiment = Experiment(read_recipe("pix2pix", [*PIX2PIX, "trainer.steps=200"]))
    trainer = experiment.stage("generator").trainer
    for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
        rates = optimizer.get_config()["learning_rate"]["config"]
        assert rates["decay_steps"] == 200 and rates["constant_share"] == 0.5


def test_both_generators_of_a_cycle_are_kept_and_one_is_scored():
    from_tests = [
        *TINY["translation"],
        *(f"networks.{who}.{key}" for who in ROLES[:2] for key in ("width=2", "blocks=1")),
        *(f"networks.{ROLES[3]}.{key}" for key in ("width=2", "receptive_field=16")),
    ]
    experiment = Experiment(read_recipe("cyclegan", from_tests))
    stage = experiment.stage("generator")
    assert isinstance(stage.trainer, CycleGAN)
    assert list(stage.products) == ["generator", "backward_generator"]
    assert list(experiment.networks) == ["generator"]
    assert stage.trainer.image_size == (32, 32)  # the crop, for its pools


def test_the_student_without_teacher_has_the_teachers_trainer_and_the_hard_settings(tmp_path):
    path = changed(
        tmp_path,
        "kgan-translation",
        ("[distillation]\n", "[distillation]\ndiscriminator_steps = 3\n"),
    )
    experiment = Experiment(read_recipe(path, [*KGAN, "teacher.absolute_weight=70.0"]))
    teacher, student, alone = (experiment.stage(name).trainer for name in experiment.stages)
    assert isinstance(teacher, Pix2Pix) and isinstance(alone, Pix2Pix)
    assert isinstance(student, DistillingGAN) and student.task == "translation"
    assert teacher.absolute_weight == alone.absolute_weight == 70.0
    assert (teacher.discriminator_steps, alone.discriminator_steps) == (1, 3)
    rates = [t.optimizer.get_config()["learning_rate"]["config"] for t in (student, alone)]
    assert rates[0] == rates[1]
    assert student.teacher is teacher.generator
    assert student.teacher_discriminator is teacher.discriminator
    for one, other in zip(
        student.discriminator.get_weights(), teacher.discriminator.get_weights(), strict=True
    ):
        assert_array_equal(one, other)


def test_a_given_teacher_is_no_stage_and_has_no_discriminator(tmp_path):
    from medgan.networks import resnet_generator

    resnet_generator(width=3, blocks=1).save(tmp_path / "teacher.keras")
    given = f'[networks.teacher]\ntype = "saved_network"\npath = "{tmp_path}/teacher.keras"'
    old = '[networks.teacher]\ntype = "resnet_generator"\nwidth = 16\nblocks = 4'
    path = changed(tmp_path, "kgan-translation", (old, given))
    settings = [setting for setting in KGAN if "teacher" not in setting]
    experiment = Experiment(read_recipe(path, [*settings, "teacher.steps=0"]))
    assert experiment.stages == ("student", "student_without_teacher")
    assert list(experiment.given) == ["teacher"]
    trainer = experiment.stage("student").trainer
    assert trainer.teacher_discriminator is None
    assert trainer.teacher.get_layer("embedding").output.shape[-1] == 12  # four times the width
    assert list(experiment.rival_networks("student")) == ["teacher"]


def test_a_teacher_that_learns_beside_its_student_is_kept_with_it(tmp_path):
    path = changed(
        tmp_path, "kgan-translation", ("[distillation]\n", "[distillation]\nonline = true\n")
    )
    experiment = Experiment(read_recipe(path, [*KGAN, "teacher.steps=0"]))
    stage = experiment.stage("student")
    assert set(stage.products) == {"student", "teacher"}
    assert stage.trainer.teacher_discriminator is not None
    assert stage.trainer.teacher.trainable
    assert experiment.rival_networks("student") == {}  # it moves


def test_only_the_source_may_be_missing_for_fusion():
    with pytest.raises(RecipeError, match="has no source, expected one of CT or MR"):
        Experiment(read_recipe("pix2pix", [*PIX2PIX, "data.source="]))
    with pytest.raises(RecipeError, match=r"source: received 'MRI'\. Did you mean MR"):
        Experiment(read_recipe("pix2pix", [*PIX2PIX, "data.source=MRI"]))


def test_the_other_modality_may_be_the_source():
    experiment = Experiment(read_recipe("pix2pix", [*PIX2PIX, "data.source=CT"]))
    x, y = next(iter(experiment.task.images(experiment.split.validation)))
    image = experiment.split.validation.image(0)
    assert_array_equal(x[0, ..., 0], image[..., 0])
    assert_array_equal(y[0, ..., 0], image[..., 1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[networks.generator]", "[networks.genrator]", r"no table \[networks.generator\]"),
        (
            "[networks.discriminator]",
            '[networks.judge]\ntype = "patch_discriminator"\n[networks.discriminator]',
            r"\[networks.judge\]: nobody needs this network",
        ),
        (
            'type = "Pix2Pix"',
            'type = "DiffAugment"',
            r"\[trainer\] type: DiffAugment is no trainer",
        ),
        ("channels = 2 ", "channels = 1 ", r"\[trainer\]: Received a discriminator of 1 channels"),
        (
            'discriminator_optimizer]\ntype = "Adam"',
            'discriminator_optimiser]\ntype = "Adam"',
            r"\[trainer\] has no table 'discriminator_optimizer'|unknown key",
        ),
    ],
)
def test_what_does_not_fit_a_trainer_is_refused_in_one_line(tmp_path, old, new, message):
    path = changed(tmp_path, "pix2pix", (old, new))
    settings = [s for s in PIX2PIX if "generator" not in s and "discriminator" not in s]
    with pytest.raises(RecipeError, match=message) as caught:
        experiment = Experiment(read_recipe(path, settings))
        experiment.stage("generator")
    assert "\n" not in str(caught.value)


def test_generators_of_another_size_than_the_images_are_refused():
    sizes = ["data.count=18", "data.patients=3", "data.image_size=32", "data.resize=32"]
    experiment = Experiment(read_recipe("gan", [*sizes, "data.crop=32"]))
    with pytest.raises(RecipeError, match=r"makes images of 64 x 64 pixels.*Set data\.resize"):
        experiment.check()


def test_too_few_images_to_compare_sets_are_refused():
    settings = ["data.count=6", "data.patients=3"]
    with pytest.raises(DataError, match="2 validation images, expected at least 6"):
        Experiment(read_recipe("gan", settings)).check()


def test_a_trainer_of_fusion_is_a_recipe_too():
    experiment = Experiment(
        read_recipe(
            "ddcgan",
            [
                "data.count=6",
                "data.patients=3",
                "data.image_size=48",
                "data.crop=48",
                "networks.generator.width=2",
                "networks.discriminator.width=2",
                "networks.discriminator.image_size=48",
                "training.batch_size=2",
            ],
        )
    )
    trainer = experiment.stage("generator").trainer
    assert isinstance(trainer, FusionGAN)
    # Its judges take no whole image: health looks at the middles.
    _, unseen = experiment.task.health_batches((40, 30))
    middle = np.asarray(next(iter(unseen)))[0]
    image = experiment.split.validation.image(0)
    assert_array_equal(middle, image[4:44, 9:39])


def test_own_trainers_are_found_by_module(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import keras\nfrom medgan.models import Pix2Pix\nclass Mine(Pix2Pix):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    path = changed(tmp_path, "pix2pix", ('type = "Pix2Pix"', 'type = "mine:Mine"'))
    trainer = Experiment(read_recipe(path, PIX2PIX)).stage("generator").trainer
    assert type(trainer).__name__ == "Mine" and isinstance(trainer, keras.Model)
