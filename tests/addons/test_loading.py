import json
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from medgan.addons import load_model
from medgan.errors import RecipeError
from medgan.evaluation.loading import load_network
from medgan.export import export
from medgan.losses import StructuralFusionLoss
from medgan.models import DistillingGAN
from medgan.networks import dense_fusion_generator, modality_discriminator
from medgan.tools.export import main


def rewritten(source, target, edit):
    """A copy of a `.keras` file whose configuration an edit has changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                edit(config["config"]["layers"])
                content = json.dumps(config)
            new.writestr(name, content)
    return target


def layer_named(layers, name):
    return next(layer for layer in layers if layer["config"]["name"] == name)


def only_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_names_and_structure_are_those_of_the_file(golden, suffix):
    model = load_model(golden / f"combined.{suffix}")
    assert model.name == "combined"
    assert [layer.name for layer in model.layers] == ["outer", "front", "discriminator"]
    assert model.get_layer("front").trainable_weights
    assert not model.get_layer("discriminator").trainable_weights


def test_both_forms_hold_the_same_weights(golden):
    for name in ("combined", "generator", "sequential"):
        first, second = (load_model(golden / f"{name}.{suffix}") for suffix in ("keras", "h5"))
        assert [w.path for w in first.weights] == [w.path for w in second.weights]
        for one, other in zip(first.weights, second.weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_name_of_the_file_does_not_matter(golden, tmp_path):
    shutil.copy(golden / "weight.h5", tmp_path / "weight.hdf5")
    assert load_model(tmp_path / "weight.hdf5").name == "weight"


def test_loaded_model_is_saved_by_keras_3_and_comes_back(golden, values, tmp_path):
    for name in ("generator", "discriminator", "sequential", "ordinary"):
        load_model(golden / f"{name}.keras").save(tmp_path / "again.keras")
        again, expected = load_model(tmp_path / "again.keras"), values(name)
        np.testing.assert_allclose(again(expected["x"]), expected["y0"], atol=1e-5, rtol=1e-5)


def test_fine_tuning_lowers_the_loss_and_moves_every_weight(golden, eager_steps):
    keras.utils.set_random_seed(1)
    model = load_model(golden / "generator.h5")
    x = np.random.default_rng(0).uniform(size=(4, 12, 12, 2)).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    before = [weight.numpy() for weight in model.trainable_weights]
    first = model.evaluate(x, x.max(axis=-1, keepdims=True), verbose=0)
    model.fit(x, x.max(axis=-1, keepdims=True), epochs=10, verbose=0)
    assert model.evaluate(x, x.max(axis=-1, keepdims=True), verbose=0) < 0.8 * first
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_loaded_model_teaches_and_stays_as_it_is(golden, eager_steps):
    teacher, judge = load_model(golden / "generator.h5"), modality_discriminator(width=2)
    before = [weight.numpy() for weight in teacher.weights]
    model = DistillingGAN(
        teacher,
        dense_fusion_generator(width=2, dense_layers=1),
        judge,
        content_loss=StructuralFusionLoss(),
    )
    model.compile("adam", "adam")
    x = np.random.default_rng(0).uniform(size=(2, 24, 24, 2)).astype("float32")
    old_student = [weight.numpy() for weight in model.student.trainable_weights]
    logs = model.train_on_batch(x, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    for weight, old in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert any(
        (weight.numpy() != old).any()
        for weight, old in zip(model.student.trainable_weights, old_student, strict=True)
    )


def test_loaded_model_passes_the_check_of_its_tflite_file(golden, values, tmp_path):
    samples = values("generator")["x"]
    check = export(load_model(golden / "generator.h5"), tmp_path / "old.tflite", "tflite", samples)
    assert check.passed
    assert check.largest_error < 1e-4


def test_command_exports_an_h5_file(golden, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(golden / "generator.h5", "old.h5")
    result = CliRunner().invoke(main, ["old.h5", "--tflite", "--size", "64x64", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["exports"]["tflite"]["largest_error"] < 1e-4
    assert (tmp_path / "old.tflite").is_file()


def test_evaluation_reads_such_files(golden):
    assert load_network(golden / "generator.h5", "--net", "a generator").name == "generator"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"There is no file .*gone\.h5, expected a whole"):
        load_model(tmp_path / "gone.h5")


def test_foreign_file_is_one_line(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("no model")
    with pytest.raises(RecipeError, match="neither a Keras archive nor HDF5, expected a whole"):
        load_model(path)


def test_other_archive_is_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "words")
    with pytest.raises(RecipeError, match=r"other\.keras: the archive holds no config\.json"):
        load_model(tmp_path / "other.keras")


def test_weights_alone_are_refused(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_group("conv2d")
    with pytest.raises(RecipeError, match="holds weights without a model"):
        load_model(tmp_path / "weights.h5")


def test_damaged_archive_is_one_line(golden, tmp_path):
    content = bytearray((golden / "weight.keras").read_bytes())
    content[200:600] = bytes(400)
    (tmp_path / "damaged.keras").write_bytes(content)
    with pytest.raises(RecipeError, match="Cannot load") as error:
        load_model(tmp_path / "damaged.keras")
    only_line(error)


def test_unknown_layer_of_the_add_ons_is_named_with_what_there_is(golden, tmp_path):
    def edit(layers):
        layer_named(layers, "group")["registered_name"] = "Addons>FilterResponseNormalization"

    path = rewritten(golden / "normalizations.keras", tmp_path / "unknown.keras", edit)
    with pytest.raises(RecipeError, match="unknown kind Addons>FilterResponse") as error:
        load_model(path)
    line = only_line(error)
    assert "'group'" in line
    assert "GroupNormalization, InstanceNormalization, SpectralNormalization, Weight" in line


def test_unknown_layer_can_be_given(golden, values, tmp_path):
    def edit(layers):
        spec = next(spec for spec in layers if spec["class_name"] == "ZeroPadding2D")
        spec.update(class_name="Padding", registered_name="Old>Padding")

    path, expected = golden / "generator.keras", values("generator")
    path = rewritten(path, tmp_path / "own.keras", edit)
    with pytest.raises(RecipeError, match="unknown kind Old>Padding"):
        load_model(path)
    model = load_model(path, custom_objects={"Old>Padding": keras.layers.ZeroPadding2D})
    np.testing.assert_allclose(model(expected["x"]), expected["y0"], atol=1e-5)


def never_called(golden, target, name):
    """A copy of `weight.h5` in which a layer has not been called yet."""
    shutil.copy(golden / "weight.h5", target)
    with h5py.File(target, "r+") as file:
        group = file["model_weights"][name]
        key = next(key for key in group.attrs["weight_names"] if "initialized" in key)
        assert group[key][()]
        group[key][()] = False
    return target


def test_weight_normalization_that_was_never_called_begins_with_its_kernel(golden, tmp_path):
    model = load_model(never_called(golden, tmp_path / "new.h5", "transposed"))
    kernel = load_model(golden / "weight.h5").get_layer("transposed").layer.kernel.numpy()
    expected = np.sqrt((kernel**2).sum((0, 1, 2)))
    np.testing.assert_allclose(model.get_layer("transposed").g, expected, rtol=1e-6)


def test_weight_normalization_without_its_first_batch_is_refused(golden, tmp_path):
    with pytest.raises(RecipeError, match="'convolution' begins with its first batch"):
        load_model(never_called(golden, tmp_path / "new.h5", "convolution"))


def test_python_code_in_a_file_is_not_run(golden, tmp_path):
    def edit(layers):
        spec = next(spec for spec in layers if spec["class_name"] == "ReLU")
        spec.update(class_name="Lambda", registered_name=None)

    path = rewritten(golden / "generator.keras", tmp_path / "code.keras", edit)
    with pytest.raises(RecipeError, match="is a Lambda, Python code inside the file") as error:
        load_model(path)
    only_line(error)


def test_function_without_a_counterpart_is_named(golden, tmp_path):
    def edit(layers):
        spec = next(spec for spec in layers if spec["class_name"] == "TFOpLambda")
        spec["config"]["function"] = "linalg.svd"

    path = rewritten(golden / "generator.keras", tmp_path / "function.keras", edit)
    with pytest.raises(RecipeError, match=r"is the function tf\.linalg\.svd, expected"):
        load_model(path)


def test_weights_that_do_not_fit_are_told_with_their_shapes(golden, tmp_path):
    def edit(layers):
        next(s for s in layers if s["class_name"] == "Dense")["config"]["units"] = 4

    path = rewritten(
        golden / "sequential.keras",
        tmp_path / "other.keras",
        lambda layers: edit(
            [spec["config"]["layer"] for spec in layers if "layer" in spec["config"]]
        ),
    )
    with pytest.raises(RecipeError, match=r"do not fit: received shapes .*expected") as error:
        load_model(path)
    only_line(error)


def test_setting_that_keras_3_lacks_is_told(golden, tmp_path):
    def edit(layers):
        spec = next(spec for spec in layers if spec["class_name"] == "BatchNormalization")
        spec["config"]["virtual_batch_size"] = 4

    path = rewritten(golden / "sequential.keras", tmp_path / "setting.keras", edit)
    with pytest.raises(RecipeError, match=r"Cannot make the layer 'batch.*virtual_batch_size"):
        load_model(path)
