"""Everything public with tiny arguments; to add an object to all conformance checks, add it here.

`name` begins with the name of the class or function, so that `test_complete.py` finds it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from medgan import layers, losses, metrics, models, networks


@dataclasses.dataclass(frozen=True)
class Subject:
    """A public object: how to make it, and what to give it.

    Attributes:
        name: class or function, and a variant in brackets.
        make: builds the object.
        inputs: kind of input to a function that returns its arrays, float32; the first kind is
            ordinary, the others are what overflows in half precision when it is squared or summed.
        deterministic: builds the object without what a backend draws, where `make` draws.
    """

    name: str
    make: Callable[[], Any]
    inputs: dict[str, Callable[[], tuple[np.ndarray, ...]]]
    deterministic: Callable[[], Any] | None = None

    def __str__(self):
        return self.name

    @property
    def public_name(self):
        """Name in `__all__`."""
        return self.name.partition("[")[0]

    def ordinary(self):
        """The first kind of inputs."""
        return next(iter(self.inputs.values()))()


@dataclasses.dataclass(frozen=True)
class Trainer:
    """A trainer: how to make it, what it learns from, and a metric that it compiles.

    Attributes:
        name: class, and a variant in brackets.
        make: builds it from an augmentation; its networks follow the global dtype policy.
        data: builds `(x, y)` of a number of images, uniform numbers or what another `draw` gives;
            y is None where there is no target.
        metric: builds a metric of what the trainer compares.
        noise: builds what the trained model makes images of, where that is not `x`.
    """

    name: str
    make: Callable[..., keras.Model]
    data: Callable[..., tuple[np.ndarray, np.ndarray | None]]
    metric: Callable[[], keras.metrics.Metric]
    noise: Callable[[int], np.ndarray] | None = None

    public_name = Subject.public_name
    __str__ = Subject.__str__

    def inputs(self, count):
        """What the trained model is called with."""
        return self.data(count)[0] if self.noise is None else self.noise(count)


def one_of_each(subjects):
    """The last of the variants of each class or function, for checks that take long."""
    return list({subject.public_name: subject for subject in subjects}.values())


# Trainers that between them take every way through the steps: the others are traced with the slow.
TRACED = ("FusionGAN", "WGANGP", "DistillingGAN[online]")


def traced(trainers, *arguments):
    """Parameters of a check that traces trainers, which takes long: most are marked slow."""
    return [
        pytest.param(
            trainer, *arguments, marks=[] if trainer.name in TRACED else [pytest.mark.slow]
        )
        for trainer in trainers
    ]


def draw(*shape, seed=0):
    """Uniform numbers in [0, 1)."""
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def black_and_white(*shape, seed=0):
    """Blocks of 0 and 1: the largest sums, squares and differences on the scale of 255."""
    blocks = draw(shape[0], shape[1] // 4, shape[2] // 4, shape[3], seed=seed) > 0.5
    return blocks.repeat(4, axis=1).repeat(4, axis=2).astype("float32")


def with_fixed_weights(model, seed=0):
    """Gives a model the same weights with every backend and policy."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if np.issubdtype(np.dtype(variable.dtype), np.floating) and _is_learned(variable):
            fan_in = max(1, int(np.prod(variable.shape[:-1])))
            values = generator.normal(size=variable.shape, scale=fan_in**-0.5)
            variable.assign(values.astype("float32"))
    return model


def _is_learned(variable):
    return variable.trainable or variable.path.endswith("vector")  # of SpectralNormalization


def _fixed(make, **kwargs):
    return lambda: with_fixed_weights(make(**kwargs))


# Layers.


def _maps(channels):
    return {"ordinary": lambda: (draw(2, 9, 7, channels),)}


def _sources_and(channels):
    return {"ordinary": lambda: (draw(2, 8, 6, 2), draw(2, 8, 6, channels, seed=1) - 0.5)}


def _normalised(layer):
    return lambda: layers.SpectralNormalization(layer(), power_iterations=2, seed=1)


LAYERS = [
    Subject("Blend", layers.Blend, _sources_and(2)),
    Subject("CellMeans", lambda: layers.CellMeans(2), _maps(3)),
    Subject("DepthToSpace", layers.DepthToSpace, _maps(8)),
    Subject(
        "DiffAugment",
        lambda: layers.DiffAugment(seed=3),
        _maps(2),
        deterministic=lambda: layers.DiffAugment(0, 0, 0, 0),
    ),
    Subject("InstanceNormalization", layers.InstanceNormalization, _maps(3)),
    Subject(
        "InstanceNormalization[affine]",
        lambda: layers.InstanceNormalization(1e-3, center=True, scale=True),
        _maps(2),
    ),
    Subject(
        "DivisibleSides",
        lambda: layers.DivisibleSides(4),
        {"ordinary": lambda: (draw(2, 8, 4, 2),)},
    ),
    Subject(
        "ImagePool",
        lambda: layers.ImagePool(3, (9, 7, 2), seed=3),
        _maps(2),
        deterministic=lambda: layers.ImagePool(50, (9, 7, 2)),  # still filling: nothing is swapped
    ),
    Subject("MaximumResidual", layers.MaximumResidual, _sources_and(1)),
    *[
        Subject(
            layer.__name__,
            lambda layer=layer: layer(2, 3, kernel_initializer=keras.initializers.HeNormal(1)),
            _maps(3),
        )
        for layer in (layers.DoublingConv2DTranspose, layers.HalvingConv2D, layers.NarrowConv2D)
    ],
    Subject("ReflectionPadding2D", lambda: layers.ReflectionPadding2D(2), _maps(2)),
    Subject(
        "ScaledNoise",
        lambda: layers.ScaledNoise(seed=3),
        _maps(2),
        deterministic=lambda: layers.ScaledNoise(stddev=0),
    ),
    Subject(
        "SpectralNormalization[Conv2D]",
        _normalised(lambda: keras.layers.Conv2D(3, 3)),
        _maps(2),
    ),
    Subject(
        "SpectralNormalization[Dense]",
        _normalised(lambda: keras.layers.Dense(3)),
        {"ordinary": lambda: (draw(4, 5),)},
    ),
]


# Losses.


def _pairs(side, *channels):
    """Images in [0, 1]; those of 64x64 overflow in sums, black and white ones in squares."""
    shapes = [(2, side, side, count) for count in channels]
    wide = [(2, 64, 64, count) for count in channels]
    return {
        "ordinary": lambda: tuple(draw(*shape, seed=i) for i, shape in enumerate(shapes)),
        "black and white": lambda: tuple(
            black_and_white(*shape, seed=i) for i, shape in enumerate(wide)
        ),
    }


def _signed(*shape, scale):
    return lambda: tuple(scale * (2 * draw(*shape, seed=seed) - 1) for seed in (0, 1))


_LOGITS = {"ordinary": _signed(3, 4, 4, 2, scale=4.0), "huge": _signed(3, 4, 4, 2, scale=3e4)}
_EMBEDDINGS = {"ordinary": _signed(5, 8, scale=1.0), "huge": _signed(5, 8, scale=3e4)}

LOSSES = [
    Subject(
        "AdaptedFeatureLoss", lambda: losses.AdaptedFeatureLoss(["a", ["b", "c"]]), _pairs(8, 3, 3)
    ),
    Subject(
        "DiscriminatorFeatureLoss", lambda: losses.DiscriminatorFeatureLoss(["a"]), _pairs(8, 3, 3)
    ),
    Subject("DistillationLoss", losses.DistillationLoss, _pairs(24, 1, 1)),
    Subject("HingeLoss", losses.HingeLoss, _LOGITS),
    Subject(
        "IntensityDetailLoss",
        lambda: losses.IntensityDetailLoss(kind="variation", intensity_source=1),
        _pairs(24, 2, 1),
    ),
    Subject("KernelAlignmentLoss", lambda: losses.KernelAlignmentLoss(["a"]), _EMBEDDINGS),
    Subject("LeastSquaresLoss", lambda: losses.LeastSquaresLoss(0.95, 0.15), _LOGITS),
    Subject("MetricAwareFusionLoss", losses.MetricAwareFusionLoss, _pairs(48, 2, 1)),
    Subject("MinimaxLoss", losses.MinimaxLoss, _LOGITS),
    Subject("NonSaturatingLoss", lambda: losses.NonSaturatingLoss(0.9), _LOGITS),
    Subject("RelationLoss", lambda: losses.RelationLoss(angle=1.5), _EMBEDDINGS),
    Subject("SoftenedLabelLoss", lambda: losses.SoftenedLabelLoss(2.0), _LOGITS),
    Subject(
        "SpatialSoftLabelLoss", lambda: losses.SpatialSoftLabelLoss(window=8), _pairs(20, 1, 1)
    ),
    Subject("StructuralFusionLoss", losses.StructuralFusionLoss, _pairs(24, 2, 1)),
    Subject("TeacherImageLoss", lambda: losses.TeacherImageLoss(3.0, 2.0), _pairs(24, 2, 2)),
    Subject("WassersteinLoss", losses.WassersteinLoss, _LOGITS),
    Subject("WaveletLoss", lambda: losses.WaveletLoss(levels=3), _pairs(24, 1, 1)),
]


def loss_values(loss, first, second):
    """Everything that a loss computes, name to tensor, whatever kind of loss it is."""
    if isinstance(loss, losses.AdversarialLoss):
        return {
            "generator": loss.generator(second),
            "discriminator": loss.discriminator(first, second),
        }
    values = {"mean": loss(first, second), "per image": loss.call(first, second)}
    if hasattr(loss, "terms"):
        logits = (first, second) if isinstance(loss, losses.DistillationLoss) else ()
        values |= loss.terms(first, second, *logits)
    return values


# Metrics.


def _heads(side, *channels):
    """A bright disc with structure on dark air, as head masks and joint histograms want it."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    disc = (rows**2 + columns**2 < (0.4 * side) ** 2)[None, ..., None]
    return lambda: tuple(
        (disc * (0.3 + 0.7 * draw(4, side, side, count, seed=i))).astype("float32")
        for i, count in enumerate(channels)
    )


def _labelled():
    """Sources with a label map as a third channel, and a fused image."""
    first, second = _heads(24, 2, 1)()
    labels = np.random.default_rng(2).integers(0, 12, size=(4, 24, 24, 1)).astype("float32")
    return np.concatenate([first, labels], axis=-1), second


def _image_metrics(metric):
    return [
        Subject(
            f"{metric.__name__}[{key}]",
            lambda key=key: metric(key),
            {"ordinary": _heads(max(24, score.smallest_side), *channels)},
        )
        for key, score in metric.scores.items()
        for channels in [(2, 1) if metric is metrics.FusionScore else (1, 1)]
    ]


def _brightness():
    """A small encoder: means of the quarters of an image."""
    image = keras.Input((None, None, 1), name="image")
    return keras.Model(image, layers.CellMeans(2, name="means")(image), name="brightness")


def _distribution_metric(name):
    def make():
        # The first kind holds fewer images than there are, so that what is left out counts too.
        return getattr(metrics, name)(_brightness(), capacity=10)

    return Subject(
        name, make, {"ordinary": lambda: (draw(12, 8, 8, 1), 0.9 * draw(12, 8, 8, 1, seed=1))}
    )


METRICS = [
    *_image_metrics(metrics.FusionScore),
    *_image_metrics(metrics.TranslationScore),
    *[
        Subject(
            f"RelativeContrast[{structure}]",
            lambda structure=structure: metrics.RelativeContrast(structure),
            {"ordinary": _labelled},
        )
        for structure in metrics.STRUCTURES
    ],
    *map(
        _distribution_metric,
        (
            "Coverage",
            "Density",
            "FrechetDistance",
            "GenerativePrecision",
            "GenerativeRecall",
            "KernelDistance",
        ),
    ),
]


# Networks.


def _images(side, channels):
    return {"ordinary": lambda: (draw(2, side, side, channels),)}


def _noise(size):
    return {"ordinary": lambda: (2 * draw(2, size) - 1,)}


NETWORKS = [
    *[
        Subject(
            f"dcgan_discriminator[{normalization}]",
            _fixed(
                networks.dcgan_discriminator,
                image_size=16,
                width=2,
                normalization=normalization,
            ),
            _images(16, 1),
        )
        for normalization in ("instance", "spectral", "layer", "none", "batch")
    ],
    *[
        Subject(
            f"dcgan_generator[{upsampling}]",
            _fixed(
                networks.dcgan_generator,
                image_size=16,
                width=2,
                latent_size=6,
                upsampling=upsampling,
            ),
            _noise(6),
        )
        for upsampling in ("transposed", "resize")
    ],
    Subject(
        "ddcgan_discriminator",
        _fixed(networks.ddcgan_discriminator, width=2, image_size=16),
        _images(16, 2),
    ),
    Subject("ddcgan_generator", _fixed(networks.ddcgan_generator, width=2), _images(12, 2)),
    *[
        Subject(
            f"dense_fusion_generator[{head}]",
            _fixed(networks.dense_fusion_generator, width=3, dense_layers=1, head=head),
            _images(24, 2),
        )
        for head in ("maximum_residual", "blend", "tanh")
    ],
    Subject(
        "dense_fusion_generator[one source]",
        _fixed(networks.dense_fusion_generator, width=3, dense_layers=1, sources=1),
        _images(24, 1),
    ),
    Subject(
        "fastgan_generator",
        _fixed(networks.fastgan_generator, image_size=64, width=0.01, latent_size=6),
        _noise(6),
    ),
    Subject(
        "fusiongan_discriminator",
        _fixed(networks.fusiongan_discriminator, width=2, image_size=32),
        _images(32, 1),
    ),
    Subject("fusiongan_generator", _fixed(networks.fusiongan_generator, width=8), _images(12, 2)),
    Subject(
        "modality_discriminator", _fixed(networks.modality_discriminator, width=2), _images(24, 2)
    ),
    *[
        Subject(
            f"patch_discriminator[{normalization}]",
            _fixed(
                networks.patch_discriminator,
                width=2,
                channels=1,
                receptive_field=receptive_field,
                normalization=normalization,
            ),
            _images(24, 1),
        )
        for normalization, receptive_field in (("none", 16), ("instance", 34), ("spectral", 34))
    ],
    *[
        Subject(
            f"resnet_generator[{upsampling}]",
            _fixed(
                networks.resnet_generator,
                width=2,
                blocks=1,
                separable=upsampling == "resize",
                upsampling=upsampling,
            ),
            _images(16, 1),
        )
        for upsampling in ("depth_to_space", "transposed", "resize")
    ],
    Subject(
        "scattering_encoder",
        _fixed(networks.scattering_encoder, scales=2, orientations=2),
        _images(24, 1),
    ),
    *[
        Subject(
            f"unet_generator[{upsampling}]",
            _fixed(
                networks.unet_generator,
                width=2,
                depth=3,
                upsampling=upsampling,
                normalization=normalization,
            ),
            _images(16, 1),
        )
        for upsampling, normalization in (("transposed", "batch"), ("resize", "instance"))
    ],
]


# Trainers.


def _generator(width, seed):
    return with_fixed_weights(networks.dense_fusion_generator(width=width, dense_layers=1), seed)


def _judges(seed):
    return with_fixed_weights(networks.modality_discriminator(width=2), seed)


def _judge(seed, channels=1):
    return with_fixed_weights(networks.patch_discriminator(width=2, channels=channels), seed)


def _translator(seed):
    """A small network from one image to one, of few layers: some trainers pass it six times."""
    image = keras.Input((None, None, 1), name="image")
    x = keras.layers.Conv2D(2, 3, padding="same", activation="tanh")(image)
    made = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype="float32")(x)
    return with_fixed_weights(keras.Model(image, made), seed)


def _fusion_gan(augmentation=None):
    return models.FusionGAN(
        _generator(2, 1),
        _judges(2),
        content_loss=losses.StructuralFusionLoss(),
        augmentation=augmentation,
    )


def _one_judge(augmentation=None):
    return models.FusionGAN(
        _generator(2, 1),
        _judge(2),
        content_loss=losses.StructuralFusionLoss(),
        augmentation=augmentation,
        judged_source=1,
    )


def _decomposing_gan(augmentation=None):
    return models.DecomposingGAN(
        _generator(2, 1),
        _translator(2),
        _translator(3),
        _judges(4),
        synthesized_weight=30.0,
        augmentation=augmentation,
    )


def _pix2pix(augmentation=None):
    return models.Pix2Pix(_translator(1), _judge(2, channels=2), augmentation=augmentation)


def _both_ways(trainer):
    def make(augmentation=None):
        return trainer(
            _translator(1),
            _translator(2),
            _judge(3),
            _judge(4),
            pool_size=5,  # full after two steps of four images, never while backends are compared
            image_size=24,
            augmentation=augmentation,
            seed=7,
        )

    return make


def _distilling_fusion(augmentation=None):
    return models.DistillingGAN(
        _generator(3, 1),
        _generator(2, 2),
        _judges(3),
        teacher_discriminator=_judges(4),
        content_loss=losses.StructuralFusionLoss(),
        augmentation=augmentation,
    )


def _distilling(task, judged=1, **kwargs):
    """A teacher and a student that translate two channels into one."""

    def make(augmentation=None):
        trainer = models.DistillingGAN(
            _generator(3, 1),
            _generator(2, 2),
            _judge(3, judged),
            teacher_discriminator=_judge(4, judged),
            task=task,
            augmentation=augmentation,
            seed=7,
            **kwargs,
        )
        for network in trainer.generator_networks:
            if network.name == "adapters":
                with_fixed_weights(network, 5)
        return trainer

    return make


def _distilling_synthesis(augmentation=None):
    def maker(width, seed):
        z = keras.Input((4,), name="noise")
        x = keras.layers.Dense(36 * width, activation="tanh")(z)
        x = keras.layers.UpSampling2D(4)(keras.layers.Reshape((6, 6, width))(x))
        made = keras.layers.Conv2D(1, 3, padding="same")(x)
        made = keras.layers.Activation("sigmoid", dtype="float32")(made)
        return with_fixed_weights(keras.Model(z, made), seed)

    return models.DistillingGAN(
        maker(3, 1),
        maker(2, 2),
        _judge(3),
        teacher_discriminator=_judge(4),
        task="synthesis",
        discriminator_feature_loss=losses.DiscriminatorFeatureLoss(),
        augmentation=augmentation,
        seed=7,
    )


def _pairs_of_sources(count, draw=draw, side=24):
    return draw(count, side, side, 2), None


def _sources_and_target(count, draw=draw, side=24):
    return draw(count, side, side, 2), draw(count, side, side, 1, seed=1)


def _both_domains(count, draw=draw, side=24):
    """Pairs of images as large as those of a pool, whatever side is asked for."""
    return draw(count, 24, 24, 1), draw(count, 24, 24, 1, seed=1)


def _images_of_noise(trainer, normalization=None, **kwargs):
    """A trainer of 16x16 images from noise, whatever side is asked for."""

    def make(augmentation=None):
        z, image = keras.Input((4,), name="noise"), keras.Input((16, 16, 1), name="image")
        x = keras.layers.Dense(4 * 4 * 2, activation="leaky_relu")(z)
        x = keras.layers.UpSampling2D(4)(keras.layers.Reshape((4, 4, 2))(x))
        made = keras.layers.Conv2D(1, 3, padding="same")(x)
        made = keras.layers.Activation("sigmoid", dtype="float32")(made)
        generator = keras.Model(z, made, name="generator")
        y = keras.layers.Conv2D(2, 4, 2, "same", use_bias=normalization is None)(image)
        y = y if normalization is None else normalization()(y)
        y = keras.layers.Flatten()(keras.layers.LeakyReLU(0.2)(y))
        # A critic's constant has no gradient: every variable of a subject is to move.
        logit = keras.layers.Dense(1, use_bias=False, dtype="float32")(y)
        discriminator = keras.Model(image, logit, name="discriminator")
        # Of few values: this seed's critics have no loss that is a small difference of large
        # numbers, and no features at the kink of a slope; half precision would lose both.
        networks = with_fixed_weights(generator, 1), with_fixed_weights(discriminator, 3)
        return trainer(*networks, augmentation=augmentation, seed=7, **kwargs)

    return make


def _subject_of_noise(name, make):
    def images(count, draw=draw, side=16):
        return draw(count, 16, 16, 1), None

    def noise(count):
        return draw(count, 4) - 0.5

    return Trainer(name, make, images, lambda: metrics.TranslationScore("mae"), noise)


TRAINERS = [
    Trainer("FusionGAN", _fusion_gan, _pairs_of_sources, lambda: metrics.FusionScore("sf")),
    Trainer(
        "FusionGAN[one judge]", _one_judge, _pairs_of_sources, lambda: metrics.FusionScore("sf")
    ),
    Trainer(
        "DecomposingGAN", _decomposing_gan, _pairs_of_sources, lambda: metrics.FusionScore("sf")
    ),
    *[
        Trainer(name, make, _both_domains, lambda: metrics.TranslationScore("mae"))
        for name, make in (
            ("Pix2Pix", _pix2pix),
            ("CSGAN", _both_ways(models.CSGAN)),
            ("CycleGAN", _both_ways(models.CycleGAN)),
        )
    ],
    _subject_of_noise(
        "GAN[batch normalisation]",
        _images_of_noise(models.GAN, keras.layers.BatchNormalization),
    ),
    _subject_of_noise("GAN", _images_of_noise(models.GAN, discriminator_steps=2)),
    _subject_of_noise("WGAN", _images_of_noise(models.WGAN, clip=0.3, discriminator_steps=2)),
    _subject_of_noise(
        "WGANGP",
        _images_of_noise(
            models.WGANGP,
            lambda: layers.InstanceNormalization(center=True, scale=True),
            discriminator_steps=2,
        ),
    ),
    Trainer(
        "DistillingGAN[fusion]",
        _distilling_fusion,
        _pairs_of_sources,
        lambda: metrics.FusionScore("sf"),
    ),
    Trainer(
        "DistillingGAN[synthesis]",
        _distilling_synthesis,
        lambda count, draw=draw, side=24: (draw(count, 24, 24, 1), None),
        lambda: metrics.TranslationScore("mae"),
        lambda count: draw(count, 4) - 0.5,
    ),
    Trainer(
        "DistillingGAN[unpaired]",
        _distilling(
            "unpaired",
            distillation_loss=losses.TeacherImageLoss(structure=0.0),
            feature_loss=losses.KernelAlignmentLoss(["embedding"]),
            adversarial_loss=losses.LeastSquaresLoss(),
            discriminator_steps=2,
        ),
        _sources_and_target,
        lambda: metrics.TranslationScore("mae"),
    ),
    Trainer(
        "DistillingGAN[translation]",
        _distilling("translation", judged=3, content_loss=losses.TeacherImageLoss()),
        _sources_and_target,
        lambda: metrics.TranslationScore("mae"),
    ),
    Trainer(
        "DistillingGAN[online]",
        _distilling(
            "translation",
            judged=3,
            online=True,
            distillation_loss=losses.DistillationLoss(spatial=0.0, structure=0.0, wavelet=0.0),
            feature_loss=losses.AdaptedFeatureLoss(["embedding", ["stem", "before_head"]]),
            discriminator_feature_loss=losses.DiscriminatorFeatureLoss(),
        ),
        _sources_and_target,
        lambda: metrics.TranslationScore("mae"),
    ),
]

# What `__all__` holds besides, and why it is no subject.
EXCEPTIONS = {
    "AdversarialLoss": "abstract",
    "AdversarialModel": "abstract",
    "DistributionMetric": "abstract",
    "FeatureLoss": "abstract",
    "FusionLoss": "abstract",
    "ImageScore": "abstract",
    "Cautions": "no Keras object: sentences about a table",
    "Score": "no Keras object: an entry of a table",
    "compiled": "changes how a network runs, makes none",
    "full_precision": "converts a network; tests/networks/test_full_precision.py",
    "inception_encoder": "wants a file of weights; tests/networks/test_inception_encoder.py",
    "multiply_accumulates": "counts, returns no network",
    "saved_network": "reads a file; tests/networks/test_loading.py",
}
