// Wheel, pinch and drag on the viewer's stage; what they mean is the viewer's business.

// A wheel that turns this soon after the page has moved goes on moving the page.
const SCROLL_REST = 350;

/**
 * Listens to a stage and calls
 * zoom(factor, x, y), pan(dx, dy), drag(dx, dy, x, y, start), point(x, y), in the window's pixels.
 */
class Gestures {
  constructor(stage, actions) {
    this.stage = stage;
    this.actions = actions;
    this.pointers = new Map();
    this.scrolled = -Infinity;
    window.addEventListener("scroll", (event) => { this.scrolled = event.timeStamp; });
    stage.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.press(event));
    // On the window, because a drag may leave the stage.
    window.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      window.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
  }

  turn(event) {
    if (!event.ctrlKey && event.timeStamp - this.scrolled < SCROLL_REST) return;
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    const factor = Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002));
    if (this.actions.zoom(factor, event.clientX, event.clientY)) event.preventDefault();
  }

  press(event) {
    if (event.button !== 0) return;
    this.start = event.target;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 1) this.drag(event, { x: event.clientX, y: event.clientY });
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (this.stage.contains(event.target)) this.actions.point(event.clientX, event.clientY);
    } else if (this.pointers.size === 1) {
      this.drag(event, before);
    } else {
      this.pinch(event, before);
    }
    if (before) this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  drag(event, before) {
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    this.actions.drag(dx, dy, event.clientX, event.clientY, this.start);
  }

  pinch(event, before) {
    const entry = [...this.pointers].find(([id]) => id !== event.pointerId);
    const other = entry[1];
    const span = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    const now = { x: event.clientX, y: event.clientY };
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.actions.zoom(span(now) / Math.max(1, span(before)), middle.x, middle.y);
    this.actions.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }
}
