"""Shapes and smooth random functions from which the phantoms are drawn."""

import cv2
import numpy as np

# Lengths are in millimetres; the field of view is as wide as that of the atlas.
FIELD_OF_VIEW = 256.0
# Polygons are drawn to a sixteenth of a pixel.
_SHIFT = 4
ANGLES = np.linspace(-np.pi, np.pi, 360, endpoint=False)
SULCI = 26  # around each hemisphere
_HEMISPHERE_CENTRE = (30.0, 6.0)


class Grid:
    """Coordinates that all slices of one rendering share.

    Args:
        size: height and width of the drawing in pixels.
    """

    def __init__(self, size):
        """Computes what depends on the size alone."""
        self.size = size
        self.scale = size / FIELD_OF_VIEW
        axis = ((np.arange(size) + 0.5) / self.scale - FIELD_OF_VIEW / 2).astype("float32")
        self.x, self.y = np.meshgrid(axis, axis)

    def around(self, shrinking):
        """Returns for each pixel how far around its hemisphere it lies, 0 to 1.

        The left hemisphere has 0 to 1, the right one 1 to 2. `shrinking` is the size of
        the brain in this slice relative to the largest.
        """
        x = np.abs(self.x) - np.float32(_HEMISPHERE_CENTRE[0] * shrinking)
        y = (self.y - np.float32(_HEMISPHERE_CENTRE[1] * shrinking)) * np.float32(0.7)
        return cv2.phase(x, y) / np.float32(2 * np.pi) + (self.x > 0)

    def columns(self, x):
        """Returns the columns, counted from 0, of places in millimetres; likewise rows."""
        return (x + np.float32(FIELD_OF_VIEW / 2)) * np.float32(self.scale) - np.float32(0.5)

    def polygon(self, canvas, points, value):
        """Fills a polygon of shape `(n, 2)` in millimetres from the centre."""
        pixels = (points + FIELD_OF_VIEW / 2) * self.scale - 0.5
        cv2.fillPoly(canvas, [np.int32(np.round(pixels * 2**_SHIFT))], int(value), shift=_SHIFT)

    def ribbon(self, canvas, points, radii, value):
        """Fills a band along the parabola through three points, tapered at both ends.

        Half its width follows `radii`, spread evenly along it. Below a third of a
        millimetre nothing is drawn: what gets smaller from slice to slice must vanish.
        """
        if max(radii) < 0.3:
            return
        start, middle, end = np.float64(points)
        place = (1 - np.cos(np.linspace(0, np.pi, 25)[:, None])) / 2
        bend = 2 * middle - (start + end) / 2
        curve = (1 - place) ** 2 * start + 2 * place * (1 - place) * bend + place**2 * end
        width = np.interp(place[:, 0], np.linspace(0, 1, len(radii)), radii)
        width *= np.sqrt(1 - (2 * place[:, 0] - 1) ** 8)
        tangent = np.gradient(curve, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        normal = tangent[:, ::-1] * (-1, 1) * width[:, None]
        self.polygon(canvas, np.concatenate([curve + normal, (curve - normal)[::-1]]), value)

    def blob(self, canvas, centre, radii, angle, value, wobble=0.0):
        """Fills an ellipse whose outline is bent by `wobble`, relative and a function of angle."""
        if min(radii) <= 0:
            return
        stretch = 1 + wobble
        x = radii[0] * np.cos(ANGLES) * stretch
        y = radii[1] * np.sin(ANGLES) * stretch
        cosine, sine = np.cos(angle), np.sin(angle)
        points = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)
        self.polygon(canvas, points + centre, value)


def spread(pattern, around, depth):
    """Spreads a pattern `(rows, 2 * SULCI)` around both hemispheres, rows going inwards."""
    # Two columns more at each end let the cubic interpolation run around the circle.
    wrapped = [
        np.concatenate([half[:, -2:], half, half[:, :2]], axis=1)
        for half in (pattern[:, :SULCI], pattern[:, SULCI:])
    ]
    return cv2.remap(
        np.concatenate(wrapped, axis=1),
        around * np.float32(SULCI) + np.where(around < 1, np.float32(2), np.float32(6)),
        depth / np.float32(6),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def bump(level, low, high, ramp=0.08):
    """1 between the levels `low` and `high`, falling to 0 within `ramp` outside them."""
    return float(np.clip(min(level - low, high - level) / ramp + 1, 0, 1))


class Harmonics:
    """A smooth random function of the angle that drifts along the slices.

    Args:
        generator: a NumPy generator.
        orders: lowest and highest number of waves around the circle.
        amplitude: spread of the first order; the others fall with their number.
    """

    def __init__(self, generator, orders, amplitude):
        """Draws the coefficients at the lowest and at the highest slice."""
        self.orders = np.arange(orders[0], orders[1] + 1)[:, None]
        falling = amplitude / self.orders
        self.ends = generator.normal(size=(2, 2, len(self.orders), 1)) * falling

    def __call__(self, level):
        """Returns the values at `ANGLES` for a slice at `level`, 0 to 1."""
        weights = (1 - level) * self.ends[0] + level * self.ends[1]
        waves = weights[0] * np.cos(self.orders * ANGLES)
        return (waves + weights[1] * np.sin(self.orders * ANGLES)).sum(axis=0)


class Stack:
    """Random patterns that change smoothly along the slices.

    Args:
        generator: a NumPy generator.
        rows: height of a pattern.
        columns: width of a pattern.
        nodes: independent patterns between the lowest and the highest slice.
    """

    def __init__(self, generator, rows, columns, nodes=5):
        """Draws the patterns."""
        self.values = generator.normal(size=(nodes, rows, columns)).astype("float32")

    def __call__(self, level):
        """Returns float32 `(rows, columns)` for a slice at `level`, 0 to 1."""
        position = level * (len(self.values) - 1)
        below = min(int(position), len(self.values) - 2)
        part = position - below
        mixed = (1 - part) * self.values[below] + part * self.values[below + 1]
        # Means of independent values are flatter than the values: restore their spread.
        return mixed / np.float32(np.hypot(part, 1 - part))
