"""What a network costs to run."""

import math

import keras


def multiply_accumulates(model, image_size=(256, 256), *, count_zeros=False):
    """Counts the multiplications of convolutions and dense layers for one image.

    Args:
        model: a functional `keras.Model` over one tensor, such as `(batch, height, width,
            channels)`.
        image_size: height and width of the image, where the model leaves them open.
        count_zeros: whether a transposed convolution counts over its output, the zeros between its
            inputs multiplied as well. Nothing computes so, but papers on the compression of GANs
            count so (their ResNet of 56.80 G computes 49.55 G with transposed convolutions, and
            56.80 G when it resizes).

    Returns:
        Multiply-accumulate operations, an int; biases, activations and padding are not counted, as
        is the custom in papers on compression.

    Raises:
        ValueError: if the model is not a functional model over one image tensor.

    Example:
        >>> from medgan.networks import dense_fusion_generator, multiply_accumulates
        >>> round(multiply_accumulates(dense_fusion_generator(width=8, head="tanh")) / 1e9, 2)
        1.04
    """
    if not isinstance(model, keras.Model) or len(getattr(model, "inputs", None) or ()) != 1:
        raise ValueError(f"Received {model!r}, expected a functional keras.Model with one input.")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    shape = tuple(model.inputs[0].shape[1:])
    if len(shape) == 3:
        height, width = (
            given if side is None else side
            for side, given in zip(shape[:2], image_size, strict=True)
        )
        shape = (height, width, shape[-1])
    fixed = keras.Input(shape, batch_size=1)
    total = 0

    def count(layer, *args, **kwargs):
        nonlocal total
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.Model):
            total += multiply_accumulates(layer, args[0].shape[1:-1], count_zeros=count_zeros)
            return outputs
        inner = getattr(layer, "layer", layer)  # what a wrapper wraps
        transposed = isinstance(inner, keras.layers.Conv2DTranspose)
        places = math.prod((args[0] if transposed else outputs).shape[1:-1])
        if transposed and count_zeros:
            places *= math.prod(inner.strides)
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            kernel = getattr(inner, name, None)
            total += 0 if kernel is None else math.prod(kernel.shape) * places
        return outputs

    keras.models.clone_model(model, input_tensors=fixed, call_function=count, clone_function=_same)
    return total


def _same(layer):
    return layer
