"""Gradients with respect to images, which a loss can hold and differentiate again."""

import keras
from keras import ops


def input_gradients(function, inputs):
    """Gradient of the sum of `function(inputs)` with respect to `inputs`.

    Where each row of the output comes from its own row of the inputs, this is every row's gradient
    for itself: a critic may not mix the images of a batch, as batch normalisation does.

    It is differentiable again, also with respect to the weights inside the function: under
    TensorFlow eagerly, in a `tf.function` and with XLA, and under JAX. The function may read
    variables, but move none: call networks with `training=False`.

    Args:
        function: from a tensor like `inputs` to a tensor of any shape.
        inputs: tensor of floats.

    Returns:
        Tensor of the shape and type of `inputs`; zeros where the function does not look at them.

    Raises:
        RuntimeError: with another backend than TensorFlow or JAX.

    Example:
        >>> from keras import ops
        >>> from medgan.ops import input_gradients
        >>> input_gradients(ops.square, ops.convert_to_tensor([1.0, 3.0])).numpy().tolist()
        [2.0, 6.0]
    """

    def total(values):
        return ops.sum(ops.cast(function(values), "float32"))

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.grad(total)(ops.convert_to_tensor(inputs))
    if backend != "tensorflow":
        raise RuntimeError(
            f"Received KERAS_BACKEND={backend}, expected tensorflow or jax to take gradients."
        )
    import tensorflow as tf

    inputs, unconnected = tf.identity(inputs), tf.UnconnectedGradients.ZERO
    if tf.executing_eagerly():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = total(inputs)
        return tape.gradient(value, inputs, unconnected_gradients=unconnected)
    # A tape sums all at once what is used often, in an order that varies; sums of two commute.
    (gradient,) = tf.gradients(
        total(inputs),
        [inputs],
        aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
        unconnected_gradients=unconnected,
    )
    return gradient


def gradient_penalty(function, images):
    """How far a critic's slope is from 1, squared: `(||gradient|| - 1)^2` of each image.

    The norm is taken over all pixels and channels of an image. A critic with several values per
    image, such as a map of patches, is taken for the mean of them.

    Args:
        function: critic from images to `(batch, ...)`; see `input_gradients`.
        images: `(batch, ...)`, where the slope is measured.

    Returns:
        `(batch,)`, float32. Where the slope is 0 the value is 1 and its own gradient 0, for there
        is no direction in which it grows.

    Example:
        >>> from keras import ops
        >>> from medgan.ops import gradient_penalty
        >>> images = ops.ones((1, 2, 2, 1))
        >>> float(gradient_penalty(lambda x: 1.5 * ops.sum(x, axis=(1, 2, 3)), images)[0])
        4.0

    Reference:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, eq. 3.
    """

    def critic(images):
        values = ops.cast(function(images), "float32")
        return ops.mean(ops.reshape(values, (ops.shape(images)[0], -1)), axis=1)

    gradients = ops.cast(input_gradients(critic, images), "float32")
    squares = ops.sum(ops.square(gradients), axis=tuple(range(1, len(gradients.shape))))
    # The slope of a root is infinite at 0, and infinity times 0 is no number.
    some = squares > 0
    slope = ops.where(some, ops.sqrt(ops.where(some, squares, 1.0)), 0.0)
    return ops.square(slope - 1)
