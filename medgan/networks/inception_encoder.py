"""InceptionV3, the encoder of the literature's FID, from a weights file that is there."""

import pathlib
import warnings

import keras
import numpy as np

SIDE = 299


def inception_encoder(weights, *, channels=1, name="inception_encoder"):
    """InceptionV3 without its classifier, its 2048 pooled features, from a file of weights.

    Nothing is downloaded. The file is that of Keras: `InceptionV3(include_top=False)` of
    `keras.applications` on a machine with a network leaves it in `~/.keras/models/` as
    `inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5`.

    Published FIDs come from another Inception (the TensorFlow 1 graph of 2015, other weights, other
    resizing): do not compare numbers with them, only with each other. With fewer than 200 images
    the Frechet distance of 2048 features is mostly bias; read the kernel distance first. Images
    are resized to 299x299 by bilinear interpolation, grey is repeated in the three channels.

    Args:
        weights: path of the weights file (`.h5`, `.weights.h5` or `.keras`).
        channels: channels of the images, 1 or 3.
        name: name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, channels)` in [0, 1] of any size to
        `(batch, 2048)`, at least 0; not trainable, float32 under any policy.

    Raises:
        ValueError: if the number of channels is another, the file is missing, or it does not hold
            the weights of InceptionV3 without its classifier.

    Reference:
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016; as an
        encoder, Heusel et al., 2017.
    """
    if channels not in (1, 3):
        raise ValueError(f"Received channels={channels}, expected 1 (grey) or 3 (colour).")
    path = pathlib.Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"Received weights={str(weights)!r}, which is no file, expected the weights of Keras's "
            "InceptionV3 without its classifier. medgan downloads nothing; scattering_encoder() "
            "needs no file."
        )
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    layers = keras.layers
    scaled = layers.Resizing(SIDE, SIDE, dtype="float32", name="resized")(images)
    scaled = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="scaled")(scaled)
    if channels == 1:
        scaled = layers.Concatenate(dtype="float32", name="colour")([scaled] * 3)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        inception = keras.applications.InceptionV3(
            include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg"
        )
    finally:
        keras.config.set_dtype_policy(policy)
    load_all_weights(inception, path)
    inception.trainable = False
    return keras.Model(images, inception(scaled), name=name)


def load_all_weights(model, path):
    """Loads every weight of a network, or none.

    Keras leaves weights that a file lacks at their initial values, at most with a warning.

    Args:
        model: a built `keras.Model`.
        path: path of a weights file.

    Raises:
        ValueError: if the file cannot be read or lacks a weight.
    """
    for variable in model.variables:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_weights(path)
        lacking = [v.path for v in model.variables if np.isnan(np.asarray(v)).any()]
        reason = f"it lacks {len(lacking)} of {len(model.variables)} weights" if lacking else None
    except (ValueError, OSError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        raise ValueError(
            f"Cannot load {path} into {model.name}: {reason}. Expected a file of exactly this "
            "network's weights; save one with save_weights() where the network is."
        )
