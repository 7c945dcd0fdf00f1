"""Makes the files and values in `golden/` with the real tensorflow-addons.

The tests only read them. To make them again (Python 3.11, Linux; the add-ons are at their end of
life, and this is the last TensorFlow that they take):

    python3.11 -m venv addons
    addons/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0 "numpy<2"
    addons/bin/python tests/addons/make_golden.py

Every model takes a few steps of training before it is saved, so that no weight is what a layer
begins with. `values.npz` holds under `NAME/x` what each model got, under `NAME/y0`, `NAME/y1` ...
what it made of it, and, of the models of single layers, what one step of training makes of the
file's weights: `NAME/weights` are the factors of the outputs in the summed loss, `NAME/x_gradient`
and `NAME/LAYER/VARIABLE/gradient` its gradients, `NAME/LAYER/VARIABLE/after` what the forward
pass has stored elsewhere than before.
"""

import pathlib
import zipfile

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

GOLDEN = pathlib.Path(__file__).parent / "golden"
L = tf.keras.layers
A = tfa.layers


def normalizations():
    """Every setting of the two normalisations on one input."""
    inputs = L.Input((3, 4, 8), name="maps")
    layers = [
        A.InstanceNormalization(name="instance"),
        A.InstanceNormalization(axis=1, epsilon=1e-5, name="instance_first"),
        A.InstanceNormalization(center=False, name="instance_scale"),
        A.InstanceNormalization(scale=False, name="instance_center"),
        A.GroupNormalization(groups=2, name="group"),
        A.GroupNormalization(groups=-1, epsilon=0.1, name="group_each"),
        A.GroupNormalization(groups=1, center=False, scale=False, name="group_all"),
        A.GroupNormalization(
            groups=2,
            axis=2,
            gamma_initializer=tf.keras.initializers.Constant(2.0),
            beta_regularizer=tf.keras.regularizers.L2(0.01),
            gamma_constraint="non_neg",
            name="group_second",
        ),
        A.GroupNormalization(groups=4, axis=-1, name="group_of_two"),
    ]
    return tf.keras.Model(inputs, [layer(inputs) for layer in layers], name="normalizations")


def spectral():
    """Spectral normalisation of three kinds of layers."""
    inputs = L.Input((6, 5, 2), name="maps")
    layers = [
        A.SpectralNormalization(L.Conv2D(3, 3, activation="relu"), name="convolution"),
        A.SpectralNormalization(
            L.Conv2DTranspose(3, 4, strides=2, padding="same"),
            power_iterations=3,
            name="transposed",
        ),
        A.SpectralNormalization(L.Dense(4, use_bias=False), name="dense"),
    ]
    return tf.keras.Model(inputs, [layer(inputs) for layer in layers], name="spectral")


def weight():
    """Weight normalisation of three kinds of layers, with both kinds of beginning."""
    inputs = L.Input((6, 5, 2), name="maps")
    layers = [
        A.WeightNormalization(L.Conv2D(3, 3, activation="relu"), name="convolution"),
        A.WeightNormalization(
            L.Conv2DTranspose(3, 4, strides=2, padding="same"), data_init=False, name="transposed"
        ),
        A.WeightNormalization(L.Dense(4, use_bias=False), data_init=False, name="dense"),
    ]
    return tf.keras.Model(inputs, [layer(inputs) for layer in layers], name="weight")


def generator():
    """A small generator of CycleGAN that fuses two channels."""
    inputs = L.Input((None, None, 2), name="images")

    def block(x, layer):
        return L.ReLU()(A.InstanceNormalization()(layer(x)))

    x = block(L.ZeroPadding2D(1)(inputs), L.Conv2D(3, 3, use_bias=False))
    x = block(x, L.Conv2D(4, 3, strides=2, padding="same"))
    y = block(x, L.Conv2D(4, 3, padding="same"))
    y = A.InstanceNormalization()(L.Conv2D(4, 3, padding="same")(y))
    x = L.Add()([x, y])
    x = block(L.UpSampling2D(2)(x), L.Conv2D(3, 3, padding="same"))
    x = L.Concatenate()([x, inputs])
    x = L.Conv2D(1, 3, padding="same", activation="tanh")(x)
    return tf.keras.Model(inputs, x * 0.5 + 0.5, name="generator")


def discriminator():
    """A small PatchGAN with spectral normalisation."""
    inputs = L.Input((None, None, 1), name="images")
    x = inputs
    for width in (3, 4):
        x = A.SpectralNormalization(L.Conv2D(width, 4, strides=2, padding="same"))(x)
        x = L.Dropout(0.3)(L.LeakyReLU(alpha=0.2)(x))
    x = A.SpectralNormalization(L.Conv2D(1, 4))(L.ZeroPadding2D()(x))
    return tf.keras.Model(inputs, x, name="discriminator")


def combined():
    """A generator under a frozen discriminator, as GANs of Keras 2 were often trained."""
    inputs = L.Input((None, None, 1), name="images")
    x = A.WeightNormalization(L.Conv2D(2, 3, padding="same"), data_init=False)(inputs)
    x = A.InstanceNormalization()(x)
    front = tf.keras.Model(inputs, L.Conv2D(1, 1)(x), name="front")
    judge = discriminator()
    train(judge, noise(2, 16, 16, 1))
    judge.trainable = False
    outer = L.Input((None, None, 1), name="outer")
    return tf.keras.Model(outer, judge(front(outer)), name="combined")


def sequential():
    """A chain with weight normalisation."""
    return tf.keras.Sequential(
        [
            A.WeightNormalization(L.Conv2D(3, 3, strides=2), input_shape=(9, 9, 1)),
            L.LeakyReLU(0.1),
            L.BatchNormalization(),
            A.WeightNormalization(L.Conv2D(2, 3), data_init=False),
            L.Activation("elu"),
            L.Flatten(),
            A.WeightNormalization(L.Dense(3)),
        ],
        name="sequential",
    )


def ordinary():
    """No add-ons: layers whose settings Keras 3 reads otherwise, models in it, plain functions."""
    inside = L.Input((8, 8, 2), name="inside")
    x = L.Conv2D(3, 3, padding="same", kernel_regularizer="l2")(inside)
    x = L.ReLU(negative_slope=0.1)(L.LayerNormalization(axis=[1, 2, 3])(x))
    twice = tf.keras.Model(inside, x, name="twice")
    chain = tf.keras.Sequential(
        [L.Conv2D(2, 1), L.BatchNormalization(), L.PReLU(shared_axes=[1, 2])], name="chain"
    )
    inputs = L.Input((8, 8, 2), name="images")
    x = L.Subtract()([twice(chain(inputs)), twice(inputs)])
    y = L.SpectralNormalization(L.Conv2D(3, 3, padding="same"))(inputs)
    y = L.SeparableConv2D(3, 3, padding="same")(y)
    y = L.DepthwiseConv2D(3, padding="same")(y)
    y = L.Conv2DTranspose(3, 4, strides=2, padding="same", use_bias=False)(y)
    y = L.GaussianNoise(0.1)(L.AveragePooling2D()(L.UpSampling2D(2, interpolation="bilinear")(y)))
    y = L.MaxPooling2D()(L.Cropping2D(0)(y))
    x = tf.concat([x, 1.0 - y, y / 2.0], axis=-1)
    x = L.Conv2D(2, 1, activation=L.LeakyReLU(alpha=0.2))(x)
    x = L.ELU()(tf.nn.relu(x) + L.Multiply()([x, x]))
    x = L.Rescaling(2.0, -1.0)(L.Activation(tf.nn.leaky_relu)(x))
    x = L.BatchNormalization()(L.GlobalAveragePooling2D()(x))
    return tf.keras.Model(inputs, L.Softmax()(L.Reshape((3,))(L.Dense(3)(x))), name="ordinary")


def noise(*shape):
    """Normal numbers that follow one another."""
    return RANDOM.normal(size=shape).astype("float32")


def train(model, x, steps=3):
    """A few steps of Adam towards noise."""
    optimizer = tf.keras.optimizers.Adam(0.05)
    targets = [noise(*y.shape) for y in tf.nest.flatten(model(x, training=True))]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(x, training=True))
            loss = sum(
                tf.reduce_mean((y - target) ** 2)
                for y, target in zip(outputs, targets, strict=True)
            )
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def step(model, x):
    """Values of one training pass, and of its gradients; the model is left as it was."""
    before = model.get_weights()
    factors = [noise(*y.shape) for y in model(x)]
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = model(x, training=True)
        loss = sum(tf.reduce_sum(y * w) for y, w in zip(outputs, factors, strict=True))
    variables = model.trainable_variables
    x_gradient, *gradients = tape.gradient(loss, [x, *variables])
    values = {f"weights{i}": factor for i, factor in enumerate(factors)}
    values["x_gradient"] = x_gradient.numpy()
    for variable, gradient in zip(variables, gradients, strict=True):
        values[f"{variable.name.removesuffix(':0')}/gradient"] = gradient.numpy()
    for variable, value in zip(model.weights, before, strict=True):
        if not np.array_equal(variable.numpy(), value):
            values[f"{variable.name.removesuffix(':0')}/after"] = variable.numpy()
    model.set_weights(before)
    return values


def beginning():
    """What `data_init` makes of a new layer in its first call."""
    layer = A.WeightNormalization(L.Conv2D(3, 3, activation="relu"), name="new")
    x = noise(2, 6, 5, 2)
    layer.build(x.shape)
    kernel = layer.v.numpy()
    y = layer(x).numpy()
    return {
        "x": x,
        "kernel": kernel,
        "y0": y,
        "g": layer.g.numpy(),
        "bias": layer.layer.bias.numpy(),
    }


def deflate(path):
    """Packs an archive tighter than Keras does; what is in it stays."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def main():
    """Writes the files and the values."""
    GOLDEN.mkdir(exist_ok=True)
    values = {f"beginning/{key}": value for key, value in beginning().items()}
    for make, shape, of_single_layers in (
        (normalizations, (2, 3, 4, 8), True),
        (spectral, (2, 6, 5, 2), True),
        (weight, (2, 6, 5, 2), True),
        (generator, (2, 12, 16, 2), False),
        (discriminator, (2, 16, 16, 1), False),
        (combined, (2, 16, 16, 1), False),
        (sequential, (4, 9, 9, 1), False),
        (ordinary, (3, 8, 8, 2), False),
    ):
        name, model, x = make.__name__, make(), noise(*shape)
        train(model, x)
        values[f"{name}/x"] = x = noise(*shape)
        for i, y in enumerate(tf.nest.flatten(model(x, training=False))):
            values[f"{name}/y{i}"] = y.numpy()
        if make is not ordinary:  # of which one file says enough
            model.save(GOLDEN / f"{name}.h5")
        model.save(GOLDEN / f"{name}.keras")
        deflate(GOLDEN / f"{name}.keras")
        if of_single_layers:
            values |= {f"{name}/{key}": value for key, value in step(model, x).items()}
    np.savez_compressed(GOLDEN / "values.npz", **values)


if __name__ == "__main__":
    tf.keras.utils.set_random_seed(0)
    RANDOM = np.random.default_rng(0)
    main()
