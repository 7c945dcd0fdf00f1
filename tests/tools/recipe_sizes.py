"""`--set` texts that make each installed recipe run in seconds."""

FEW = ["data.patients=3", "training.batch_size=2", "training.checkpoint_every=2"]
FEW += ["training.validation_pairs=2", "divergence.symptoms=[]"]
STEPS = {"trainer": ["trainer.steps=3"], "kgan": ["teacher.steps=3", "distillation.steps=3"]}
IMAGES = [*FEW, "data.count=6", "data.image_size=32", "data.crop=32"]
TRANSLATION = [
    *IMAGES,
    'training.validation_scores=["mae", "mae_head"]',
    "networks.discriminator.width=2",
    "networks.discriminator.receptive_field=16",
]
NOISE = [*FEW, "data.count=18", "data.image_size=32", "data.crop=32", "data.resize=32"]
NOISE += ["networks.discriminator.image_size=32", "networks.discriminator.width=2"]
GENERATOR = [f"networks.generator.{key}" for key in ("image_size=32", "width=2", "latent_size=4")]
FUSION = [*FEW, "data.count=6", "data.image_size=48", "data.crop=48"]
FUSION += ['training.validation_scores=["sf"]', "training.best_score=sf"]
FUSION += ["networks.discriminator.width=2"]
TWO_WAY = [
    *TRANSLATION,
    *(
        f"networks.{role}.{key}"
        for role in ("generator", "backward_generator")
        for key in ("width=2", "blocks=1")
    ),
    *(f"networks.backward_discriminator.{key}" for key in ("width=2", "receptive_field=16")),
    "trainer.pool_size=2",
]

SIZES = {
    "gan": [*NOISE, *GENERATOR, *STEPS["trainer"]],
    "wgan": [*NOISE, *GENERATOR, *STEPS["trainer"]],
    "wgan-gp": [*NOISE, *GENERATOR, *STEPS["trainer"]],
    "pix2pix": [
        *TRANSLATION,
        "networks.generator.width=2",
        "networks.generator.depth=3",
        *STEPS["trainer"],
    ],
    "cyclegan": [*TWO_WAY, *STEPS["trainer"]],
    "csgan": [*TWO_WAY, *STEPS["trainer"]],
    "fusiongan": [
        *FUSION,
        "networks.generator.width=8",
        "networks.discriminator.image_size=48",
        *STEPS["trainer"],
    ],
    "ddcgan": [
        *FUSION,
        "networks.generator.width=2",
        "networks.discriminator.image_size=48",
        *STEPS["trainer"],
    ],
    "kgan-translation": [
        *TRANSLATION,
        "networks.teacher.width=3",
        "networks.teacher.blocks=1",
        "networks.student.width=2",
        "networks.student.blocks=1",
        *STEPS["kgan"],
    ],
    "kgan-synthesis": [
        *NOISE,
        *(f"networks.teacher.{key}" for key in ("image_size=32", "width=3", "latent_size=4")),
        *(f"networks.student.{key}" for key in ("image_size=32", "width=2", "latent_size=4")),
        *STEPS["kgan"],
    ],
}
