"""A network that was trained in mixed precision, as people want to have it: in float32."""

import json

import keras


def full_precision(network):
    """Rebuilds a network so that every layer computes in float32, with the same weights.

    What is kept and exported computes alike everywhere; half precision is for training.

    Args:
        network: built `keras.Model` that serialises.

    Returns:
        A float32 network; the same object where it is one already.

    Example:
        >>> from medgan import precision
        >>> from medgan.networks import dense_fusion_generator, full_precision
        >>> with precision.policy("mixed_float16"):
        ...     mixed = dense_fusion_generator(width=2)
        >>> mixed.get_layer("stem").compute_dtype
        'float16'
        >>> full_precision(mixed).get_layer("stem").compute_dtype
        'float32'
    """
    config = json.dumps(keras.saving.serialize_keras_object(network))
    whole = config
    for mixed in ("mixed_float16", "mixed_bfloat16"):
        whole = whole.replace(json.dumps(mixed), json.dumps("float32"))
    if whole == config:
        return network
    rebuilt = keras.saving.deserialize_keras_object(json.loads(whole))
    rebuilt.set_weights([keras.ops.convert_to_numpy(weight) for weight in network.weights])
    return rebuilt
