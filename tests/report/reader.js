// Acts as a reader of the page would, and keeps what is then to be seen.
while (!document.documentElement.dataset.ready) await new Promise((go) => setTimeout(go, 20));
const seen = {};
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const choose = (selector, value) => {
  one(selector).value = value;
  one(selector).dispatchEvent(new Event("change", { bubbles: true }));
};
const press = (selector, key, more) => one(selector).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const shown = (selector) => all(selector).filter((e) => e.getClientRects().length > 0);

const order = () => all(".scores tbody").map((body) => body.rows[0].cells[0].dataset.value[0]);
const sorted = (number) => {
  all(".scores thead button")[number].click();
  return order().join("");
};
seen.sf = [sorted(1), sorted(1), sorted(1)];
seen.nabf = [sorted(3), sorted(3), sorted(3)];
seen.method = sorted(0);
seen.sortedHead = one(".scores th").getAttribute("aria-sort");

const columns = () => shown(".scores thead th").length;
seen.columns = [columns()];
one("#all-scores").click();
seen.columns.push(columns(), one("#all-scores").getAttribute("aria-pressed"));

const against = () => shown(".comparison tbody td.main:nth-child(2)").map((e) => e.textContent);
seen.maximum = against();
choose("#baseline", "0");
seen.average = against();

seen.start = [one(".tag.left").textContent, one(".tag.right").textContent];
seen.curtain = [one(".pane.right").style.clipPath];
press(".divider", "ArrowLeft");
seen.curtain.push(one(".pane.right").style.clipPath, one(".divider").ariaValueNow);

const stage = one(".stage").getBoundingClientRect();
const pointer = (kind, pointerId, x, y) => one(".stage").dispatchEvent(new PointerEvent(
  `pointer${kind}`,
  { pointerId, clientX: stage.left + x, clientY: stage.top + y, bubbles: true },
));
pointer("down", 1, 0.25 * stage.width, 50);
seen.curtain.push(one(".divider").style.left);
pointer("move", 1, 0.75 * stage.width, 50);
pointer("up", 1, 0.75 * stage.width, 50);
pointer("move", 1, 0, 50);
seen.curtain.push(one(".divider").style.left);
const fitted = parseFloat(one(".scale").textContent);
pointer("down", 1, 100, 100);
pointer("down", 2, 200, 100);
pointer("move", 2, 300, 100);
pointer("up", 1, 100, 100);
pointer("up", 2, 300, 100);
seen.pinch = parseFloat(one(".scale").textContent) / fitted;
one("[data-do=fit]").click();

choose("[data-pick=right]", "MR");
one("[value=difference]").click();
one(".gain input").value = "5";
one(".gain input").dispatchEvent(new Event("input"));
const map = one(".map canvas");
const column = map.getContext("2d").getImageData(3, 0, 1, map.height).data;
const pixel = (row) => [...column.slice(4 * row, 4 * row + 4)];
seen.map = [map.width, map.height, pixel(3), pixel(16), pixel(30)];
seen.told = one(".told").textContent;
seen.ends = [one(".ends .low").textContent, one(".ends .high").textContent];
seen.mapShown = shown(".map").length;

const box = one(".stage").getBoundingClientRect();
const middle = {
  bubbles: true,
  clientX: box.left + box.width / 2,
  clientY: box.top + box.height / 2,
};
one(".stage").dispatchEvent(new PointerEvent("pointermove", middle));
seen.readout = one(".readout").textContent;

one("[value=side]").click();
const [left, right] = all(".pane").map((pane) => pane.getBoundingClientRect());
seen.halves = [left.right === right.left, left.width === right.width];
const transforms = () => all(".pane img").map((e) => e.style.transform);
seen.together = [transforms()[0] === transforms()[1]];
one("[data-do=in]").click();
one("[data-do=in]").click();
seen.scale = one(".scale").textContent;
seen.together.push(transforms()[0] === transforms()[1]);
press(".stage", "0");
const whole = transforms()[0];
one(".stage").dispatchEvent(new WheelEvent("wheel", { deltaY: -500, ...middle, cancelable: true }));
seen.wheel = transforms()[0] !== whole;
press(".stage", "-");
one("[data-do=fit]").click();
seen.fit = transforms()[0] === whole;

one("[data-do=swap]").click();
seen.swapped = [one(".tag.left").textContent, one(".pane.left img").alt];
seen.marked = all(".pair:not([hidden]) figure").map((e) => e.dataset.shown);
press(".stage", "ArrowRight");
seen.second = [one(".position").textContent, one(".pane.right img").alt];
seen.pairs = shown(".pair").length;
press(".stage", "ArrowRight");
seen.round = one(".position").textContent;
all(".pair:not([hidden]) figure")[2].click();
seen.small = one("[data-pick=right]").value;

choose("#highlight", "1");
seen.highlighted = all("circle.picked").every((e) => e.dataset.unit === "1");
seen.dots = all("circle.picked").length;
one("[value=logarithmic]").click();
seen.scales = shown("#losses svg").map((e) => e.dataset.scale);
document.documentElement.dataset.seen = JSON.stringify(seen);
