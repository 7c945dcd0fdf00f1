"""Differentiable augmentation of what a discriminator sees."""

import keras
from keras import ops

from medgan.ops.replicas import own_rows


@keras.saving.register_keras_serializable(package="medgan")
class DiffAugment(keras.layers.Layer):
    """Random brightness, contrast, translation and cutout through which gradients flow.

    Shown to the discriminator on real and on generated images alike, it keeps a discriminator from
    learning a few hundred images by heart. All channels of an image get the same draw; what is
    moved in or cut out is 0 (air). With every strength at 0 it is the identity.

    Args:
        brightness: an offset drawn from [-brightness, brightness] / 2 is added.
        contrast: deviations from the image's mean are multiplied by a factor drawn from
            [1 - contrast / 2, 1 + contrast / 2].
        translation: largest shift, as a share of height and width.
        cutout: side of the square that is blanked, as a share of height and width.
        seed: seed of the draws; their state is saved with the layer.

    Call arguments:
        inputs: `(batch, height, width, channels)`, in [0, 1].

    Reference:
        Zhao, Liu, Lin, Zhu and Han, Differentiable Augmentation for Data-Efficient GAN Training,
        2020. Their contrast factor comes from [0.5, 1.5], our `contrast=1`. Their saturation does
        nothing on grey images and is left out; their fill is -1 on [-1, 1] data, which is our 0.
    """

    def __init__(
        self, brightness=0.5, contrast=0.5, translation=0.125, cutout=0.25, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        for name, value in (
            ("brightness", brightness),
            ("contrast", contrast),
            ("translation", translation),
            ("cutout", cutout),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"Received {name}={value}, expected a share from 0 to 1.")
        self.brightness = brightness
        self.contrast = contrast
        self.translation = translation
        self.cutout = cutout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def _draw(self, images, shape, low, high):
        """One draw of a shape for each image."""

        def draw(rows):
            return keras.random.uniform(
                (rows, *shape), low, high, dtype="float32", seed=self.seed_generator
            )

        return own_rows(draw, ops.shape(images)[0])

    def _offsets(self, images, share):
        """One whole-pixel offset per image and axis, up to a share of the sides."""
        height, width = ops.shape(images)[1:3]
        draw = self._draw(images, (2,), -1.0, 1.0)
        sides = ops.cast(ops.stack([height, width]), "float32")
        return ops.cast(ops.round(draw * share * sides), "int32")

    def _translate(self, images):
        """Shifts by products with shifted identity matrices: fast, zero-filled, any device."""
        height, width = ops.shape(images)[1:3]
        offsets = self._offsets(images, self.translation)

        def shifted_identity(length, offset):
            rows, columns = ops.arange(length)[None, :, None], ops.arange(length)[None, None, :]
            return ops.cast(columns == rows + offset[:, None, None], images.dtype)

        images = ops.einsum("bij,bjwc->biwc", shifted_identity(height, offsets[:, 0]), images)
        return ops.einsum("bij,bhjc->bhic", shifted_identity(width, offsets[:, 1]), images)

    def _cut(self, images):
        height, width = ops.shape(images)[1:3]
        offsets = self._offsets(images, 0.5)

        def hit(length, offset):
            side = ops.cast(ops.round(ops.cast(length, "float32") * self.cutout), "int32")
            place = ops.arange(length)[None] - (length // 2 + offset - side // 2)[:, None]
            return ops.cast(ops.logical_and(place >= 0, place < side), images.dtype)

        rows, columns = hit(height, offsets[:, 0]), hit(width, offsets[:, 1])
        return images * (1 - rows[:, :, None, None] * columns[:, None, :, None])

    def call(self, inputs):
        """Returns augmented images of the inputs' shape."""
        images = inputs
        shape = (1, 1, 1)
        if self.brightness:
            offset = self._draw(images, shape, -self.brightness / 2, self.brightness / 2)
            images = images + ops.cast(offset, images.dtype)
        if self.contrast:
            mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
            factor = self._draw(images, shape, 1 - self.contrast / 2, 1 + self.contrast / 2)
            images = mean + (images - mean) * ops.cast(factor, images.dtype)
        if self.translation:
            images = self._translate(images)
        if self.cutout:
            images = self._cut(images)
        return images

    def save_own_variables(self, store):
        """Saves the state of the draws, which Keras leaves out."""
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        """Continues the draws where they were saved."""
        if "seed_state" in store:
            self.seed_generator.state.assign(store["seed_state"])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "brightness": self.brightness,
            "contrast": self.contrast,
            "translation": self.translation,
            "cutout": self.cutout,
            "seed": self.seed,
        }
