import cv2
import keras
import numpy as np
import pytest

from medgan.callbacks import ImageGrid

# Grey levels of the two sources and of what the model below makes of them.
LEVELS = {"CT": 51, "MR": 128, "network": 204}


def sources(count=2):
    image = np.empty((count, 48, 48, 2), "float32")
    image[..., 0], image[..., 1] = LEVELS["CT"] / 255, LEVELS["MR"] / 255
    return image


def constant_model(steps):
    model = keras.Sequential([keras.Input((48, 48, 2)), keras.layers.Conv2D(1, 1)])
    model.set_weights([np.zeros((1, 1, 2, 1)), np.array([LEVELS["network"] / 255])])
    model.compile(optimizer="sgd", loss="mse")
    model.optimizer.iterations.assign(steps)
    return model


@pytest.fixture
def picture(tmp_path):
    callback = ImageGrid(sources(), tmp_path / "samples")
    callback.set_model(constant_model(steps=123))
    callback.on_epoch_end(0, {})
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["step_000123.png"]
    return cv2.imread(str(tmp_path / "samples" / "step_000123.png"), cv2.IMREAD_GRAYSCALE)


def test_grid_has_four_columns_and_a_row_per_pair(picture):
    height, width = picture.shape
    assert 600 < width < 1200 and 300 < height < 600
    # lines through the middle of the picture's columns see the four methods in order
    row = picture[int(0.3 * height)]
    levels = [int(row[int((column + 0.5) / 4 * width)]) for column in range(4)]
    expected = [LEVELS["CT"], LEVELS["MR"], LEVELS["MR"], LEVELS["network"]]
    assert np.abs(np.subtract(levels, expected)).max() <= 1


def test_grey_levels_are_shown_as_they_are(picture):
    shares = {
        name: np.mean(np.abs(picture.astype(int) - level) <= 1) for name, level in LEVELS.items()
    }
    assert shares["CT"] > 0.15 and shares["MR"] > 0.3 and shares["network"] > 0.15


def test_every_act_has_its_own_file(tmp_path):
    callback = ImageGrid(sources(1), tmp_path, titles=("PET", "MR"), every=2)
    callback.set_model(constant_model(steps=1))
    for epoch in range(3):
        callback.on_epoch_end(epoch, {})
        callback.model.optimizer.iterations.assign_add(1)
    callback.on_train_end({})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step_000002.png", "step_000004.png"]


class TwoWay(keras.Model):
    """Adds a quarter, and knows a way back."""

    def __init__(self):
        super().__init__()
        self.backward_generator = keras.layers.Lambda(lambda x: x - 0.5)
        self.built = True

    def call(self, inputs, training=False):
        return inputs + 0.25


def test_a_translation_shows_source_target_output_and_the_way_back(tmp_path):
    image = np.full((2, 48, 48, 1), 0.5, "float32")
    callback = ImageGrid(image, tmp_path, ("MR", "CT"), targets=image - 0.5)
    model = TwoWay()
    model.compile(optimizer="sgd")
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    (path,) = tmp_path.iterdir()
    row = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    levels = [int(row[int(0.3 * len(row)), int((c + 0.5) / 4 * row.shape[1])]) for c in range(4)]
    assert np.abs(np.subtract(levels, [128, 0, 191, 64])).max() <= 1
