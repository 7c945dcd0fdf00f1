// Which part of a picture is seen, how large: the same for all pictures of the viewer.

// The buttons go to whole numbers of screen pixels per picture pixel: those look crisp.
const CRISP = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

function between(low, value, high) {
  return Math.max(low, Math.min(high, value));
}

/**
 * The place of the picture, 0 to 1 each way, that is in the middle of a pane, and how many times
 * larger it is than where the whole of it fits. Panes are boxes in the window; sizes are in pixels
 * of the picture.
 */
class View {
  constructor() {
    this.zoom = 1;
    this.x = 0.5;
    this.y = 0.5;
  }

  /** Screen pixels per picture pixel. */
  scale(pane, size) {
    return this.zoom * Math.min(pane.width / size.width, pane.height / size.height);
  }

  /** Keeps the picture over the pane, or in its middle where it is smaller. */
  keepInside(pane, size) {
    const scale = this.scale(pane, size);
    const kept = (place, length, pixels) => {
      const half = Math.min(0.5, length / (2 * pixels * scale));
      return between(half, place, 1 - half);
    };
    this.x = kept(this.x, pane.width, size.width);
    this.y = kept(this.y, pane.height, size.height);
  }

  /** CSS that lays a picture of this size into the pane. */
  transform(pane, size) {
    const scale = this.scale(pane, size);
    const x = pane.width / 2 - this.x * size.width * scale;
    const y = pane.height / 2 - this.y * size.height * scale;
    return `translate(${x}px, ${y}px) scale(${scale})`;
  }

  /** Place in the picture of a point of the window. */
  placeOf(x, y, pane, size) {
    const scale = this.scale(pane, size);
    return {
      x: this.x + (x - pane.left - pane.width / 2) / (size.width * scale),
      y: this.y + (y - pane.top - pane.height / 2) / (size.height * scale),
    };
  }

  /** Zooms and keeps the place under the point; says whether anything changed. */
  zoomAt(factor, x, y, pane, size) {
    const fixed = this.placeOf(x, y, pane, size);
    const before = this.zoom;
    const most = (CRISP[CRISP.length - 1] * before) / this.scale(pane, size);
    this.zoom = between(1, before * factor, Math.max(1, most));
    this.x = fixed.x - ((fixed.x - this.x) * before) / this.zoom;
    this.y = fixed.y - ((fixed.y - this.y) * before) / this.zoom;
    return this.zoom !== before;
  }

  /** What to zoom by to come to the next crisp scale, up (1) or down (-1). */
  crispFactor(direction, pane, size) {
    const now = this.scale(pane, size);
    const further = CRISP.filter((scale) => direction * (scale - now) > 0.001 * now);
    const wanted = direction > 0 ? further[0] : further[further.length - 1];
    return (wanted || now * 1.5 ** direction) / now;
  }

  pan(dx, dy, pane, size) {
    const scale = this.scale(pane, size);
    this.x -= dx / (size.width * scale);
    this.y -= dy / (size.height * scale);
  }
}
