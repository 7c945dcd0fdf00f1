"""Looking into networks: the maps of named layers beside the output, and adapters between them."""

import keras
from keras import ops

ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
)


def is_functional(network):
    """Whether Keras knows a network layer by layer, so that it can be tapped."""
    return bool(network.built and getattr(network, "inputs", None))


def shape_of(network, side):
    """Shape of a network's `"input"` or `"output"`, or None where it is not known beforehand.

    Raises:
        ValueError: if it has several.
    """
    if not is_functional(network):
        return None
    tensors = getattr(network, f"{side}s")
    if len(tensors) != 1:
        raise ValueError(
            f"Received the network {network.name!r} with {len(tensors)} {side}s, expected one. "
            "Join or leave out the others in a keras.Model around it."
        )
    return tuple(tensors[0].shape)


def differ(first, second):
    """Whether two shapes are known to differ; None is an unknown size."""
    sides = zip(first, second, strict=False)
    return len(first) != len(second) or any(a != b for a, b in sides if None not in (a, b))


def check_same_shape(teacher, student):
    """Raises ValueError if the images of teacher and student are known to differ in shape."""
    first, second = tuple(teacher.shape), tuple(student.shape)
    if differ(first, second):
        raise ValueError(
            f"Received images of shape {first} of the teacher and {second} of the student, "
            "expected the same. Resize or crop inside the teacher."
        )


def has_embedding(network):
    """Whether a network has a layer named "embedding" that makes a map."""
    return is_functional(network) and any(
        layer.name == "embedding" and len(layer.output.shape) == 4 for layer in network.layers
    )


def activations(network):
    """Names of the layers of a network that activate, but for its last."""
    layers = network.layers if is_functional(network) else ()
    names = [layer.name for layer in layers if _activates(layer)]
    last = [layer.name for layer in layers[-1:]]
    return [name for name in names if name not in last]


def _activates(layer):
    linear = keras.activations.linear
    return isinstance(layer, ACTIVATIONS) or getattr(layer, "activation", linear) is not linear


class Taps:
    """A network that returns the maps of some of its layers beside its output.

    It holds no state of its own, and it is no Keras object: as attributes of a trainer Keras would
    save the layers of its inner model a second time.

    Args:
        network: `keras.Model`; without layers to tap it may be of any kind.
        layers: names of layers.
        part: what an error calls the network.

    Attributes:
        maps: the symbolic maps.
        model: `keras.Model` to a list of the output and the maps; without maps the network.

    Raises:
        ValueError: if the network cannot be tapped, or has no layer of a name.
    """

    def __init__(self, network, layers=(), part="network"):
        self.maps = []
        self.model = network
        if not layers:
            return
        if not is_functional(network):
            raise ValueError(
                f"Received the {part} {network.name!r} with layers to tap, "
                f"{', '.join(map(repr, layers))}, expected a functional or a Sequential model with "
                "an Input: Keras does not know a subclassed model's maps. Rebuild it, or leave "
                "the loss of features out."
            )
        known = [layer.name for layer in network.layers]
        for name in layers:
            if name not in known:
                raise ValueError(
                    f"Received the layer {name!r} to tap in the {part} {network.name!r}, expected "
                    f"one of {', '.join(known)}."
                )
        self.maps = [network.get_layer(name).output for name in layers]
        self.model = keras.Model(network.inputs[0], [network.outputs[0], *self.maps])

    def __call__(self, inputs, training):
        """Returns the output and the list of maps."""
        return self.split(self.model(inputs, training=training))

    def split(self, outputs):
        """What the model returned as output and list of maps."""
        return (outputs[0], list(outputs[1:])) if self.maps else (outputs, [])


def embedding_of(image, maps=None):
    """One vector per image: the mean of a map over all places, or an 8x8 thumbnail of the image."""
    if maps is not None:
        return ops.mean(ops.cast(maps, "float32"), axis=(1, 2))
    small = ops.image.resize(ops.cast(image, "float32"), (8, 8), antialias=True)
    return ops.reshape(small, (ops.shape(image)[0], 64 * image.shape[-1]))


def adapters(teacher_maps, student_maps, seed=None, dtype=None):
    """1x1 convolutions from the student's maps to the channels of the teacher's.

    Args:
        teacher_maps: symbolic maps `(batch, height, width, channels)`.
        student_maps: as many, of the same sizes.
        seed: seed of the initial weights.
        dtype: dtype policy of the convolutions.

    Returns:
        A functional `keras.Model` from the list of the student's maps to the adapted maps.

    Raises:
        ValueError: if a map is none of images, or two are known to differ in size.
    """
    inputs, outputs = [], []
    for index, (teacher, student) in enumerate(zip(teacher_maps, student_maps, strict=True)):
        shapes = tuple(teacher.shape), tuple(student.shape)
        if len(shapes[0]) != 4 or differ(shapes[0][:-1], shapes[1][:-1]):
            raise ValueError(
                f"Received taps of shapes {shapes[0]} in the teacher and {shapes[1]} in the "
                "student, expected maps (batch, height, width, channels) of the same height and "
                "width. Tap layers of the same resolution, or use a KernelAlignmentLoss."
            )
        inputs.append(keras.Input((None, None, shapes[1][-1]), name=f"map_{index}"))
        convolution = keras.layers.Conv2D(
            shapes[0][-1],
            1,
            kernel_initializer=keras.initializers.GlorotUniform(
                None if seed is None else seed + index
            ),
            dtype=dtype,
            name=f"adapter_{index}",
        )
        outputs.append(convolution(inputs[-1]))
    return keras.Model(inputs, outputs, name="adapters")
