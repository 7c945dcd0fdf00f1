"""How long does a training step take beside the same step in plain PyTorch?

    pip install torch --index-url https://download.pytorch.org/whl/cpu
    python benchmarks/step_time.py
    python benchmarks/step_time.py --width 64 --sides 256 --rounds 2 --steps 1

One step of CycleGAN and of pix2pix, with ResNet-9 generators and 70x70 PatchGANs of one width, by
medgan's trainers and by `torch_peer.py`: float32, on the CPU, the same number of threads. Each
library works in a process of its own, and only one of them at a time. They take turns: in every
round each way takes one step to warm up and then `--steps` steps that are measured. The ratio is
that of the medians: medgan with transposed convolutions, which is the network of the papers and of
`torch_peer.py`, over eager PyTorch with its ordinary layout of memory. Beside it, not in the ratio,
stand medgan's default, "resize", a network with more to compute at full resolution, and PyTorch
with channels last.

Both sides begin with the same weights and images. The losses of their first steps are compared, and
the numbers of their parameters; the exit code is 1 if they differ, for then it was not the same
step. `--json` prints one object on standard output.

On a machine with other work to do, wall times say little: PyTorch's threads wait for each other by
spinning, unless OMP_WAIT_POLICY=passive is set, and suffer most. The processor time of all threads
stands beside the wall time.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
import typing

import numpy as np

MODELS = ("cycle_gan", "pix2pix")
OURS = ("transposed", "resize")
PEERS = ("torch", "torch channels last")
COMPARED_STEPS = 2
TOLERANCE = 2e-3


def images(side, batch):
    """Two batches of smooth random images in [0, 1]."""
    generator = np.random.default_rng(0)
    coarse = generator.uniform(size=(2, batch, side // 8, side // 8, 1))
    return coarse.repeat(8, axis=2).repeat(8, axis=3).astype("float32")


class Ours:
    """Trainers of medgan as `medgan-train` steps them: a graph, sums in a fixed order."""

    ways = OURS

    def __init__(self, model, side, batch, width, threads):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        from medgan.devices import keep_order

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        keep_order()
        self.data = tf.data.Dataset.from_tensors(tuple(images(side, batch))).repeat()
        self.trainers = {way: _trainer(model, width, way) for way in OURS}
        self.batches = {}

    def parameters(self, way):
        """How many numbers training moves: of the generators, of the discriminators."""
        trainer = self.trainers[way]
        groups = (trainer.generator_variables, trainer.discriminator_variables)
        return [sum(int(np.prod(v.shape)) for v in group) for group in groups]

    def weights(self, way):
        """The weights of all networks, in the order of their layers."""
        trainer = self.trainers[way]
        networks = [*trainer.generator_networks, *trainer.discriminator_networks]
        return [[v.numpy() for v in network.trainable_variables] for network in networks]

    def losses(self, way):
        """The terms of the losses in the first steps."""
        trainer = self.trainers[way]
        fitted = trainer.fit(
            self.data, steps_per_epoch=1, epochs=COMPARED_STEPS, shuffle=False, verbose=0
        )
        self.batches[way] = iter(self.data)
        terms = {name: values for name, values in fitted.history.items() if name != "loss"}
        return [
            {name: float(values[index]) for name, values in terms.items()}
            for index in range(COMPARED_STEPS)
        ]

    def step(self, way):
        """Takes one step."""
        self.trainers[way].train_function(self.batches[way])


def _trainer(model, width, upsampling):
    import keras

    from medgan.models import CycleGAN, Pix2Pix
    from medgan.networks import patch_discriminator, resnet_generator

    def generator(seed):
        return resnet_generator(width=width, upsampling=upsampling, seed=seed)

    def discriminator(seed, channels=1):
        return patch_discriminator(
            width=width, channels=channels, receptive_field=70, normalization="instance", seed=seed
        )

    if model == "cycle_gan":
        networks = generator(1), generator(2), discriminator(3), discriminator(4)
        trainer = CycleGAN(*networks, pool_size=0)
    else:
        trainer = Pix2Pix(generator(1), discriminator(2, channels=2))
    trainer.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    return trainer


class Peers:
    """The same steps in PyTorch."""

    ways = PEERS

    def __init__(self, model, side, batch, width, threads):
        import torch
        import torch_peer

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(threads)
        make = torch_peer.CycleGAN if model == "cycle_gan" else torch_peer.Pix2Pix
        self.trainers = {way: make(width, way == PEERS[1]) for way in PEERS}
        self.data = {
            way: [trainer.tensor(part) for part in images(side, batch)]
            for way, trainer in self.trainers.items()
        }

    def parameters(self, way):
        """How many numbers training moves: of the generators, of the discriminators."""
        return self.trainers[way].parameters()

    def take(self, way, weights):
        """Begins with given weights."""
        self.trainers[way].take(weights)

    def losses(self, way):
        """The terms of the losses in the first steps."""
        steps = [self.trainers[way].step(*self.data[way]) for _ in range(COMPARED_STEPS)]
        return [{name: float(value.detach()) for name, value in step.items()} for step in steps]

    def step(self, way):
        """Takes one step."""
        self.trainers[way].step(*self.data[way])


def seconds(stepper, way):
    """Wall time of one step, and processor time of all threads."""
    wall, processor = time.perf_counter(), time.process_time()
    stepper.step(way)
    return time.perf_counter() - wall, time.process_time() - processor


def serve(connection, side, arguments):
    """Does in a process of its own what it is asked for."""
    stepper = side(*arguments)
    connection.send(None)
    while True:
        name, *words = connection.recv()
        if name == "end":
            return
        if name == "block":
            way, steps = words
            stepper.step(way)
            connection.send([seconds(stepper, way) for _ in range(steps)])
        else:
            connection.send(getattr(stepper, name)(*words))


class Process:
    """One library in a process of its own."""

    def __init__(self, side, arguments):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, side, arguments), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def ask(self, *words):
        """Waits for what a method of the stepper returns."""
        self.connection.send(words)
        return self.connection.recv()

    def end(self):
        """Lets the process end."""
        self.connection.send(("end",))
        self.process.join()


def distance(first, second):
    """The largest relative difference of the terms of a few steps."""
    return max(
        abs(a[name] - b[name]) / max(abs(a[name]), 1e-6)
        for a, b in zip(first, second, strict=True)
        for name in a.keys() | b.keys()
    )


class Way(typing.NamedTuple):
    """One of the ways to take a step: its name, and the process that takes it."""

    name: str
    process: Process

    def ask(self, what, *words):
        """Waits for what a method of the stepper returns for this way."""
        return self.process.ask(what, self.name, *words)


def measure(model, side, batch, options):
    """One case: times of all ways, and whether they take the same step."""
    arguments = (model, side, batch, options.width, options.threads)
    processes = Process(Ours, arguments), Process(Peers, arguments)
    ours, *others = (Way(name, processes[0]) for name in OURS)
    peer, *other_peers = (Way(name, processes[1]) for name in PEERS)
    ways = [ours, peer, *others, *other_peers]  # the two of the ratio side by side
    try:
        weights = ours.ask("weights")
        for way in (peer, *other_peers):
            way.ask("take", weights)
        losses = {way.name: way.ask("losses") for way in ways}
        times = {way.name: [] for way in ways}
        for _ in range(options.rounds):
            for way in ways:
                times[way.name] += way.ask("block", options.steps)
        parameters = ours.ask("parameters"), peer.ask("parameters")
    finally:
        for process in processes:
            process.end()
    walls = {name: [wall for wall, _ in pairs] for name, pairs in times.items()}
    summary = {
        name: {
            "min": min(walls[name]),
            "median": statistics.median(walls[name]),
            "max": max(walls[name]),
            "processor": statistics.median(processor for _, processor in pairs),
        }
        for name, pairs in times.items()
    }
    first, second = summary[ours.name], summary[peer.name]
    return {
        "model": model,
        "side": side,
        "batch": batch,
        "width": options.width,
        "seconds": summary,
        "ratio": {key: first[key] / second[key] for key in ("median", "min", "processor")},
        "parameters": {"medgan": parameters[0], "torch": parameters[1]},
        "distance_of_losses": distance(losses[ours.name], losses[peer.name]),
    }


def same(case):
    """Whether both sides took the same step."""
    counts = case["parameters"]
    return counts["medgan"] == counts["torch"] and case["distance_of_losses"] < TOLERANCE


def show(case):
    """Prints one case."""
    print("\n{model}, {side}x{side}, batch {batch}, width {width}".format(**case))
    print(f"  {'seconds':20}{'min':>9}{'median':>9}{'max':>9}{'processor':>11}")
    for name, row in case["seconds"].items():
        print("  {:20}{min:9.3f}{median:9.3f}{max:9.3f}{processor:11.3f}".format(name, **row))
    print(
        "  ratio of medians {median:.3f}, of minima {min:.3f}, of processor times "
        "{processor:.3f}".format(**case["ratio"])
    )
    print(
        f"  parameters {case['parameters']['medgan']} and {case['parameters']['torch']}, losses "
        f"differ by {case['distance_of_losses']:.1e}" + ("" if same(case) else ": NOT ONE STEP"),
        flush=True,
    )


def main():
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--sides", nargs="+", type=int, default=(128, 256), help="pixels")
    parser.add_argument("--batch", type=int, default=1, help="images in a batch")
    parser.add_argument("--width", type=int, default=32, help="of all networks; 64 in the papers")
    parser.add_argument("--threads", type=int, default=2, help="of each library")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
    parser.add_argument("--steps", type=int, default=2, help="measured steps in a turn")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        import torch_peer  # noqa: F401  says how to install it
    cases = []
    for model in options.models:
        for side in options.sides:
            cases.append(measure(model, side, options.batch, options))
            if not options.json:
                show(cases[-1])
    if options.json:
        print(json.dumps({"threads": options.threads, "cases": cases}))
    sys.exit(0 if all(map(same, cases)) else 1)


if __name__ == "__main__":
    main()
