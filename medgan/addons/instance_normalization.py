"""Instance normalisation as tensorflow-addons does it."""

import keras

from medgan.addons.group_normalization import GroupNormalization


@keras.saving.register_keras_serializable(package="Addons")
class InstanceNormalization(GroupNormalization):
    """Normalises every channel of each image: `GroupNormalization` with `groups=-1`.

    `medgan.layers.InstanceNormalization` is what new networks take: it has another epsilon and no
    weights by default. This one is for networks that the add-ons have trained.

    Args:
        kwargs: as of `GroupNormalization`. `groups` may be there, as the add-ons' files have it,
            and counts for nothing.

    Example:
        >>> import numpy as np
        >>> from medgan.addons import InstanceNormalization
        >>> image = np.array([1.0, 3.0], "float32").reshape(1, 1, 2, 1)
        >>> InstanceNormalization(epsilon=0.0)(image).numpy().ravel().tolist()
        [-1.0, 1.0]

    Reference:
        Ulyanov, Vedaldi and Lempitsky, Instance Normalization: The Missing Ingredient for Fast
        Stylization, 2016.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "groups": -1})
