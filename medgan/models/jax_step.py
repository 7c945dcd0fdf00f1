"""A step of two players in JAX: the same step as a function from state to state.

The discriminator's optimizer is no part of the state that Keras hands to a step; the base lists its
variables among the model's non-trainable ones.
"""

import jax
import keras
from keras import ops


class _State:
    """The values of a model's variables, while a step is computed without touching them."""

    def __init__(self, variables, values):
        self.variables = [variable for part in variables for variable in part]
        self.values = [value for part in values for value in part]
        self._sizes = [len(part) for part in variables]
        self._places = {id(variable): place for place, variable in enumerate(self.variables)}

    def of(self, variables):
        """Values of some variables."""
        return [self.values[self._places[id(variable)]] for variable in variables]

    def put(self, variables, values):
        """Gives some variables new values."""
        for variable, value in zip(variables, values, strict=True):
            self.values[self._places[id(variable)]] = value

    def run(self, function, variables=(), values=()):
        """Calls a function on these values, some replaced; returns its result and all values."""
        current = list(self.values)
        for variable, value in zip(variables, values, strict=True):
            current[self._places[id(variable)]] = value
        pairs = list(zip(self.variables, current, strict=True))
        with keras.StatelessScope(state_mapping=pairs) as scope:
            result = function()
            return result, [scope.get_current_value(variable) for variable in self.variables]

    def call(self, function):
        """Calls a function and keeps what it changed."""
        result, self.values = self.run(function)
        return result

    def parts(self):
        """The values as Keras hands them over, one list for each kind of variable."""
        parts, start = [], 0
        for size in self._sizes:
            parts.append(self.values[start : start + size])
            start += size
        return tuple(parts)


def train_step(model, values, data):
    """Updates both players, the discriminator first as a rule.

    Returns:
        The epoch's means and the new values.
    """
    state = _State(
        (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        ),
        values,
    )
    batch = state.call(lambda: model.as_batch(data))
    variables = model.generator_variables

    def synthesize(weights):
        return state.run(lambda: model.synthesize(batch, training=True), variables, weights)

    images, pull_back, state.values = jax.vjp(synthesize, state.of(variables), has_aux=True)
    stopped = {name: jax.lax.stop_gradient(image) for name, image in images.items()}

    def discriminator_steps():
        for _ in range(model.discriminator_steps):
            judged = _step(
                state,
                lambda _: model.discriminator_terms(batch, stopped),
                model.discriminator_optimizer,
                model.discriminator_variables,
            )
        return judged

    judged = {} if model.generator_first else discriminator_steps()
    # The loss asks the images for their gradient, and the forward pass above hands it on.
    terms = _step(
        state,
        lambda shown: model.generator_terms(batch, shown),
        model.optimizer,
        variables,
        images,
        lambda gradient: pull_back(gradient)[0],
    )
    judged = judged or discriminator_steps()
    loss = sum(terms.values())
    logs = state.call(lambda: model.epoch_means(batch, images, loss, {**terms, **judged}))
    return logs, state.parts()


def test_step(model, values, data):
    """Losses and metrics of a batch, nothing learned."""
    parts = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
    state = _State(parts, values)

    def evaluate():
        batch = model.as_batch(data)
        images = model.synthesize(batch, training=False)
        return model.evaluation_means(batch, images, model.generator_terms(batch, images))

    logs = state.call(evaluate)
    return logs, state.parts()


def _step(state, terms_of, optimizer, variables, images=None, pull_back=None):
    """One step of an optimizer on the sum of the terms of (variables, images)."""

    def loss(weights, shown):
        def scaled():
            terms = terms_of(shown)
            return optimizer.scale_loss(sum(terms.values())), terms

        (total, terms), values = state.run(scaled, variables, weights)
        return total, (terms, values)

    weights = state.of(variables)
    gradients = jax.grad(loss, argnums=(0, 1) if images is not None else 0, has_aux=True)
    gradients, (terms, state.values) = gradients(weights, images)
    if images is not None:
        direct, of_images = gradients
        gradients = [ops.add(a, b) for a, b in zip(direct, pull_back(of_images), strict=True)]
    moved, slots = optimizer.stateless_apply(state.of(optimizer.variables), gradients, weights)
    state.put(variables, moved)
    state.put(optimizer.variables, slots)
    return terms
