"""What a network costs to run."""

import math

import keras


def multiply_accumulates(model, image_size=(256, 256)):
    """Counts the multiplications of convolutions and dense layers for one image.

    Args:
        model: a functional `keras.Model` over `(batch, height, width, channels)`.
        image_size: height and width of the image.

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
    channels = model.inputs[0].shape[-1]
    fixed = keras.Input((*image_size, channels), batch_size=1)
    total = 0

    def count(layer, *args, **kwargs):
        nonlocal total
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.Model):
            total += multiply_accumulates(layer, args[0].shape[1:-1])
            return outputs
        inner = getattr(layer, "layer", layer)  # what a wrapper wraps
        transposed = isinstance(inner, keras.layers.Conv2DTranspose)
        places = math.prod((args[0] if transposed else outputs).shape[1:-1])
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            kernel = getattr(inner, name, None)
            total += 0 if kernel is None else math.prod(kernel.shape) * places
        return outputs

    keras.models.clone_model(model, input_tensors=fixed, call_function=count, clone_function=_same)
    return total


def _same(layer):
    return layer
