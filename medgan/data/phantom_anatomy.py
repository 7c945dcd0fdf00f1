"""The anatomy of the phantoms: which tissue lies where in a slice of an invented head."""

import cv2
import numpy as np

from medgan.data.phantom_drawing import ANGLES, SULCI, Grid, Harmonics, Stack, bump, spread

(
    BACKGROUND,
    SKIN,
    FAT,
    MUSCLE,
    BONE,
    MARROW,
    CSF,
    GREY_MATTER,
    WHITE_MATTER,
    DEEP_GREY_MATTER,
    DURA,
    CALCIFICATION,
    AIR,
    HEAD_REST,
    OEDEMA,
    BLEED,
) = LABELS = range(16)


class Patient:
    """One invented head. Everything about it follows from the generator.

    Args:
        generator: a NumPy generator of this patient alone.
    """

    def __init__(self, generator):
        """Draws all that makes this head differ from others."""
        uniform, normal = generator.uniform, generator.normal
        self.width = uniform(78, 85)
        self.front = uniform(100, 106)
        self.back = uniform(93, 99)
        self.squareness = uniform(2.05, 2.25)
        self.outline = Harmonics(generator, (2, 4), 1.5)
        self.bone_thickness = uniform(6.0, 9.0)
        self.bone_variation = Harmonics(generator, (1, 5), 0.9)
        self.scalp = uniform(3.0, 5.0)
        self.scalp_variation = Harmonics(generator, (1, 4), 0.9)
        self.tilt = normal() * 0.05
        self.shift = normal(size=2) * (2.0, 2.0) + (0, 2)
        self.warp = Stack(generator, 10, 20, nodes=3)
        self.atrophy = uniform(0.0, 1.0) ** 1.5
        self.sulci = Stack(generator, 8, 2 * SULCI, nodes=5)
        self.sulcus_depth = Stack(generator, 8, 2 * SULCI, nodes=4)
        self.fissure_bend = normal(size=3) * 0.7
        self.ventricles = uniform(0.8, 1.15) + 0.45 * self.atrophy
        self.asymmetry = normal() * 0.07
        self.calcified = uniform(size=3) < (0.7, 0.7, 0.6)
        self.jitter = normal(size=(12, 2))
        self.has_sinus = uniform() < 0.8
        self.has_rest = uniform() < 0.85
        self.rest_radius = uniform(128, 142)
        self.rest_height = uniform(-12, 4)
        self._invent_lesions(generator)

    def _invent_lesions(self, generator):
        uniform = generator.uniform
        side = generator.choice((-1, 1))
        self.has_bleed = uniform() < 0.8
        self.subdural = uniform() < 0.3
        self.bleed_side = side
        self.bleed_centre = np.array((side * uniform(22, 40), uniform(-32, 34)))
        self.bleed_level, self.bleed_extent = uniform(0.15, 0.7), uniform(0.18, 0.35)
        self.bleed_radii = uniform(8, 17, size=2)
        self.bleed_angle = uniform(0, np.pi)
        self.bleed_outline = Harmonics(generator, (2, 7), 0.18)
        self.has_oedema = uniform() < 0.85
        # On the other side, so that no structure is both.
        self.oedema_centre = np.array((-side * uniform(24, 40), uniform(-45, 45)))
        self.oedema_level, self.oedema_extent = uniform(0.2, 0.75), uniform(0.25, 0.45)
        self.oedema_radii = uniform(14, 27, size=2)
        self.oedema_angle = uniform(0, np.pi)
        self.oedema_outline = Harmonics(generator, (2, 9), 0.4)

    def tissue(self, level, grid):
        """Draws one slice.

        Args:
            level: 0 for the third ventricle to 1 for the vertex.
            grid: a `Grid`.

        Returns:
            The healthy tissue as labels, and masks of the bleed and of the oedema; each
            `(grid.size, grid.size)` uint8.
        """
        canvas = np.zeros((grid.size, grid.size), "uint8")
        inner = self._draw_shells(canvas, level, grid)
        brain = self._draw_brain(canvas, level, grid, inner)
        self._draw_deep_structures(canvas, level, grid)
        self._draw_midline(canvas, level, grid, inner)
        # The lesions ride along in the high bits, so that all is bent alike.
        canvas += 32 * self._bleed(level, grid, inner, brain)
        canvas += 64 * (self._oedema(level, grid) & (canvas == WHITE_MATTER))
        canvas = self._bend(canvas, level, grid)
        labels = canvas & 31
        if self.has_rest:
            self._draw_head_rest(labels, grid)
        return labels, canvas >> 5 & 1, canvas >> 6

    def _draw_shells(self, canvas, level, grid):
        """Draws scalp and skull; returns the radius of the inner table for each angle."""
        low = max(0.0, 1 - level / 0.45)
        from_front = np.abs((ANGLES + 1.5 * np.pi) % (2 * np.pi) - np.pi)
        cosine, sine = np.cos(ANGLES), np.sin(ANGLES)
        width = self.width * (1 + 0.05 * sine)
        length = np.where(sine < 0, self.front, self.back)
        power = self.squareness
        skull = (np.abs(cosine / width) ** power + np.abs(sine / length) ** power) ** (-1 / power)
        skull *= _shrinking(level)
        temple = np.exp(-(((from_front - 0.95) / 0.3) ** 2))
        skull += self.outline(level) - 3 * low * temple
        # Towards the vertex the slice cuts the vault obliquely.
        bone = self.bone_thickness * (1 + 0.7 * level**3) + self.bone_variation(level)
        bone += np.exp(-((from_front / 0.45) ** 2)) * (2 + 8 * max(0.0, 1 - level / 0.2))
        bone += 3.5 * np.exp(-(((from_front - np.pi) / 0.12) ** 2))
        bone = np.maximum(bone, 3.5)
        scalp = np.maximum(self.scalp + self.scalp_variation(level), 2.5)
        muscle = 5 * low * np.exp(-(((from_front - 1.15) / 0.3) ** 2))

        def fill(radius, value):
            points = np.stack([cosine, sine], axis=1) * radius[:, None]
            grid.polygon(canvas, points, value)

        fill(skull + scalp + muscle, SKIN)
        fill(skull + scalp + muscle - 1.6, FAT)
        fill(skull + muscle + 0.8, MUSCLE)
        fill(skull, BONE)
        fill(skull - 0.32 * bone, MARROW)
        fill(skull - 0.68 * bone, BONE)
        if self.has_sinus and level < 0.14:
            opening = (1 - level / 0.14) ** 0.5
            for side, shape in zip((-1, 1), self.jitter[:2], strict=True):
                centre = (side * 9 + shape[0], 7.0 - skull[90])
                radii = np.array((7.5 + 1.5 * shape[1], 3.0 + 0.5 * shape[0])) * opening
                grid.blob(canvas, centre, radii, side * 0.25, AIR, self.bleed_outline(side / 2))
        fill(skull - bone, CSF)
        return skull - bone

    def _draw_brain(self, canvas, level, grid, inner):
        """Draws the folded cortex around white matter; returns the mask of the hemispheres."""
        directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
        brain = np.zeros_like(canvas)
        gap = 0.9 + 2.2 * self.atrophy
        grid.polygon(brain, directions * (inner - gap)[:, None], 1)
        for points, half_width in self._fissures(level):
            grid.ribbon(brain, points, half_width, 0)
        depth = cv2.distanceTransform(brain, cv2.DIST_L2, 5) / np.float32(grid.scale)

        # A pattern whose sign alternates around the hemisphere: sulci run where it changes.
        alternating = np.float32([1, -1] * SULCI)
        shrinking = _shrinking(level)
        around = grid.around(shrinking)
        fold = spread(alternating + 0.7 * self.sulci(level), around, depth) > 0
        sulci = cv2.morphologyEx(fold.astype("uint8"), cv2.MORPH_GRADIENT, np.ones((2, 2), "uint8"))
        reach = 16 + 7 * spread(self.sulcus_depth(level), around, depth)
        # Sulci of the medial surface are short, and none cuts the corpus callosum.
        reach = np.clip(reach, 4, 30) * np.clip(np.abs(grid.x) / 24, 0.3, 1) * shrinking**2
        sulci[depth > reach] = 0
        if level < 0.5:
            sulci[(grid.x / 27) ** 2 + ((grid.y + 5) / 40) ** 2 < 1] = 0
        self._draw_lateral_fissure(sulci, level, grid)
        away = cv2.distanceTransform(1 - sulci, cv2.DIST_L2, 5) / np.float32(grid.scale)

        inside = brain > 0
        canvas[inside] = WHITE_MATTER
        canvas[inside & (np.minimum(depth, away) < 3.3)] = GREY_MATTER
        opening = (0.25 + 1.25 * self.atrophy) * (1.25 - depth / 28)
        canvas[inside & (away < opening)] = CSF
        return brain

    def _fissures(self, level):
        """The clefts between the hemispheres: in front of and behind the corpus callosum."""
        first, second, third = self.fissure_bend
        closing = np.clip((level - 0.42) / 0.18, 0, 1)
        genu = -42 + 46 * closing
        splenium = 30 - 26 * closing
        half_width = 0.7 + 0.8 * self.atrophy
        front = [(first, -100.0), (second, (genu - 100) / 2), (0.0, genu)]
        back = [(0.0, splenium), (-second, (splenium + 100) / 2), (third, 100.0)]
        return (
            (front, [half_width * 1.3, half_width, half_width]),
            (back, [half_width, half_width, half_width]),
        )

    def _draw_lateral_fissure(self, canvas, level, grid):
        size = bump(level, -1, 0.2, 0.12)
        if size == 0:
            return
        width = (0.5 + 1.1 * self.atrophy) * size
        for side, (x, y) in zip((-1, 1), self.jitter[1:3], strict=True):
            deep = 50 - 3 * size
            mouth = [(side * 82, -26 + y), (side * 62, -19 + y), (side * deep, -16 + y)]
            insula = [
                (side * (deep + 3), -26 + x),
                (side * deep, -6 + y),
                (side * (deep + 4), 16 + x),
            ]
            grid.ribbon(canvas, mouth, [width * 1.6, width, width], 1)
            grid.ribbon(canvas, insula, [width, width, width * 0.6], 1)

    def _draw_deep_structures(self, canvas, level, grid):
        ganglia, thalami = bump(level, -1, 0.16, 0.14), bump(level, -1, 0.2, 0.1)
        caudates = bump(level, -1, 0.34, 0.12)
        horns, bodies = bump(level, -1, 0.2, 0.12), bump(level, 0.24, 0.42, 0.1)
        atria = bump(level, -1, 0.2, 0.12)
        for side, jitter in zip((-1, 1), (self.jitter[3:7], self.jitter[7:11]), strict=True):
            size = self.ventricles * (1 + side * self.asymmetry)

            def at(x, y, index, side=side, jitter=jitter):
                return side * x + 0.7 * jitter[index, 0], y + jitter[index, 1]

            grid.blob(
                canvas, at(27, -6, 0), (6.5 * ganglia, 16 * ganglia), side * -0.22, DEEP_GREY_MATTER
            )
            grid.blob(
                canvas, at(10, 9, 1), (7.5 * thalami, 13 * thalami), side * -0.35, DEEP_GREY_MATTER
            )
            grid.blob(
                canvas,
                at(15, -25, 2),
                (4.5 * caudates, 10 * caudates),
                side * -0.3,
                DEEP_GREY_MATTER,
            )
            horn = [at(3, -17, 2), at(7.5, -29, 2), at(15, -41, 2)]
            grid.ribbon(canvas, horn, np.array((1.5, 4.2, 3.6, 3.0)) * size * horns, CSF)
            body = [at(14, -42, 2), at(6.5, -6, 2), at(21, 31, 3)]
            grid.ribbon(canvas, body, np.array((3.2, 4.4, 4.0, 4.8, 5.0)) * size * bodies, CSF)
            atrium = [at(17, 15, 3), at(28, 33, 3), at(23, 53, 3)]
            grid.ribbon(canvas, atrium, np.array((2.4, 4.6, 4.4, 2.0)) * size * atria, CSF)
            if self.calcified[0] and 0.02 < level < 0.24:
                grid.blob(canvas, at(25.5, 31, 3), (2.2, 1.6), jitter[0, 0], CALCIFICATION)

    def _draw_midline(self, canvas, level, grid, inner):
        slit = (1.0 + 1.6 * self.atrophy) * bump(level, -1, 0.08, 0.08)
        grid.ribbon(canvas, [(0, -12), (0, 1), (0, 14)], [slit * 0.7, slit, slit * 0.8], CSF)
        cistern = bump(level, -1, 0.08, 0.08)
        grid.blob(canvas, (0, 28), (6 * cistern, 4 * cistern), 0, CSF)
        if self.calcified[1] and level < 0.1:
            grid.blob(canvas, (0.4, 20), (2.0, 2.2), 0, CALCIFICATION)
        falx = np.zeros_like(canvas)
        for points, _ in self._fissures(level):
            grid.ribbon(falx, points, [0.45] * 3, 1)
        canvas[(falx > 0) & (canvas >= CSF) & (canvas <= WHITE_MATTER)] = DURA
        # The sagittal sinus fills the corner where the falx meets the skull.
        back, front = inner[270] + 0.5, -inner[90] - 0.5
        grid.polygon(canvas, np.array([(-5.5, back), (5.5, back), (0.0, back - 9)]), DURA)
        if level > 0.3:
            grid.polygon(canvas, np.array([(-3.5, front), (3.5, front), (0.0, front + 6)]), DURA)

    def _bleed(self, level, grid, inner, brain):
        mask = np.zeros_like(brain)
        size = 1 - ((level - self.bleed_level) / self.bleed_extent) ** 2
        if not self.has_bleed or size <= 0:
            return mask
        size = size**0.5
        if not self.subdural:
            outline = self.bleed_outline(level)
            radii = self.bleed_radii * size
            grid.blob(mask, self.bleed_centre, radii, self.bleed_angle, 1, outline)
            return mask & brain
        directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
        centre = 0.0 if self.bleed_side > 0 else np.pi
        apart = np.abs((ANGLES - centre - self.bleed_angle / 4 + np.pi) % (2 * np.pi) - np.pi)
        thickness = 10 * size * np.exp(-((apart / 0.65) ** 4)) * (1 + self.bleed_outline(level))
        grid.polygon(mask, directions * inner[:, None], 1)
        grid.polygon(mask, directions * (inner - np.maximum(thickness, 0))[:, None], 0)
        return mask

    def _oedema(self, level, grid):
        mask = np.zeros((grid.size, grid.size), "uint8")
        size = 1 - ((level - self.oedema_level) / self.oedema_extent) ** 2
        if self.has_oedema and size > 0:
            radii = self.oedema_radii * size**0.5
            outline = self.oedema_outline(level)
            grid.blob(mask, self.oedema_centre, radii, self.oedema_angle, 1, outline)
        return mask

    def _bend(self, canvas, level, grid):
        """Moves, tilts and bends the drawing, and pushes tissue away from the bleed."""
        size = (grid.size, grid.size)
        aside = cv2.resize(self._displacement(level), size, interpolation=cv2.INTER_CUBIC)
        cosine, sine = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        x, y = grid.x - np.float32(self.shift[0]), grid.y - np.float32(self.shift[1])
        columns = grid.columns(cosine * x + sine * y + aside[..., 0])
        rows = grid.columns(cosine * y - sine * x + aside[..., 1])
        return cv2.remap(canvas, columns, rows, cv2.INTER_NEAREST)

    def _displacement(self, level):
        """Returns where tissue comes from, in millimetres; smooth, so a coarse map will do."""
        coarse = Grid(64)
        warp = self.warp(level)
        halves = [
            cv2.resize(half, (64, 64), interpolation=cv2.INTER_CUBIC)
            for half in (warp[:, :10], warp[:, 10:])
        ]
        aside = 1.5 * np.stack(halves, axis=-1)
        size = 1 - ((level - self.bleed_level) / (1.3 * self.bleed_extent)) ** 2
        if self.has_bleed and not self.subdural and size > 0:
            from_bleed = np.stack([coarse.x, coarse.y], axis=-1) - np.float32(self.bleed_centre)
            reach = np.exp((from_bleed**2).sum(axis=-1) / -(28.0**2))
            # The skull does not give way.
            inside = 1 - (coarse.x / self.width) ** 2 - (coarse.y / self.back) ** 2
            push = 0.22 * size * reach * np.maximum(inside, 0)
            aside -= push[..., None] * from_bleed
        return aside

    def _draw_head_rest(self, labels, grid):
        arcs = np.zeros_like(labels)
        for start in (0.12, np.pi - 1.0):
            along = np.linspace(start, start + 0.88, 60)
            directions = np.stack([np.cos(along), np.sin(along)], axis=1)
            outer = directions * (self.rest_radius + 1.0)
            near = directions * (self.rest_radius - 1.0)
            points = np.concatenate([outer, near[::-1]])
            grid.polygon(arcs, points + np.array((0.0, self.rest_height)), 1)
        labels[(arcs > 0) & (labels == BACKGROUND)] = HEAD_REST


def _shrinking(level):
    """The size of the head towards the vertex, relative to the lowest slice."""
    return float(np.sqrt(1 - (0.68 * level**1.5) ** 2))
