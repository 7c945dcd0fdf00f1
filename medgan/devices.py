"""Where a training computes: one device, all GPUs of a machine, or several machines."""

import contextlib
import dataclasses
import os
import signal
import threading
import typing

from medgan import workers
from medgan.errors import MedganError, RecipeError
from medgan.workers import announce_workers

__all__ = ["Devices", "announce_workers", "deterministic", "keep_order"]

WORDS = ("auto", "single", "mirrored", "multi_worker")
JAX_FLAG = "--xla_gpu_deterministic_ops=true"
BUILD_LIMIT = 120.0


@dataclasses.dataclass
class Devices:
    """The devices of one training, and this process's part in it.

    A batch is the same whatever the devices: of its rows, replica r of N takes the r-th N-th.

    Attributes:
        strategy: a `tf.distribute.Strategy`, or None for one device.
        replicas: number of devices that share a batch.
        addresses: `host:port` of all workers, the chief first; empty for one process.
        worker_index: which worker this process is, from 0.

    Example:
        >>> from medgan.devices import Devices
        >>> devices = Devices.choose("single")
        >>> devices.replicas, devices.workers, devices.is_chief
        (1, 1, True)
    """

    strategy: typing.Any = None
    replicas: int = 1
    addresses: tuple = ()
    worker_index: int = 0

    @classmethod
    def choose(cls, strategy="auto"):
        """Chooses devices; with several workers it waits until all of them are there.

        Args:
            strategy: `single`; `mirrored` for all GPUs of this machine, or all logical CPUs where
                there is no GPU; `multi_worker` for all processes that `announce_workers` or
                `TF_CONFIG` names; `auto` for the last of these that there is reason for.

        Raises:
            RecipeError: for another word, one that does not fit the workers announced, or several
                devices with another backend than TensorFlow.
            MedganError: if a worker does not come.
        """
        if strategy not in WORDS:
            raise RecipeError(
                f"strategy: received {strategy!r}, expected one of {', '.join(WORDS)}. "
                "Set training.strategy."
            )
        addresses, index = workers.announced()
        if addresses and strategy in ("single", "mirrored"):
            raise RecipeError(
                f"strategy: received {strategy!r} with {len(addresses)} workers, expected "
                "multi_worker. Set training.strategy, or unset TF_CONFIG."
            )
        if strategy == "multi_worker" and not addresses:
            raise RecipeError(
                "strategy: received 'multi_worker' without workers, expected two or more. "
                "Name them with --workers and --worker-index."
            )
        import keras

        several = strategy if strategy in ("mirrored", "multi_worker") else None
        if keras.backend.backend() != "tensorflow":
            if several or addresses:
                raise RecipeError(
                    f"strategy: received {several or 'several workers'} with KERAS_BACKEND="
                    f"{keras.backend.backend()}, expected one device, for tf.distribute needs "
                    "KERAS_BACKEND=tensorflow. Set training.strategy=single."
                )
            return cls()
        if addresses:
            return cls._workers(addresses, index)
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        if strategy == "mirrored" or (strategy == "auto" and len(gpus) > 1):
            chosen = gpus or tf.config.list_logical_devices("CPU")
            mirrored = tf.distribute.MirroredStrategy([device.name for device in chosen])
            return cls(mirrored, mirrored.num_replicas_in_sync)
        return cls()

    @classmethod
    def _workers(cls, addresses, index):
        import tensorflow as tf

        workers.meet(addresses, index)
        late = f"The workers do not find each other in TensorFlow. {workers.AGAIN}"
        with workers.deadline(BUILD_LIMIT, late), _translated(addresses, index):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        if threading.current_thread() is threading.main_thread():
            # TensorFlow now catches SIGTERM and does nothing: give it back to who had it.
            before = signal.getsignal(signal.SIGTERM)
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        return cls(strategy, strategy.num_replicas_in_sync, tuple(addresses), index)

    @property
    def workers(self):
        """Number of processes."""
        return max(1, len(self.addresses))

    @property
    def is_chief(self):
        """Whether this process writes what is to be kept."""
        return self.worker_index == 0

    def to_dict(self):
        """What a run's `environment.json` says of them."""
        return {
            "strategy": type(self.strategy).__name__ if self.strategy else "single",
            "replicas": self.replicas,
            "workers": self.workers,
            "worker_index": self.worker_index,
        }

    def scope(self):
        """A context manager: variables made inside are on all devices."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def check_batch(self, size):
        """Refuses a batch that the devices cannot share evenly.

        Raises:
            RecipeError: if it is no multiple of the number of replicas.
        """
        if size % self.replicas:
            raise RecipeError(
                f"batch_size: received {size} on {self.replicas} devices, expected a multiple of "
                f"{self.replicas}. Set training.batch_size."
            )

    def batches(self, make):
        """What `fit` is to be given, so that all devices together see each batch once.

        Args:
            make: function without arguments that returns a `tf.data.Dataset` of whole batches
                with a known first dimension; the same one on every worker.

        Returns:
            That dataset; with several workers a distributed one of each worker's rows.

        Raises:
            RecipeError: if a batch is no multiple of the number of replicas.
            ValueError: if the size of a batch is unknown.
        """
        if self.strategy is None:
            return make()
        import keras

        dataset = make()
        for spec in keras.tree.flatten(dataset.element_spec):
            if spec.shape[0] is None:
                raise ValueError(
                    "Received batches of unknown size, expected one size for all devices to "
                    "share. Batch with drop_remainder=True."
                )
            self.check_batch(spec.shape[0])
        if not self.addresses:
            return dataset  # Keras hands replicas contiguous rows
        # All come to the end at the same step: TensorFlow need not ask every worker before each.
        self.strategy.extended.experimental_enable_get_next_as_optional = False
        distributed = self.strategy.distribute_datasets_from_function(
            lambda context: _own_rows(dataset, context)
        )
        # Keras stops by this count. Without it a step begins, finds no images, and has by then
        # counted itself and moved the vectors of spectral normalization.
        distributed._cardinality = dataset.cardinality().numpy()
        return distributed

    def agree(self, **what):
        """Makes sure that all workers are about to do the same; nothing to do for one.

        Args:
            **what: names to texts, such as digests, the same names on every worker.

        Raises:
            RecipeError: on every worker, if texts differ; it says which, and on which workers.
        """
        if not self.addresses:
            return
        import hashlib

        import numpy as np
        import tensorflow as tf

        names = sorted(what)
        digests = [hashlib.sha256(str(what[name]).encode()).digest() for name in names]
        mine = np.frombuffer(b"".join(digests), "uint8").astype("int32").reshape(1, -1)

        @tf.function
        def gather():
            return self.strategy.run(
                lambda: tf.distribute.get_replica_context().all_gather(tf.constant(mine), axis=0)
            )

        with _translated(self.addresses, self.worker_index):
            every = self.strategy.experimental_local_results(gather())[0].numpy()
        every = every[:: self.replicas // self.workers].reshape(self.workers, len(names), -1)
        differs = (every != every[:1]).any(axis=2)
        if differs.any():
            said = [
                f"worker {index} ({', '.join(names[i] for i in np.flatnonzero(differs[index]))})"
                for index in np.flatnonzero(differs.any(axis=1))
            ]
            raise RecipeError(
                f"Not what worker 0 has: {'; '.join(said)}. Expected the same on all workers: "
                "the same recipe and --set, a copy of the same data, and the same run to resume."
            )

    @contextlib.contextmanager
    def watching(self):
        """Around `fit`: the loss of a worker ends in one line instead of waiting for ever.

        Measured with TensorFlow 2.21, two processes on one quiet machine: killed or ended with an
        error, the chief is missed within 5 seconds, another worker within 16; stopped but not
        ended, either within 17. On a crowded machine it took 33. Then `fit` raises. Should it not,
        a watchdog ends the process after 45.

        Raises:
            MedganError: if a worker was lost.
        """
        if not self.addresses:
            yield
            return
        with (
            _translated(self.addresses, self.worker_index),
            workers.watchdog(self.addresses, self.worker_index),
        ):
            yield

    @contextlib.contextmanager
    def held(self):
        """Around a whole training: the other workers leave when the chief has ended.

        So nobody who is still at work sees somebody leave. What fails inside is not waited for.

        Raises:
            MedganError: if a worker was lost.
        """
        if not self.addresses:
            yield
            return
        with _translated(self.addresses, self.worker_index):
            yield
        if not self.is_chief:
            workers.wait_for_end(self.addresses[0])


def keep_order():
    """Keeps TensorFlow from summing in the order in which summands happen to be ready.

    Its graph optimizer joins sums into `AddN`, which begins with whichever buffer it may overwrite:
    equal runs then round differently, even of operations that `enable_op_determinism` calls
    deterministic. The trainers' gradients are summed in twos; this leaves all other sums as they
    are written. It holds for functions that are traced after it and costs no time that we could
    measure. Other backends need nothing.

    Example:
        >>> from medgan.devices import keep_order
        >>> keep_order()
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def deterministic():
    """Asks the backend for operations that give equal results in equal runs, bit for bit.

    It keeps the order of sums as well; on a CPU `keep_order` alone is enough. On a GPU this costs
    time: gradients of convolutions and of resizing use slower kernels, and TensorFlow refuses the
    few operations that have none. To be called before anything is computed.

    Raises:
        MedganError: if the backend has begun to compute already and cannot change any more.
    """
    import keras

    if keras.backend.backend() == "jax":
        flags = os.environ.get("XLA_FLAGS", "")
        if JAX_FLAG not in flags.split():
            os.environ["XLA_FLAGS"] = f"{flags} {JAX_FLAG}".strip()
        return
    import tensorflow as tf

    keep_order()
    try:
        tf.config.experimental.enable_op_determinism()
    except RuntimeError as error:
        raise MedganError(
            f"Cannot make TensorFlow deterministic any more: {error}. Call it first of all."
        ) from error


@contextlib.contextmanager
def _translated(addresses, index):
    """Turns TensorFlow's error after the loss of a worker into one line."""
    try:
        yield
    except Exception as error:
        line = workers.lost_worker(error, addresses, index)
        if line is None:
            raise
        raise MedganError(line) from error


def _own_rows(dataset, context):
    """A dataset of whole batches as one of the batches of a worker's replicas, in their order."""
    import keras
    import tensorflow as tf

    local = context.num_replicas_in_sync // context.num_input_pipelines
    first = context.input_pipeline_id * local

    def pieces(*batch):
        def cut(tensor):
            rows = tensor.shape[0] // context.num_replicas_in_sync
            starts = [(first + replica) * rows for replica in range(local)]
            return tf.stack([tensor[start : start + rows] for start in starts])

        batch = batch[0] if len(batch) == 1 else batch
        return tf.data.Dataset.from_tensor_slices(keras.tree.map_structure(cut, batch))

    return dataset.flat_map(pieces).prefetch(tf.data.AUTOTUNE)
