"""Figures as PNG files: fused images side by side, and losses over the steps."""

import contextlib
import os
import pathlib

import numpy as np

from medgan.errors import MedganError


def _save(figure, path):
    """Writes the figure whole or not at all."""
    _write(path, lambda to: figure.savefig(to, dpi=110, bbox_inches="tight", facecolor="white"))


def _write(path, write):
    """Lets a function write a PNG file, whole or not at all."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.part.png")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise MedganError(
            f"Cannot write {path}: {error.strerror or error}. Free space or choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def comparison_figure(columns, path, rows=None):
    """Draws images side by side, one column per method, one row per pair (the paper's Figure 4).

    Grey levels are shown as they are: 0 is black, 1 is white, nothing is stretched.

    Args:
        columns: title to images `(rows, height, width, 1)` in [0, 1]; the sizes of the rows may
            differ if a list is given.
        path: PNG file to write.
        rows: names of the rows, or None.

    Raises:
        MedganError: if the file cannot be written; `path` is as it was.
    """
    from matplotlib.figure import Figure

    count = len(next(iter(columns.values())))
    figure = Figure(figsize=(1.9 * len(columns), 2.0 * count))
    axes = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, images) in enumerate(columns.items()):
        for row in range(count):
            axis = axes[row, column]
            grey = np.asarray(images[row], dtype="float32")[..., 0]
            axis.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            for spine in axis.spines.values():
                spine.set_visible(False)
            if row == 0:
                axis.set_title(title, fontsize=9)
            if rows is not None and column == 0:
                axis.set_ylabel(rows[row], fontsize=8)
    figure.subplots_adjust(wspace=0.03, hspace=0.03)
    _save(figure, path)


def sample_figure(images, path, columns=4):
    """Draws images edge to edge, row after row, one pixel of theirs to one of the picture's.

    Args:
        images: `(images, height, width, 1)` in [0, 1]; clipped.
        path: PNG file to write.
        columns: images in a row; the last row is filled up with black.

    Raises:
        MedganError: if the file cannot be written; `path` is as it was.
    """
    import cv2

    images = np.clip(np.asarray(images, "float32")[..., 0], 0, 1)
    rows = -(-len(images) // columns)
    tiles = np.zeros((rows * columns, *images.shape[1:]), "uint8")
    tiles[: len(images)] = np.round(255 * images)
    grid = tiles.reshape(rows, columns, *images.shape[1:]).swapaxes(1, 2)
    picture = grid.reshape(rows * images.shape[1], columns * images.shape[2])
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    _write(path, lambda to: to.write_bytes(encoded))


def sheet_figure(images, path, columns=7):
    """Draws images of one pair as a sheet, row after row (the paper's Figure 4 for many methods).

    Grey levels are shown as they are: 0 is black, 1 is white, nothing is stretched.

    Args:
        images: title to image `(height, width, 1)` in [0, 1].
        path: PNG file to write.
        columns: images side by side.

    Raises:
        MedganError: if the file cannot be written; `path` is as it was.
    """
    from matplotlib.figure import Figure

    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.9 * columns, 2.3 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (title, image) in zip(axes, images.items(), strict=False):
        grey = np.asarray(image, dtype="float32")[..., 0]
        axis.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=8)
    figure.subplots_adjust(wspace=0.03, hspace=0.32)
    _save(figure, path)


def loss_figure(stages, path, equilibria=None):
    """Draws the losses of generator and discriminator, one panel per stage (the paper's Figure 5).

    A discriminator that cannot tell real from generated images has the loss of equilibrium; far
    below it the discriminator has learned the training images by heart.

    Args:
        stages: title to records `{"step": ..., "loss": ..., "discriminator": ...}`.
        path: PNG file to write.
        equilibria: title to the discriminator's loss at equilibrium, drawn as a line; a stage
            without one has none.

    Raises:
        MedganError: if the file cannot be written; `path` is as it was.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(stages), 3.6))
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for panel, (title, records) in zip(panels, stages.items(), strict=True):
        steps = [record["step"] for record in records]
        for key, label, colour in (
            ("loss", "generator (weighted sum)", "tab:blue"),
            ("discriminator", "discriminator", "tab:orange"),
        ):
            panel.plot(steps, [record.get(key) for record in records], label=label, color=colour)
        equilibrium = (equilibria or {}).get(title)
        if equilibrium is not None:
            label = f"equilibrium, {equilibrium:.3f}"
            panel.axhline(equilibrium, color="grey", linestyle=":", label=label)
        panel.set(title=title, xlabel="step", ylabel="loss")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.tight_layout()
    _save(figure, path)
