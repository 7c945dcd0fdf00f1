"""The base of all trainers: what Keras asks of a model with two optimizers, paid once."""

import abc
import importlib
import inspect
import types

import keras
from keras import ops


class AdversarialModel(keras.Model, abc.ABC):
    """A `keras.Model` that trains a generator and a discriminator in turn.

    A trainer is final and says only what its paper says, in `keras.ops`:

        generator_networks       the networks that the generator's optimizer moves
        discriminator_networks   the networks that the discriminator's optimizer moves
        call                     what the trained model computes
        synthesize               {name: image}, one forward pass per step
        discriminator_terms      {name: scalar}, on images without gradient
        generator_terms          {name: scalar}, already weighted; their sum is the loss
        compared                 (target, output) for `compile(metrics=...)`, or None
        judged                   {"real": logits, "fake": logits} for observers, or None

    A batch is a dict: `"x"`, `"y"` (None where there is no target), and what a trainer adds.
    Constructor arguments are attributes of the same name; `get_config` finds them by the signature.
    Every trainer takes `discriminator_steps`, steps of the discriminator for one of the generator.

    One forward pass of the generator serves both players: the discriminator takes its
    `discriminator_steps` on the images without gradient while the tape is stopped, then the
    generator's loss is taken against the new discriminator. A trainer whose paper has it the other
    way round sets `generator_first`: then the generator's loss is taken against the discriminator
    as it was.

    The step itself is `medgan.models.tensorflow_step` or, with `KERAS_BACKEND=jax`,
    `medgan.models.jax_step`. A loss means the same on any number of replicas of a distribution
    strategy; what compares images of a batch with each other takes the rows of all
    (`medgan.ops.replicas.gathered`). With the dtype policy `mixed_float16` both losses are scaled.
    """

    generator_first = False

    @property
    @abc.abstractmethod
    def generator_networks(self):
        """Networks that the generator's optimizer moves."""

    @property
    @abc.abstractmethod
    def discriminator_networks(self):
        """Networks that the discriminator's optimizer moves."""

    @abc.abstractmethod
    def synthesize(self, batch, training):
        """Returns the generated images of a batch, name to tensor."""

    @abc.abstractmethod
    def discriminator_terms(self, batch, images):
        """Returns the terms of the discriminator's loss, name to scalar."""

    @abc.abstractmethod
    def generator_terms(self, batch, images):
        """Returns the weighted terms of the generator's loss, name to scalar."""

    def compared(self, batch, images):
        """Returns `(target, output)` for the compiled metrics, or None."""
        return None

    def judged(self, batch, images):
        """Returns the discriminator's raw logits of `"real"` and `"fake"` images, or None.

        It is no part of training, so nothing may be augmented and no state may move.
        """
        return None

    @property
    def products(self):
        """What a training is for, name to network: what is kept, scored and exported."""
        return {"generator": self.generator}

    @property
    def generator_variables(self):
        """Trainable variables of the generator networks."""
        return [v for network in self.generator_networks for v in network.trainable_variables]

    @property
    def discriminator_variables(self):
        """Trainable variables of the discriminator networks."""
        return [v for network in self.discriminator_networks for v in network.trainable_variables]

    # Compiling, saving, loading.

    def compile(self, optimizer="adam", discriminator_optimizer="adam", metrics=None, **kwargs):
        """Configures training.

        Args:
            optimizer: the generator's optimizer. It is the Keras optimizer of the model, the one
                that learning-rate callbacks see.
            discriminator_optimizer: the discriminator's optimizer, another object.
            metrics: Keras metrics, fed with what `compared` returns.
            **kwargs: `run_eagerly`, `jit_compile`, `steps_per_execution`. With `jit_compile="auto"`
                TensorFlow uses XLA on a single GPU only: on CPUs it made the step 2.7 times slower.

        Raises:
            ValueError: if both optimizers are one object, or a loss is given.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(
                f"Received loss={kwargs['loss']!r}; a {type(self).__name__} takes its losses in "
                "the constructor. Remove `loss` from compile()."
            )
        optimizer = keras.optimizers.get(optimizer)
        discriminator_optimizer = keras.optimizers.get(discriminator_optimizer)
        if optimizer is discriminator_optimizer:
            raise ValueError(
                "Received the same optimizer object for generator and discriminator; each keeps "
                "moments of its own variables. Make two."
            )
        if kwargs.get("jit_compile", "auto") == "auto" and not _xla_pays():
            kwargs["jit_compile"] = False
        super().compile(optimizer=optimizer, metrics=metrics, **kwargs)
        if self.dtype_policy.name == "mixed_float16" and not isinstance(
            discriminator_optimizer, keras.optimizers.LossScaleOptimizer
        ):
            discriminator_optimizer = keras.optimizers.LossScaleOptimizer(discriminator_optimizer)
        self.discriminator_optimizer = discriminator_optimizer
        # Keras averages `trainable_weights` at the end of fit; only the generator has averages.
        finalize = type(self.optimizer).finalize_variable_values
        self.optimizer.finalize_variable_values = lambda _: finalize(
            self.optimizer, self.generator_variables
        )
        self._compiled_with = types.SimpleNamespace(metrics=metrics, kwargs=kwargs)
        if self.built:
            self._build_optimizers()

    def get_compile_config(self):
        """Returns the arguments of `compile`, serialised."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": serialize(_unscaled(self.optimizer)),
            "discriminator_optimizer": serialize(_unscaled(self.discriminator_optimizer)),
            "metrics": serialize(self._compiled_with.metrics),
            **self._compiled_with.kwargs,
        }

    def compile_from_config(self, config):
        """Compiles the model as it was compiled when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
                config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the trainer from `get_config`."""
        with keras.saving.custom_object_scope(custom_objects or {}):
            arguments = {
                name: keras.saving.deserialize_keras_object(value) for name, value in config.items()
            }
        return cls(**arguments)

    def build(self, input_shape=None):
        """Builds every network and both optimizers."""
        for network in (*self.generator_networks, *self.discriminator_networks):
            if not network.built:
                network.build(input_shape)
        self.built = True
        if self.compiled:
            self._build_optimizers()

    def save_own_variables(self, store):
        """Saves the states of the trainer's own draws, which Keras leaves out."""
        for index, generator in enumerate(self._seed_generators):
            store[f"seed_state_{index}"] = ops.convert_to_numpy(generator.state)

    def load_own_variables(self, store):
        """Continues the draws where they were saved."""
        for index, generator in enumerate(self._seed_generators):
            if f"seed_state_{index}" in store:
                generator.state.assign(store[f"seed_state_{index}"])

    def _build_optimizers(self):
        if not self.optimizer.built:
            self.optimizer.build(self.generator_variables)
        if not self.discriminator_optimizer.built:
            self.discriminator_optimizer.build(self.discriminator_variables)

    @property
    def metrics(self):
        """Loss, compiled metrics, and one epoch mean per term."""
        return [*super().metrics, *self._term_means.values()]

    @property
    def _term_means(self):
        """Epoch means by name; made at the first trace, when the names are known."""
        holder = self.__dict__.get("_means")
        if holder is None:
            holder = self.__dict__["_means"] = types.SimpleNamespace(by_name={})
        return holder.by_name

    @property
    def non_trainable_variables(self):
        """Those of Keras; with JAX also the discriminator's optimizer, or its steps would be lost.

        Keras hands the variables of one optimizer to a JAX step, and this list.
        """
        variables = super().non_trainable_variables
        if keras.backend.backend() == "jax" and self.compiled:
            variables = [*variables, *self.discriminator_optimizer.variables]
        return variables

    # Steps.

    def train_step(self, *data):
        """One step of both players on a batch of `(x, y)`; with JAX on `(state, batch)`."""
        return _step().train_step(self, *data)

    def test_step(self, *data):
        """Losses and metrics of a batch, nothing learned; with JAX on `(state, batch)`."""
        return _step().test_step(self, *data)

    def as_batch(self, data):
        """Names the parts of what Keras hands to a step."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return {"x": x, "y": y}

    def epoch_means(self, batch, images, loss, terms):
        """Adds a batch to the epoch's means and returns them: loss, terms, compiled metrics."""
        size = ops.shape(batch["x"])[0]
        self._loss_tracker.update_state(loss, sample_weight=size)
        self._make_means(terms)
        for name, value in terms.items():
            self._term_means[name].update_state(value, sample_weight=size)
        compared = self.compared(batch, images)
        if compared is None:
            return self.get_metrics_result()
        return self.compute_metrics(batch["x"], *compared)

    def evaluation_means(self, batch, images, terms):
        """The same without the discriminator's means: in an evaluation it is not asked."""
        logs = self.epoch_means(batch, images, sum(terms.values()), terms)
        return {k: v for k, v in logs.items() if k in terms or k not in self._term_means}

    def _make_means(self, names):
        new = [name for name in names if name not in self._term_means]
        if new and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with tf.init_scope():
                self._term_means.update({name: keras.metrics.Mean(name=name) for name in new})
        else:
            self._term_means.update({name: keras.metrics.Mean(name=name) for name in new})

    # Keras calls one of these two with the first batch, before it traces a step.

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if self._distribute_strategy is not None:
            with self._distribute_strategy.scope():
                self._symbolic_build(iterator, data_batch)

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Makes the epoch means and builds the compiled metrics where no step can do so itself.

        Keras's own way averages images of several workers on one of them, which fails.
        """
        if self._term_means:
            return
        if data_batch is None:
            _, _, batches = next(iter(iterator))
            data_batch = next(batches)
        data_batch = keras.tree.map_structure(_of_first_replica, data_batch)
        with keras.StatelessScope():  # nothing moves
            batch = self.as_batch(data_batch)
            images = self.synthesize(batch, training=True)
            terms = self.generator_terms(batch, images)
            terms = {**terms, **self.discriminator_terms(batch, images)}
            compared = self.compared(batch, images)
        self._make_means(terms)
        if compared is not None and self._compile_metrics is not None:
            self._compile_metrics.build(*compared)


def _step():
    """The module that takes steps with this backend.

    Raises:
        RuntimeError: for a backend without one.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise RuntimeError(
            f"Received KERAS_BACKEND={backend}, expected tensorflow or jax to train a medgan model."
        )
    return importlib.import_module(f"medgan.models.{backend}_step")


def _xla_pays():
    """Whether to leave it to Keras if a step is compiled: with JAX, or TensorFlow on one GPU."""
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow as tf

    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    return alone and bool(tf.config.list_physical_devices("GPU"))


def _of_first_replica(value):
    """A batch as one replica sees it."""
    return value.values[0] if hasattr(value, "values") else value


def _unscaled(optimizer):
    """The optimizer that the user gave: loss scaling is added again by `compile`."""
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if scaled else optimizer
