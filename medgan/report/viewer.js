// The viewer: two pictures of a pair under a slider, side by side, or as their difference.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// What a key adds to the place of the divider, in percent.
const CURTAIN_MOVES = {
  ArrowLeft: -2,
  ArrowDown: -2,
  ArrowRight: 2,
  ArrowUp: 2,
  PageDown: -10,
  PageUp: 10,
  Home: -100,
  End: 100,
};

class Viewer {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.stage = this.find(".stage");
    this.divider = this.find(".divider");
    this.pairs = [...root.querySelectorAll(".pair")];
    this.panes = { left: this.find(".pane.left"), right: this.find(".pane.right") };
    this.chosen = { left: root.dataset.left, right: root.dataset.right };
    this.view = new View();
    this.curtain = 50;
    this.number = 0;
    this.turn = 0;
    this.picks = {};
    for (const select of root.querySelectorAll("[data-pick]")) {
      this.picks[select.dataset.pick] = select;
    }
    for (const pair of this.pairs) {
      this.picks.pair.add(new Option(pair.querySelector("summary").textContent));
    }
  }

  /** Shows the first pair, and only then listens: before, there is nothing to act upon. */
  async open() {
    await this.showPair(0);
    this.listen();
  }

  get mode() {
    return this.root.dataset.mode;
  }

  listen() {
    const actions = {
      previous: () => this.showPair(this.number - 1),
      next: () => this.showPair(this.number + 1),
      swap: () => this.choose(this.chosen.right, this.chosen.left),
      in: () => this.step(1),
      out: () => this.step(-1),
      fit: () => this.fit(),
    };
    for (const button of this.root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", actions[button.dataset.do]);
    }
    const picks = {
      pair: (select) => this.showPair(select.selectedIndex),
      left: (select) => this.choose(select.value, this.chosen.right),
      right: (select) => this.choose(this.chosen.left, select.value),
    };
    for (const [name, select] of Object.entries(this.picks)) {
      select.addEventListener("change", () => picks[name](select));
    }
    for (const radio of this.root.querySelectorAll("[name=mode]")) {
      radio.addEventListener("change", () => this.setMode(radio.value));
    }
    for (const pair of this.pairs) {
      pair.addEventListener("click", (event) => this.pickSmall(event));
    }
    this.find(".gain input").addEventListener("input", () => this.paint());
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.divider.addEventListener("keydown", (event) => this.keyOfDivider(event));
    new Gestures(this.stage, {
      zoom: (factor, x, y) => this.zoomAt(factor, x, y),
      pan: (dx, dy) => this.pan(dx, dy),
      drag: (dx, dy, x, y, start) => this.drag(dx, dy, x, start),
      point: (x, y) => this.read(x, y),
    });
    new ResizeObserver(() => this.place()).observe(this.stage);
  }

  /** Shows another pair, round and round, with the same two titles where it has them. */
  showPair(number) {
    this.number = (number + this.pairs.length) % this.pairs.length;
    this.picks.pair.selectedIndex = this.number;
    this.find(".position").textContent = `${this.number + 1} of ${this.pairs.length}`;
    this.pairs.forEach((pair, index) => {
      pair.open = true;
      pair.hidden = index !== this.number;
    });
    this.figures = [...this.pairs[this.number].querySelectorAll("figure")];
    const titles = this.figures.map((figure) => figure.dataset.title);
    for (const side of ["left", "right"]) {
      this.picks[side].replaceChildren(...titles.map((title) => new Option(title)));
    }
    const spare = { left: titles[0], right: titles[titles.length - 1] };
    const kept = (side) => (titles.includes(this.chosen[side]) ? this.chosen[side] : spare[side]);
    return this.choose(kept("left"), kept("right"));
  }

  /** Puts two pictures of the pair on the stage. */
  async choose(left, right) {
    this.chosen = { left, right };
    this.turn += 1;
    const { turn } = this;
    const loaded = {};
    for (const side of ["left", "right"]) {
      const title = this.chosen[side];
      const small = this.figures.find((figure) => figure.dataset.title === title).firstChild;
      this.picks[side].value = title;
      this.find(`.tag.${side}`).textContent = title;
      if (!small.complete) await small.decode();
      if (turn !== this.turn) return; // somebody has chosen again meanwhile
      loaded[side] = greyLevels(small);
      const shown = this.panes[side].firstChild;
      shown.src = small.src;
      shown.alt = small.alt;
    }
    this.pixels = loaded;
    this.mark();
    this.paint();
    this.place();
  }

  /** Marks the two shown pictures among the small ones and in the table. */
  mark() {
    for (const element of this.pairs[this.number].querySelectorAll("[data-title]")) {
      const sides = ["left", "right"].filter((side) => this.chosen[side] === element.dataset.title);
      element.dataset.shown = sides.join(" and ");
    }
  }

  pickSmall(event) {
    const figure = event.target.closest("figure");
    if (!figure) return;
    const { title } = figure.dataset;
    if (event.shiftKey) this.choose(title, this.chosen.right);
    else this.choose(this.chosen.left, title);
  }

  setMode(mode) {
    this.root.dataset.mode = mode;
    this.place();
  }

  /** Paints the difference and says in numbers how large it is. */
  paint() {
    const { left, right } = this.pixels;
    const gain = Number(this.find(".gain input").value);
    const canvas = this.find(".map canvas");
    const end = Math.round(255 / gain);
    this.find(".gain output").textContent = `×${gain}`;
    this.find(".ends .low").textContent = `−${end}: left brighter`;
    this.find(".ends .high").textContent = `right brighter: +${end}`;
    const told = this.find(".told");
    if (!sameSize(left, right)) {
      clearDifference(canvas);
      told.textContent = "The two pictures differ in size: there is no difference map.";
      return;
    }
    const { mean, largest } = paintDifference(canvas, left, right, gain);
    told.textContent = `${this.chosen.right} minus ${this.chosen.left}: mean absolute difference `
      + `${mean.toFixed(2)}, largest ${signed(largest)}, of 255 grey levels.`;
  }

  /** Lays both pictures and the map where the view wants them. */
  place() {
    const { left, right } = this.pixels;
    const aspect = between(0.7, left.width / left.height, 1.8);
    this.stage.style.aspectRatio = this.mode === "side" ? 2 * aspect : aspect;
    const box = this.panes.left.getBoundingClientRect();
    this.view.keepInside(box, left);
    const layers = [
      [this.panes.left.firstChild, left],
      [this.panes.right.firstChild, right],
      [this.find(".map canvas"), left],
    ];
    for (const [element, size] of layers) {
      element.style.width = `${size.width}px`;
      element.style.height = `${size.height}px`;
      element.style.transform = this.view.transform(box, size);
    }
    this.find(".scale").textContent = `${this.view.scale(box, left).toFixed(1)}×`;
    this.stage.classList.toggle("zoomed", this.view.zoom > 1);
    this.placeCurtain();
  }

  placeCurtain() {
    const cut = this.mode === "slider" ? `inset(0 0 0 ${this.curtain}%)` : "none";
    this.panes.right.style.clipPath = cut;
    this.divider.style.left = `${this.curtain}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(this.curtain));
  }

  /** The pane under a point of the window, for the view's geometry. */
  paneAt(x) {
    const panes = Object.values(this.panes).map((pane) => pane.getBoundingClientRect());
    return this.mode === "side" && x >= panes[1].left ? panes[1] : panes[0];
  }

  /** Zooms about a point of the window; says whether anything changed. */
  zoomAt(factor, x, y) {
    const changed = this.view.zoomAt(factor, x, y, this.paneAt(x), this.pixels.left);
    this.place();
    return changed;
  }

  /** One crisp scale up or down, about the middle. */
  step(direction) {
    const box = this.panes.left.getBoundingClientRect();
    const factor = this.view.crispFactor(direction, box, this.pixels.left);
    this.zoomAt(factor, box.left + box.width / 2, box.top + box.height / 2);
  }

  fit() {
    this.view = new View();
    this.place();
  }

  pan(dx, dy) {
    this.view.pan(dx, dy, this.panes.left.getBoundingClientRect(), this.pixels.left);
    this.place();
  }

  /** Moves the divider if the drag began on it, or where there is nothing to pan. */
  drag(dx, dy, x, start) {
    const onDivider = this.divider.contains(start);
    if (this.mode === "slider" && (onDivider || this.view.zoom === 1)) {
      const box = this.stage.getBoundingClientRect();
      this.curtain = between(0, (100 * (x - box.left)) / box.width, 100);
      this.placeCurtain();
    } else {
      this.pan(dx, dy);
    }
  }

  /** Says the grey levels under the pointer. */
  read(x, y) {
    const place = this.view.placeOf(x, y, this.paneAt(x), this.pixels.left);
    const level = ({ width, height, grey }) => {
      const [column, row] = [Math.floor(place.x * width), Math.floor(place.y * height)];
      const inside = column >= 0 && row >= 0 && column < width && row < height;
      return inside ? { column, row, grey: grey[row * width + column] } : null;
    };
    const [left, right] = [level(this.pixels.left), level(this.pixels.right)];
    if (!left || !right) return;
    this.find(".readout").textContent = `Column ${left.column}, row ${left.row}: left `
      + `${left.grey}, right ${right.grey}, difference ${signed(right.grey - left.grey)}`;
  }

  key(event) {
    if (event.target.matches("select, input, .divider, .scroll")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      "+": () => this.step(1),
      "=": () => this.step(1),
      "-": () => this.step(-1),
      0: () => this.fit(),
    };
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) this.pan(-40 * arrow[0], -40 * arrow[1]);
    else if (arrow && arrow[0]) this.showPair(this.number + arrow[0]);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  }

  keyOfDivider(event) {
    if (!(event.key in CURTAIN_MOVES)) return;
    this.curtain = between(0, this.curtain + CURTAIN_MOVES[event.key], 100);
    this.placeCurtain();
    event.preventDefault();
  }
}
