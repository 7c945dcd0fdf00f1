// The page around the viewer: sorting, choices, and the start of everything.

function numberOf(cell) {
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

/** Compares two cells; what is not defined comes last whichever the direction. */
function compareCells(first, second, sign) {
  if (first.tagName === "TH") return sign * first.dataset.value.localeCompare(second.dataset.value);
  const [a, b] = [numberOf(first), numberOf(second)];
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (a - b);
}

/** The next order of a column: its natural first, then the other way round, then none. */
function nextOrder(head) {
  const orders = head.dataset.first === "ascending"
    ? ["ascending", "descending", "none"]
    : ["descending", "ascending", "none"];
  const now = orders.indexOf(head.getAttribute("aria-sort") || "none");
  return orders[(now + 1) % orders.length];
}

function sortBy(table, head, original) {
  const order = nextOrder(head);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  if (order !== "none") head.setAttribute("aria-sort", order);
  const sign = { ascending: 1, descending: -1 }[order];
  const cell = (body) => body.rows[0].cells[head.cellIndex];
  const bodies = [...original];
  if (sign) bodies.sort((first, second) => compareCells(cell(first), cell(second), sign));
  table.append(...bodies);
}

/** Makes every heading of the score table a button. */
function makeSortable(table) {
  const original = [...table.tBodies];
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, head, original));
  }
}

function toggleAllScores(button) {
  const shown = document.body.classList.toggle("all-scores");
  button.setAttribute("aria-pressed", shown);
}

/** Hands the numbers of the page to the reader as a file. */
function saveNumbers() {
  const text = document.getElementById("payload").textContent;
  const numbers = JSON.stringify(JSON.parse(text), null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([numbers], { type: "application/json" }));
  link.download = "evaluation.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function showBaseline(number) {
  for (const body of document.querySelectorAll(".comparison tbody")) {
    body.hidden = body.dataset.baseline !== number;
  }
}

/** Makes the dots of one patient or image stand out in all drawings; "" for none. */
function highlight(number) {
  const plots = document.querySelector("#strips .plots");
  plots.classList.toggle("picked", number !== "");
  for (const dot of plots.querySelectorAll("circle")) {
    dot.classList.toggle("picked", dot.dataset.unit === number);
  }
}

function highlightDot(event) {
  const dot = event.target.closest("circle");
  if (!dot) return;
  const select = document.getElementById("highlight");
  select.value = select.value === dot.dataset.unit ? "" : dot.dataset.unit;
  highlight(select.value);
}

function showScale(scale) {
  document.querySelector("#losses .plots").dataset.scale = scale;
}

/** Calls `action(element)` on an event of the element, if the page has it. */
function when(selector, event, action) {
  for (const element of document.querySelectorAll(selector)) {
    element.addEventListener(event, (happened) => action(element, happened));
  }
}

async function start() {
  for (const table of document.querySelectorAll("table.scores")) makeSortable(table);
  when("#all-scores", "click", toggleAllScores);
  when("#save", "click", saveNumbers);
  when("#baseline", "change", (select) => showBaseline(select.value));
  when("#highlight", "change", (select) => highlight(select.value));
  when("#strips .plots", "click", (_, event) => highlightDot(event));
  when("#losses [name=scale]", "change", (radio) => showScale(radio.value));
  const viewer = document.querySelector(".viewer");
  if (viewer) await new Viewer(viewer).open();
}

await start();
document.documentElement.dataset.ready = "true";
