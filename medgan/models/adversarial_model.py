"""The base of all trainers: what Keras asks of a model with two optimizers, paid once."""

import abc
import inspect
import types

import keras
import tensorflow as tf
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
    generator's loss is taken against the new discriminator.
    """

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
                XLA is used on GPUs only: on CPUs it made the step 2.7 times slower.

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
        if kwargs.get("jit_compile", "auto") == "auto" and not tf.config.list_physical_devices(
            "GPU"
        ):
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

    # Steps.

    def train_step(self, data):
        """One step of both players on a batch of `(x, y)`."""
        return self.adversarial_step(self.as_batch(data))

    def test_step(self, data):
        """Losses and metrics of a batch, nothing learned."""
        batch = self.as_batch(data)
        images = self.synthesize(batch, training=False)
        terms = self.generator_terms(batch, images)
        logs = self._logs(batch, images, sum(terms.values()), terms)
        # The discriminator is not asked here; its tracker of the training has nothing to say.
        return {k: v for k, v in logs.items() if k in terms or k not in self._term_means}

    def as_batch(self, data):
        """Names the parts of what Keras hands to a step."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return {"x": x, "y": y}

    def adversarial_step(self, batch):
        """Updates the discriminator, then the generator, and returns the epoch's means."""
        variables = self.generator_variables
        with tf.GradientTape() as tape:
            images = self.synthesize(batch, training=True)
            with tape.stop_recording():
                stopped = {name: ops.stop_gradient(image) for name, image in images.items()}
                for _ in range(self.discriminator_steps):
                    discriminator_terms = self._discriminator_step(batch, stopped)
            terms = self.generator_terms(batch, images)
            loss = sum(terms.values())
            scaled = self.optimizer.scale_loss(_share_of_replica(loss))
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._logs(batch, images, loss, {**terms, **discriminator_terms})

    def _discriminator_step(self, batch, images):
        variables = self.discriminator_variables
        optimizer = self.discriminator_optimizer
        with tf.GradientTape() as tape:
            terms = self.discriminator_terms(batch, images)
            scaled = optimizer.scale_loss(_share_of_replica(sum(terms.values())))
        optimizer.apply(tape.gradient(scaled, variables), variables)
        return terms

    def _logs(self, batch, images, loss, terms):
        size = ops.shape(next(iter(images.values())))[0]
        self._loss_tracker.update_state(loss, sample_weight=size)
        for name, value in terms.items():
            if name not in self._term_means:
                with tf.init_scope():
                    self._term_means[name] = keras.metrics.Mean(name=name)
            self._term_means[name].update_state(value, sample_weight=size)
        compared = self.compared(batch, images)
        if compared is None:
            return self.get_metrics_result()
        return self.compute_metrics(batch["x"], *compared)


def _unscaled(optimizer):
    """The optimizer that the user gave: loss scaling is added again by `compile`."""
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if scaled else optimizer


def _share_of_replica(loss):
    """Optimizers sum the gradients of replicas; the mean over all needs each one's share."""
    return loss / tf.distribute.get_strategy().num_replicas_in_sync
