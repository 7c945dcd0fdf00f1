"""CycleGAN and pix2pix in plain PyTorch, written from the papers: the peer of `step_time.py`.

Eager, float32, channels first (or `channels_last`), no augmentation and no image pool: what is left
is the arithmetic of a step, which both sides must do. Images are in [0, 1] and rescaled inside the
generators, as medgan has it, so that equal weights give equal losses on both sides.

    ResNet-9    c7s1-w, d2w, d4w, 9 x R4w, u2w, uw, c7s1-out; reflection padding in the residual
                blocks and at both ends, instance normalisation without parameters, transposed
                convolutions upwards, tanh (Zhu et al., Unpaired Image-to-Image Translation using
                Cycle-Consistent Adversarial Networks, 2017, section 7.2; Johnson et al., 2016)
    PatchGAN    C64-C128-C256-C512 of width 64, LeakyReLU 0.2, 70x70 pixels to a logit (Isola et
                al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, 6.1.2)

PyTorch is no dependency of medgan: `pip install torch`.
"""

import numpy as np

try:
    import torch
except ImportError as error:
    raise SystemExit(
        "PyTorch is not installed, expected it beside medgan for this comparison. Install it: "
        "pip install torch --index-url https://download.pytorch.org/whl/cpu"
    ) from error
from torch import nn

CYCLE_WEIGHT = 10.0
IDENTITY_WEIGHT = 5.0
ABSOLUTE_WEIGHT = 100.0


class Affine(nn.Module):
    """Maps one range of intensities to another."""

    def __init__(self, scale, offset):
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, images):
        """Returns scaled and shifted images."""
        return self.scale * images + self.offset


class Residual(nn.Module):
    """x plus two normalised 3x3 convolutions of x."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features):
        """Returns the sum."""
        return features + self.body(features)


def resnet_generator(width, channels=1, blocks=9):
    """The ResNet generator, from `(batch, channels, height, width)` to the same."""
    layers = [Affine(2.0, -1.0), nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7)]
    layers += [nn.InstanceNorm2d(width), nn.ReLU(inplace=True)]
    for grown in (2 * width, 4 * width):
        layers += [nn.Conv2d(grown // 2, grown, 3, stride=2, padding=1)]
        layers += [nn.InstanceNorm2d(grown), nn.ReLU(inplace=True)]
    layers += [Residual(4 * width) for _ in range(blocks)]
    for shrunk in (2 * width, width):
        layers += [nn.ConvTranspose2d(2 * shrunk, shrunk, 3, stride=2, padding=1, output_padding=1)]
        layers += [nn.InstanceNorm2d(shrunk), nn.ReLU(inplace=True)]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh(), Affine(0.5, 0.5)]
    return _drawn(nn.Sequential(*layers))


def patch_discriminator(width, channels=1):
    """The 70x70 PatchGAN, from images to a map of logits."""
    layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for grown, stride in ((2 * width, 2), (4 * width, 2), (8 * width, 1)):
        layers += [nn.Conv2d(grown // 2, grown, 4, stride=stride, padding=1)]
        layers += [nn.InstanceNorm2d(grown), nn.LeakyReLU(0.2, inplace=True)]
    layers += [nn.Conv2d(8 * width, 1, 4, padding=1)]
    return _drawn(nn.Sequential(*layers))


def _drawn(network):
    """Weights from N(0, 0.02), as both papers have them."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)
    return network


class Step:
    """Networks with their two optimizers."""

    def __init__(self, generators, discriminators, channels_last=False):
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.generators = [network.to(memory_format=self.format) for network in generators]
        self.discriminators = [network.to(memory_format=self.format) for network in discriminators]
        self.optimizer = _adam(self.generators)
        self.discriminator_optimizer = _adam(self.discriminators)

    def tensor(self, images):
        """Images `(batch, height, width, channels)` as this step takes them."""
        moved = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        return moved.contiguous(memory_format=self.format)

    def parameters(self):
        """How many numbers training moves: of the generators, of the discriminators."""
        return [
            sum(p.numel() for network in networks for p in network.parameters())
            for networks in (self.generators, self.discriminators)
        ]

    def take(self, weights):
        """Takes the weights of Keras networks: for each network a list, in the order of layers."""
        networks = [*self.generators, *self.discriminators]
        with torch.no_grad():
            for network, arrays in zip(networks, weights, strict=True):
                for parameter, array in zip(network.parameters(), arrays, strict=True):
                    # Kernels (rows, columns, in, out), of transposed convolutions (.., out, in).
                    moved = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
                    parameter.copy_(torch.from_numpy(np.ascontiguousarray(moved)))

    def _judge(self, learn):
        """The generators' step wants no gradients of the discriminators' weights."""
        for network in self.discriminators:
            network.requires_grad_(learn)


def _adam(networks):
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), eps=1e-7)


class CycleGAN(Step):
    """Least squares, cycle and identity losses of two generators and two discriminators."""

    def __init__(self, width, channels_last=False):
        generators = [resnet_generator(width) for _ in range(2)]
        super().__init__(generators, [patch_discriminator(width) for _ in range(2)], channels_last)

    def step(self, x, y):
        """Updates the generators, then the discriminators; returns the terms of both losses."""
        forward, backward = self.generators
        judge_y, judge_x = self.discriminators
        self._judge(False)
        fake_y, fake_x = forward(x), backward(y)
        cycled_x, cycled_y = backward(fake_y), forward(fake_x)
        same_y, same_x = forward(y), backward(x)
        terms = {
            "adversarial": _square(judge_y(fake_y), 1.0),
            "backward_adversarial": _square(judge_x(fake_x), 1.0),
            "cycle": CYCLE_WEIGHT * (cycled_x - x).abs().mean(),
            "backward_cycle": CYCLE_WEIGHT * (cycled_y - y).abs().mean(),
            "identity": IDENTITY_WEIGHT * (same_y - y).abs().mean(),
            "backward_identity": IDENTITY_WEIGHT * (same_x - x).abs().mean(),
        }
        self.optimizer.zero_grad()
        sum(terms.values()).backward()
        self.optimizer.step()

        self._judge(True)
        self.discriminator_optimizer.zero_grad()
        for name, judge, real, fake in (
            ("discriminator", judge_y, y, fake_y),
            ("backward_discriminator", judge_x, x, fake_x),
        ):
            terms[name] = _square(judge(real), 1.0) + _square(judge(fake.detach()), 0.0)
            terms[name] = 0.5 * terms[name]
            terms[name].backward()
        self.discriminator_optimizer.step()
        return terms


class Pix2Pix(Step):
    """The conditional adversarial loss and the distance to the target."""

    def __init__(self, width, channels_last=False):
        super().__init__([resnet_generator(width)], [patch_discriminator(width, 2)], channels_last)

    def step(self, x, y):
        """Updates the discriminator, then the generator; returns the terms of both losses."""
        (generator,), (judge,) = self.generators, self.discriminators
        fake = generator(x)
        self._judge(True)
        self.discriminator_optimizer.zero_grad()
        real_loss = _entropy(judge(torch.cat([x, y], 1)), 1.0)
        fake_loss = _entropy(judge(torch.cat([x, fake.detach()], 1)), 0.0)
        terms = {"discriminator": 0.5 * (real_loss + fake_loss)}
        terms["discriminator"].backward()
        self.discriminator_optimizer.step()

        self._judge(False)
        self.optimizer.zero_grad()
        terms["adversarial"] = _entropy(judge(torch.cat([x, fake], 1)), 1.0)
        terms["absolute"] = ABSOLUTE_WEIGHT * (fake - y).abs().mean()
        (terms["adversarial"] + terms["absolute"]).backward()
        self.optimizer.step()
        return terms


def _square(logits, label):
    return ((logits - label) ** 2).mean()


def _entropy(logits, label):
    return nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
