import errno
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from medgan import export as exporting
from medgan.errors import ExportError, MedganError, RecipeError
from medgan.export import centred, check_tflite, export, export_saved_model, export_tflite
from medgan.networks import dense_fusion_generator

BUILT_IN = {
    "ADD",
    "CONCATENATION",
    "CONV_2D",
    "LEAKY_RELU",
    "MAXIMUM",
    "MINIMUM",
    "MIRROR_PAD",
    "MUL",
    "LOGISTIC",
    "REDUCE_MAX",
    "RELU",
    "RELU_0_TO_1",
    "STRIDED_SLICE",
    "SUB",
    "TANH",
}


@keras.saving.register_keras_serializable(package="test_export")
class Unsteady(keras.layers.Layer):
    """Adds another constant at every call; a graph keeps the one of its tracing."""

    def call(self, inputs):
        return inputs + np.random.default_rng().uniform(0.1, 1.0)


class Digamma(keras.layers.Layer):
    def call(self, inputs):
        return tf.math.digamma(inputs)


def of_layer(layer, shape=(None, None, 2)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(3, 48, 40, 2)).astype("float32")


def trained(head):
    """A network whose every weight matters, as after training."""
    network = dense_fusion_generator(width=2, head=head, seed=0)
    draws = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(weight + draws.normal(0, 0.2, weight.shape))
    return network


def old_export(path, kind):
    """Something that passes for an earlier export."""
    if kind == "saved_model":
        path.mkdir()
    (path if kind == "tflite" else path / "saved_model.pb").write_bytes(b"old")
    return path.stat().st_ino


@pytest.fixture(scope="module")
def network():
    return trained("maximum_residual")


@pytest.mark.parametrize("head", ["maximum_residual", "blend", "tanh"])
def test_tflite_agrees_with_keras_in_built_in_operations(head, images, tmp_path):
    network = trained(head)
    path = tmp_path / "student.tflite"
    check = export(network, path, "tflite", images)
    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    expected = network(images[1:2], training=False)
    received = interpreter.get_signature_runner()(images=images[1:2])["image"]
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert {op["op_name"] for op in interpreter._get_ops_details()} <= BUILT_IN
    assert check.passed and check.largest_error < 1e-5
    assert 0 <= check.mean_error <= check.largest_error
    assert (check.samples, check.bound) == (3, 1e-3)
    assert check.bytes == path.stat().st_size and check.milliseconds > 0


def test_tflite_is_the_network_at_inference(images, tmp_path):
    # The head clips at inference only: a bright image tells the two modes apart.
    network = dense_fusion_generator(width=2, seed=0)
    network.get_layer("before_head").bias.assign([2.0])
    path = tmp_path / "student.tflite"
    export_tflite(network, path, (48, 40))
    received = Interpreter(model_path=str(path)).get_signature_runner()(images=images[:1])
    assert np.asarray(network(images[:1], training=True)).max() > 1.5
    np.testing.assert_array_equal(received["image"], 1.0)


def test_saved_model_serves_any_batch_and_size_without_keras(network, images, tmp_path):
    check = export(network, tmp_path / "student", "saved_model", images)
    serve = tf.saved_model.load(tmp_path / "student").signatures["serving_default"]
    other = np.random.default_rng(1).uniform(size=(2, 21, 64, 2)).astype("float32")
    expected = network(other, training=False)
    np.testing.assert_allclose(serve(images=tf.constant(other))["image"], expected, atol=1e-6)
    assert check.passed
    files = [file for file in (tmp_path / "student").rglob("*") if file.is_file()]
    assert check.bytes == sum(file.stat().st_size for file in files)


def test_saved_model_is_compared_on_samples_of_different_sizes(network, images, tmp_path):
    samples = [images[0], images[1, :20], images[2, :, :16]]
    assert export(network, tmp_path / "student", "saved_model", samples).samples == 3


def test_error_is_the_largest_and_the_mean_difference(images, tmp_path):
    path = tmp_path / "student.tflite"
    export_tflite(of_layer(keras.layers.Rescaling(2.0)), path, (48, 40))
    other = of_layer(keras.layers.Rescaling(2.0, offset=0.25))
    check = check_tflite(path, other, images)
    assert not check.passed
    np.testing.assert_allclose([check.largest_error, check.mean_error], 0.25, rtol=1e-6)


def test_nan_is_an_infinite_error(images, tmp_path):
    path = tmp_path / "student.tflite"
    export_tflite(of_layer(keras.layers.Rescaling(1.0)), path, (48, 40))
    broken = images.copy()
    broken[2, 5, 5, 0] = math.nan
    assert check_tflite(path, of_layer(keras.layers.Rescaling(1.0)), broken).largest_error == (
        math.inf
    )


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_beyond_the_bound_nothing_is_left(kind, images, tmp_path):
    with pytest.raises(ExportError, match=r"expected at most 0\.001; there is none in place"):
        export(of_layer(Unsteady()), tmp_path / "new" / "student", kind, images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_old_export_survives_a_failed_one_and_yields_to_a_good_one(kind, network, images, tmp_path):
    path = tmp_path / "student"
    before = old_export(path, kind)
    with pytest.raises(ExportError, match="the old one is kept"):
        export(of_layer(Unsteady()), path, kind, images, overwrite=True)
    assert path.stat().st_ino == before
    export(network, path, kind, images, overwrite=True)
    assert path.stat().st_ino != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["student"]


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_existing_export_is_kept_without_overwrite(kind, network, images, tmp_path):
    path = tmp_path / "student"
    old_export(path, kind)
    with pytest.raises(RecipeError, match="exists; it is kept"):
        export(network, path, kind, images)


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_overwrite_replaces_exports_only(kind, network, images, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(RecipeError, match="exists and is not"):
        export(network, tmp_path / "mine", kind, images, overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").exists()


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_full_disk_leaves_the_old_export(kind, network, images, tmp_path, monkeypatch):
    path = tmp_path / "student"
    before = old_export(path, kind)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(exporting.os, "fsync", full)
    with pytest.raises(MedganError, match="No space left") as caught:
        export(network, path, kind, images, overwrite=True)
    assert caught.value.exit_code == 1
    assert path.stat().st_ino == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["student"]


def test_folder_that_cannot_be_made_is_said(network, images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MedganError, match="Cannot write"):
        export(network, tmp_path / "file" / "student.tflite", "tflite", images)


def test_operation_that_tflite_lacks_is_named(images, tmp_path):
    with pytest.raises(ExportError, match="no built-in operation for Digamma"):
        export(of_layer(Digamma()), tmp_path / "student.tflite", "tflite", images)
    assert list(tmp_path.iterdir()) == []


def test_mixed_precision_is_no_float32_file(images, tmp_path):
    layer = keras.layers.Conv2D(1, 3, dtype="mixed_float16")
    with pytest.raises(ExportError, match="computes in float16, expected float32"):
        export(of_layer(layer), tmp_path / "student.tflite", "tflite", images)


def test_size_that_the_network_cannot_take_is_said(network, images, tmp_path):
    with pytest.raises(RecipeError, match="cannot take images of 1x1 pixels"):
        export(network, tmp_path / "student.tflite", "tflite", images, image_size=(1, 1))


def test_sample_of_another_size_is_refused(network, images, tmp_path):
    with pytest.raises(ValueError, match=r"expected \(16, 16, 2\)"):
        export(network, tmp_path / "student.tflite", "tflite", images, image_size=(16, 16))
    assert list(tmp_path.iterdir()) == []


def test_network_of_two_inputs_is_refused(images, tmp_path):
    inputs = [keras.Input((None, None, 1)), keras.Input((None, None, 1))]
    model = keras.Model(inputs, keras.layers.Add()(inputs))
    with pytest.raises(MedganError, match="expected one input"):
        export_saved_model(model, tmp_path / "student")


@pytest.mark.parametrize("size", [(3, 4), (7, 10), (5, 6), (5, 20), (1, 6)])
def test_centred_has_the_size_and_shares_the_middle(size):
    image = np.arange(30.0).reshape(5, 6, 1)
    received = centred(image, size)
    assert received.shape == (*size, 1)
    assert received[size[0] // 2, size[1] // 2] == image[2, 3]
