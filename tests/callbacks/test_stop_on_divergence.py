import keras
import numpy as np
import pytest

from medgan.callbacks import LastCheckpoint, StopOnDivergence
from medgan.errors import DivergedError


def model():
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(optimizer="sgd", loss="mse")
    return built


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_loss_that_is_not_finite_ends_training(value):
    callback = StopOnDivergence()
    callback.set_model(model())
    callback.model.optimizer.iterations.assign(12)
    with pytest.raises(DivergedError, match=r"'discriminator' is -?(nan|inf) at step 12"):
        callback.on_epoch_end(3, {"loss": 1.0, "discriminator": value})


def test_finite_losses_pass():
    callback = StopOnDivergence()
    callback.set_model(model())
    callback.on_epoch_end(0, {"loss": np.float32(1e30), "other": -3})
    callback.on_epoch_end(0, None)


def test_fit_stops_after_the_first_bad_epoch_and_keeps_the_last_good_checkpoint(tmp_path):
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    trained = model()
    path = tmp_path / "last.keras"
    callbacks = [StopOnDivergence(), LastCheckpoint(path)]
    trained.fit(x, y, batch_size=2, verbose=0, callbacks=callbacks)
    good = path.read_bytes()
    y[2] = np.nan  # in the second of four batches
    with pytest.raises(DivergedError, match="at step 8, expected a finite number"):
        trained.fit(x, y, batch_size=2, epochs=9, shuffle=False, verbose=0, callbacks=callbacks)
    assert path.read_bytes() == good


def test_error_ends_a_command_with_its_own_exit_code():
    assert DivergedError.exit_code == 4
