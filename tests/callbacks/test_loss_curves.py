import cv2
import keras
import numpy as np
import pytest

from medgan.callbacks import LossCurves

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # Matplotlib's tab:blue and tab:orange


def model():
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(optimizer="sgd", loss="mse")
    return built


def draw(path, records, **arguments):
    callback = LossCurves(path, **arguments)
    callback.set_model(model())
    for epoch, record in enumerate(records):
        callback.model.optimizer.iterations.assign(10 * epoch + 10)
        callback.on_epoch_end(epoch, record)
    callback.on_train_end({})
    image = cv2.imread(str(path))
    assert image is not None and [p.name for p in path.parent.iterdir()] == [path.name]
    return image[..., ::-1].astype(int)


def places(image, colour):
    """Rows and columns of the curve's pixels, right of the legend's sample of it."""
    return np.nonzero((np.abs(image - colour) <= 8).all(axis=-1))


@pytest.fixture
def losses():
    return [{"loss": 8.0 - e, "discriminator": 1.4, "val_sf": 30.0} for e in range(6)]


def test_picture_holds_both_curves(tmp_path, losses):
    image = draw(tmp_path / "new" / "losses.png", losses, title="teacher")
    height, width = image.shape[:2]
    assert 400 < width < 800 and 250 < height < 500
    rows, columns = places(image, BLUE)
    assert np.ptp(columns) > 0.6 * width and np.ptp(rows) > 0.5 * height
    rows, columns = places(image, ORANGE)
    assert np.ptp(columns) > 0.6 * width


def test_falling_loss_falls_from_left_to_right(tmp_path, losses):
    image = draw(tmp_path / "losses.png", losses)
    rows, columns = places(image, BLUE)
    left = rows[columns < np.quantile(columns, 0.2)].mean()
    right = rows[columns > np.quantile(columns, 0.8)].mean()
    assert right > left + 0.2 * image.shape[0]  # rows count downwards


def test_training_without_a_discriminator_is_drawn_too(tmp_path):
    image = draw(tmp_path / "losses.png", [{"loss": 3.0}, {"loss": 1.0}])
    assert len(places(image, BLUE)[0]) > 200


def test_losses_that_are_not_finite_leave_a_gap(tmp_path):
    losses = [{"loss": 3.0}, {"loss": float("nan")}, {"loss": 2.0}, {"loss": 1.0}]
    assert len(places(draw(tmp_path / "losses.png", losses), BLUE)[0]) > 100


def test_epochs_that_are_not_due_are_remembered(tmp_path, losses):
    callback = LossCurves(tmp_path / "losses.png", every=4)
    callback.set_model(model())
    for epoch, record in enumerate(losses[:5]):
        callback.on_epoch_end(epoch, record)
        assert (tmp_path / "losses.png").exists() == (epoch >= 3)
    assert [record["loss"] for record in callback.records] == [8.0, 7.0, 6.0, 5.0, 4.0]
