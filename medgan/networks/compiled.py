"""A network as a compiled function, for scores and latency."""

import keras


def compiled(network):
    """Compiles what a network computes in inference.

    Args:
        network: built `keras.Model`; its weights are read at every call.

    Returns:
        Function from a batch to the network's output, as a tensor of the backend.

    Example:
        >>> import numpy as np
        >>> from medgan.networks import compiled, dense_fusion_generator
        >>> fuse = compiled(dense_fusion_generator(width=2))
        >>> fuse(np.zeros((1, 16, 16, 2), "float32")).shape[1:]
        TensorShape([16, 16, 1])
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda x: network(x, training=False), reduce_retracing=True)
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def call(trainable, other, x):
            return network.stateless_call(trainable, other, x, training=False)[0]

        def function(x):
            parts = network.trainable_variables, network.non_trainable_variables
            trainable, other = ([variable.value for variable in part] for part in parts)
            return call(trainable, other, keras.ops.convert_to_tensor(x))

        return function
    return lambda x: network(x, training=False)
