"""`medgan-export`: a trained network as a TFLite file or a SavedModel, checked against Keras."""

import collections.abc
import dataclasses
import json
import pathlib
import re
import zipfile

import click

from medgan.tools.console import native_messages_hidden, one_line_errors, quiet_tensorflow

SAVED = (".keras", ".h5", ".hdf5")
SUFFIXES = {"tflite": ".tflite", "saved_model": "_saved_model"}
PHANTOMS = {"count": 8, "patients": 4}
NOISE = 16


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("network", metavar="NETWORK|FILE")
@click.option("--tflite", is_flag=True, help="A float32 TFLite file for one size of image.")
@click.option("--saved-model", is_flag=True, help="A TensorFlow SavedModel for any size.")
@click.option("--run", "run_path", metavar="DIR", help="The run folder; default the latest run.")
@click.option(
    "--output", metavar="PATH", help="The .tflite file, or a folder to put the exports in."
)
@click.option("--overwrite", is_flag=True, help="Replace exports that are there.")
@click.option("--size", metavar="HxW", help="Size of the TFLite file's image, such as 256x256.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.version_option(package_name="medgan")
def main(network, tflite, saved_model, run_path, output, overwrite, size, as_json, quiet):
    """Export a trained network and prove that the file computes the same.

    NETWORK is the name of a network of the latest run, or of --run: student, teacher,
    student_without_teacher, generator, backward_generator. FILE is the path of a .keras file, or of
    an .h5 file of Keras 2, whose layers may be those of tensorflow-addons; of a whole trainer what
    it is for is taken. Every validation image that the network is for goes through the exported
    file and through Keras; where there is no such data, built-in phantoms do, and noise goes
    through what makes images of noise. Beyond an error of 0.001 no file is put in place.

    The default place is the folder exports/ of the run, or beside FILE.

    Exit codes: 0 done, 1 failed, 2 usage, 5 beyond the bound, 130 interrupted.

    \b
    medgan-export student --tflite
    medgan-export teacher --saved-model --run runs/kgan/20260101-120000
    medgan-export generator --tflite --run runs/pix2pix/latest
    medgan-export my/student.keras --tflite --size 512x512 --output phone/
    """  # noqa: D301 click reads the \\b
    with one_line_errors():
        from medgan.export import refuse_existing

        kinds = [kind for kind, asked in zip(SUFFIXES, (tflite, saved_model), strict=True) if asked]
        image_size = _size(size, kinds)
        run, file, name, folder = _source(network, run_path)
        paths = _paths(kinds, output, folder, name)
        for kind, path in paths.items():
            refuse_existing(path, kind, overwrite)
        say = _silence if quiet else _to_standard_error
        model = _load(file)
        samples, origin = _samples(run, model, name, image_size)
        checks = {
            kind: _export(model, path, kind, samples, image_size, overwrite, say)
            for kind, path in paths.items()
        }
        if as_json:
            about = {"network": name, "run": str(run.path) if run else None, "data": origin}
            click.echo(json.dumps({**about, "exports": checks}))
        else:
            for check in checks.values():
                click.echo(_line(check))


def _silence(words):
    """Says nothing."""


def _to_standard_error(words):
    click.echo(words, err=True)


def _size(text, kinds):
    """`(height, width)` of `--size`, or None; checks that it can mean something."""
    from medgan.errors import RecipeError

    if not kinds:
        raise RecipeError("There is nothing to export. Ask for --tflite, --saved-model or both.")
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if not match:
        raise RecipeError(f"Received --size {text!r}, expected height x width, such as 256x256.")
    if "tflite" not in kinds:
        raise RecipeError("--size is for --tflite; a SavedModel takes any size. Leave it out.")
    return int(match[1]), int(match[2])


def _source(network, run_path):
    """`(run or None, file, name, default folder)` of what the command line names."""
    import h5py

    from medgan.errors import RecipeError
    from medgan.run import RunFolder

    if not network.endswith(SAVED) and not re.search(r"[/\\]", network):
        run = RunFolder.open(run_path)
        return run, run.network(network), network, run.path / "exports"
    file = pathlib.Path(network)
    if not file.is_file():
        raise RecipeError(
            f"There is no file {network}, expected a .keras or .h5 file or the name of a network, "
            "such as student."
        )
    if not zipfile.is_zipfile(file) and not h5py.is_hdf5(file):
        raise RecipeError(
            f"{file} is not a Keras archive, expected a .keras file or an .h5 file of Keras."
        )
    beside = file.parent if (file.parent / "recipe.toml").exists() else None
    run = RunFolder.open(run_path or beside) if run_path or beside else None
    return run, file, file.stem, file.parent


def _paths(kinds, output, default, name):
    """Where each kind of export goes."""
    from medgan.errors import RecipeError

    folder = default
    if output is not None:
        path = pathlib.Path(output)
        one = kinds[0] if len(kinds) == 1 else None
        # A SavedModel is a folder itself: where one is, it is what --output names.
        is_folder = path.is_dir() and not (path / "saved_model.pb").exists()
        if one == "saved_model" and not output.endswith("/") and not is_folder:
            if path.suffix == ".tflite":
                raise RecipeError(
                    f"Received --output {output} for a SavedModel, expected a folder."
                )
            return {one: path}
        if one == "tflite" and path.suffix == ".tflite" and not is_folder:
            return {one: path}
        if path.suffix == ".tflite" or path.is_file():
            raise RecipeError(
                f"Received --output {output} for {' and '.join(kinds)}, expected "
                f"{'the path of a .tflite file or ' if one else ''}a folder."
            )
        folder = path
    return {kind: folder / f"{name}{SUFFIXES[kind]}" for kind in kinds}


def _load(file):
    """The network of a saved file; of a trainer what it is for."""
    quiet_tensorflow()
    with native_messages_hidden():
        # What a file may hold is known to Keras once it is imported.
        from medgan import layers, losses, models, networks  # noqa: F401
        from medgan.addons import load_model

        model = load_model(file)
    if isinstance(model, models.AdversarialModel):
        return next(iter(model.products.values()))
    return model


class _Images(collections.abc.Sequence):
    """Images of pairs as float32, read one at a time, all of one size where one is given.

    Args:
        pairs: `Pairs`.
        channels: slice of their channels.
        size: `(height, width)`, or None.
    """

    def __init__(self, pairs, channels, size=None):
        self.pairs = pairs
        self.channels = channels
        self.size = size

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        from medgan.export import centred

        image = self.pairs.image(range(len(self))[index])[..., self.channels]
        return image if self.size is None else centred(image, self.size)

    @property
    def sizes(self):
        return self.pairs.sizes()

    def of(self, size):
        """The same in one size."""
        return _Images(self.pairs, self.channels, size)


def _samples(run, model, name, size):
    """What to compare on, and where it comes from: "validation", "phantoms" or "noise"."""
    from medgan.errors import MedganError, RecipeError
    from medgan.export import input_shape

    *wanted, channels = input_shape(model)
    if not wanted:
        from medgan.evaluation.sets import latents

        if size is not None:
            raise RecipeError("--size is for networks that take images, no noise. Leave it out.")
        return latents(model, NOISE), "noise"
    if channels > 2:
        raise MedganError(
            f"The network takes images of {channels} channels, expected 2 (CT, MR) or one of them: "
            "there is nothing to compare it on. Call medgan.export.export with samples of your own."
        )
    pairs, source, origin = _pairs(run, [*wanted, *(size or ())])
    if channels == 1 and name.startswith("backward"):
        source = 1 - source
    return _Images(pairs, slice(source, source + 1) if channels == 1 else slice(None)), origin


def _pairs(run, sides):
    """Pairs to compare on, the channel that their run translates, and where they come from."""
    from medgan.data import phantoms
    from medgan.data.phantoms import SMALLEST_IMAGE
    from medgan.errors import MedganError

    reason = "A file alone has no validation pairs"
    if run is not None:
        from medgan.recipe.reading import reread_recipe
        from medgan.recipe_data import RecipeData

        try:
            data = RecipeData(reread_recipe(run.path))
            return data.split.validation, 1 if data.source is None else data.source, "validation"
        except MedganError as error:
            reason = f"The validation pairs of {run.path} are not there ({error})"
    _to_standard_error(" ".join(f"{reason}; compared on built-in phantoms.".split()))
    sides = [side for side in sides if side is not None]
    return phantoms(image_size=max([SMALLEST_IMAGE, *(sides or [256])]), **PHANTOMS), 1, "phantoms"


def _sample_size(kind, model, asked, samples):
    """The one size of all samples, or None where the export takes any; `()` of noise."""
    from medgan.errors import RecipeError
    from medgan.export import input_shape

    fixed = input_shape(model)[:-1]
    if kind == "saved_model" and fixed == (None, None):
        return None
    if not fixed:
        return ()
    begin = asked or samples.sizes[0]
    size = tuple(side or free for side, free in zip(fixed, begin, strict=True))
    if asked and size != asked:
        raise RecipeError(
            f"Received --size {_by(asked)}, expected {_by(size)}: the network takes no other size."
        )
    return size


def _by(size):
    return "x".join(str(side) for side in size)


def _export(model, path, kind, samples, asked, overwrite, say):
    """Exports one kind; returns what JSON shall say of it."""
    from medgan.export import export

    size = _sample_size(kind, model, asked, samples)
    if size:
        other = sum(found != size for found in samples.sizes)
        if other:
            say(f"{other} of {len(samples)} images are cropped or padded to {_by(size)}")
        samples = samples.of(size)
    say(f"exporting {path} and comparing it on {len(samples)} images")
    with native_messages_hidden():
        check = export(model, path, kind, samples, image_size=size, overwrite=overwrite)
    fields = dataclasses.asdict(check)
    if kind == "tflite" and size:
        fields["image_size"] = list(size)
    return {"path": str(path), **fields}


def _line(check):
    """A check in words."""
    size = f" of {_by(check['image_size'])}" if "image_size" in check else ""
    return (
        f"{check['path']}: {check['bytes']:,} bytes, {check['milliseconds']:.1f} ms for an image"
        f"{size}, largest error {check['largest_error']:.1e}, mean {check['mean_error']:.1e} over "
        f"{check['samples']} images (bound {check['bound']:g})"
    )
