import cv2
import keras
import numpy as np

from medgan.callbacks import SampleGrid


def test_images_stand_edge_to_edge_in_order_with_their_own_grey_levels(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.1, 1.1, size=(5, 6, 7, 1)).astype("float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    model.optimizer.iterations.assign(42)
    grid = SampleGrid(lambda asked: images if asked is model else None, tmp_path / "new", columns=3)
    grid.set_model(model)
    grid.on_epoch_end(0, {})
    picture = cv2.imread(str(tmp_path / "new" / "step_000042.png"), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (12, 21)
    levels = np.round(255 * np.clip(images[..., 0], 0, 1))
    for index, image in enumerate(levels):
        row, column = divmod(index, 3)
        tile = picture[6 * row : 6 * row + 6, 7 * column : 7 * column + 7]
        np.testing.assert_array_equal(tile, image)
    assert not picture[6:, 14:].any()
