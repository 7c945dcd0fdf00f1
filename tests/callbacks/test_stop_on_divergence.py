import pathlib
import pickle
import types

import keras
import numpy as np
import pytest
from keras import ops

from medgan.callbacks import StopOnDivergence
from medgan.errors import DivergedError

STEPS = 30


def model(optimizer="sgd"):
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(optimizer=optimizer, loss="mse", run_eagerly=True)
    return built


def watched(callback, optimizer="sgd"):
    callback.set_model(model(optimizer))
    return callback


def scaled():
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())


def fit(trained, *callbacks, epochs=1):
    """Fits with 30 steps an epoch."""
    x = np.ones((STEPS, 2), "float32")
    trained.fit(x, x[:, :1], batch_size=1, epochs=epochs, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_loss_that_is_not_finite_ends_training(value):
    callback = watched(StopOnDivergence())
    callback.model.optimizer.iterations.assign(12)
    with pytest.raises(DivergedError, match=r"'discriminator' is -?(nan|inf) at step 12") as caught:
        callback.on_epoch_end(3, {"loss": 1.0, "discriminator": value})
    assert caught.value.step == 12
    assert caught.value.reason == f"the loss 'discriminator' is {value}"


def test_finite_losses_pass_and_scores_may_have_no_value():
    callback = watched(StopOnDivergence())
    nothing = {"val_ssim": float("nan"), "health_real": float("nan")}
    callback.on_epoch_end(0, {"loss": np.float32(1e30), "other": -3, **nothing})
    callback.on_epoch_end(0, None)


class Save(keras.callbacks.Callback):
    """Saves at every epoch's end as a checkpoint does."""

    directory = pathlib.Path("there")
    saved_step = None

    def on_epoch_end(self, epoch, logs=None):
        self.saved_step = int(self.model.optimizer.iterations)


def test_fit_stops_before_anything_saves_and_names_the_last_good_checkpoint():
    trained, save = model(), Save()

    def poison(epoch, logs):
        if epoch == 1:
            trained.layers[-1].kernel.assign([[1.0], [np.inf]])

    callbacks = [StopOnDivergence(10**6, save), save]
    spoil = keras.callbacks.LambdaCallback(on_epoch_begin=poison)
    with pytest.raises(DivergedError, match="at step 60, expected") as caught:
        fit(trained, spoil, *callbacks, epochs=3)
    assert save.saved_step == 30
    text = str(caught.value)
    assert text.endswith(
        f"; the last good checkpoint is {pathlib.Path('there/last.npz')} of step 30."
    )
    assert "Lower the learning rate" in text and "\n" not in text


def test_message_says_where_nothing_was_saved_and_is_silent_where_nobody_saves():
    for checkpoint, end in (
        (Save(), "; no checkpoint was saved before."),
        (None, "(clipnorm=1.0)."),
    ):
        with pytest.raises(DivergedError) as caught:
            watched(StopOnDivergence(1, checkpoint)).on_epoch_end(0, {"loss": float("nan")})
        assert str(caught.value).endswith(end)


class Poison(keras.callbacks.Callback):
    """Spoils a weight behind a batch, as the batch's own step could have done."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.model.layers[-1].bias.assign([np.nan])


@pytest.mark.parametrize("within", [1, 10, 20])
@pytest.mark.parametrize("step", [0, 3, 11])
def test_weight_is_found_within_the_promised_number_of_steps(step, within):
    with pytest.raises(DivergedError, match="finite number") as caught:
        fit(model(), Poison(step), StopOnDivergence(within))
    assert step + 1 <= caught.value.step <= step + 1 + within


def test_learning_rate_that_is_far_too_high_is_found_within_the_promised_number_of_steps():
    trained = model(keras.optimizers.SGD(1e6))
    losses = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs))
    with pytest.raises(DivergedError) as caught:
        fit(trained, record, StopOnDivergence(20))
    finite = sum(np.isfinite(logs["loss"]) for logs in losses)
    assert 1 < finite < 20 and caught.value.step <= finite + 20


def test_weight_is_named():
    callback = watched(StopOnDivergence())
    weight = callback.model.layers[-1].kernel
    weight.assign([[1.0], [-np.inf]])
    with pytest.raises(DivergedError, match=f"The weight '{weight.path}' is not finite at step 0"):
        callback.on_epoch_end(0)


def test_weights_that_are_not_trained_are_not_looked_at():
    callback = watched(StopOnDivergence())
    callback.model.trainable = False
    callback.model.layers[-1].kernel.assign([[1.0], [np.nan]])
    callback.on_epoch_end(0)
    again = StopOnDivergence()
    callback.model.trainable = True
    again.set_model(callback.model)
    with pytest.raises(DivergedError, match="not finite"):
        again.on_epoch_end(0)


def test_what_is_trained_may_change_between_two_trainings():
    callback = watched(StopOnDivergence())
    callback.on_train_begin()
    callback.on_epoch_end(0)
    callback.set_model(model())
    callback.on_train_begin()
    callback.model.layers[-1].kernel.assign([[1.0], [np.nan]])
    with pytest.raises(DivergedError):
        callback.on_epoch_end(0)


def test_batches_between_two_looks_are_not_looked_at():
    callback = watched(StopOnDivergence(within=40))  # looks every 4 batches
    bad = {"loss": float("nan")}
    callback.on_epoch_begin(0)
    callback.on_train_batch_end(2, bad)
    callback.on_train_batch_end(6, {"loss": 1.0})  # an execution of several batches
    callback.on_train_batch_end(9, bad)
    with pytest.raises(DivergedError):
        callback.on_train_batch_end(10, bad)
    callback.on_epoch_begin(1)
    callback.on_train_batch_end(2, bad)
    with pytest.raises(DivergedError):
        callback.on_train_batch_end(3, bad)


@pytest.mark.parametrize("which", ["optimizer", "discriminator_optimizer"])
def test_loss_scale_that_falls_without_end_ends_training(which):
    callback = watched(StopOnDivergence(within=1), scaled())
    trained = callback.model
    trained.discriminator_optimizer = scaled()
    callback.on_epoch_end(0, {"loss": 1.0})  # the discriminator's is not built
    for optimizer in (trained.optimizer, trained.discriminator_optimizer):
        optimizer.build(trained.trainable_variables)
    scale = getattr(trained, which).dynamic_scale
    scale.assign(2.0**-10)
    callback.on_epoch_end(1, {"loss": 1.0})
    scale.assign(2.0**-11)
    text = rf"scale of the {which} fell to 0\.000488 at step 0.*Lower the learning rate.* bfloat16"
    with pytest.raises(DivergedError, match=text):
        callback.on_epoch_end(2, {"loss": 1.0})


def test_gradients_that_always_overflow_halve_the_scale_until_training_ends():
    trained = model(scaled())
    # The loss is finite, its slope is not.
    trained.compute_loss = lambda *_, **__: ops.sqrt(0 * trained.layers[-1].kernel[0, 0])
    with pytest.raises(DivergedError, match="loss scale of the optimizer fell to"):
        fit(trained, StopOnDivergence(10))  # after 26 halvings from 2 ** 15


def test_weights_in_one_precision_of_half_the_bits_are_looked_at():
    trained = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, dtype="bfloat16")])
    trained.compile("sgd", "mse")
    callback = StopOnDivergence()
    callback.set_model(trained)
    callback.on_epoch_end(0)
    trained.layers[-1].bias.assign([np.inf])
    with pytest.raises(DivergedError, match="not finite"):
        callback.on_epoch_end(0)


def test_model_without_weights_yet_passes():
    callback = StopOnDivergence()
    callback.set_model(types.SimpleNamespace(trainable_variables=[]))
    callback.on_epoch_end(0, {"loss": 1.0})


def test_error_ends_a_command_with_its_own_exit_code():
    assert DivergedError.exit_code == 4


def test_error_is_made_of_one_message_and_can_be_sent_to_another_process():
    assert (DivergedError("text").step, DivergedError("text").reason) == (None, None)
    sent = pickle.loads(pickle.dumps(DivergedError("text", 3, "why")))
    assert (str(sent), sent.step, sent.reason) == ("text", 3, "why")


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="within=0, expected a number of batches from 1 up"):
        StopOnDivergence(0)
