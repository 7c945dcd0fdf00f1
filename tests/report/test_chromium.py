import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from medgan.report import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=10000",
    "--window-size=1280,1000",
    "--dump-dom",
)
# Acts as a reader would and keeps what is then to be seen.
ACTIONS = (pathlib.Path(__file__).parent / "reader.js").read_text(encoding="utf-8")
MINUS = "\N{MINUS SIGN}"

NARROW = """<!doctype html><body style="margin:0"><iframe src="report.html"
style="width:360px;height:900px;border:0"></iframe><script>
addEventListener("message", (event) => { document.documentElement.dataset.seen = event.data; });
</script>"""
MEASURE = """
while (!document.documentElement.dataset.ready) await new Promise((go) => setTimeout(go, 20));
const page = document.documentElement;
const boxes = [...document.querySelectorAll(".scroll")].filter((e) => e.getClientRects().length);
parent.postMessage(JSON.stringify({
  page: [page.scrollWidth, page.clientWidth],
  outside: [...document.querySelectorAll("main *, header *")].filter((e) => !e.closest(".scroll")
    && e.getBoundingClientRect().right > page.clientWidth).map((e) => e.tagName + e.className),
  wider: boxes.some((box) => box.scrollWidth > box.clientWidth),
}), "*");
"""


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"None of {', '.join(NAMES)} is on PATH.")
    return found


@pytest.fixture
def load(chromium, tmp_path, parse):
    """Loads a file as a reader's browser would; gives what it shows and what it complains of."""

    def run(path):
        command = [chromium, *SETTINGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        complaints = [
            line for line in done.stderr.splitlines() if "CONSOLE" in line or "Uncaught" in line
        ]
        return parse(done.stdout).found("html")[0], complaints

    return run


def append(path, script):
    head, tail = path.read_text(encoding="utf-8").rsplit("</body>", 1)
    text = f'{head}<script type="module">{script}</script></body>{tail}'
    path.write_text(text, encoding="utf-8")


def test_page_without_pictures_loads_without_a_complaint(load, tmp_path, synthesis):
    write_report(tmp_path / "report.html", synthesis)
    root, complaints = load(tmp_path / "report.html")
    assert complaints == [] and root["data-ready"] == "true" and "data-error" not in root


def test_page_does_what_a_reader_asks(load, tmp_path, payload, pictures, losses, health):
    write_report(tmp_path / "report.html", payload, pictures, losses, health)
    append(tmp_path / "report.html", ACTIONS)
    root, complaints = load(tmp_path / "report.html")
    assert complaints == [] and root["data-ready"] == "true" and "data-error" not in root
    seen = json.loads(root["data-seen"])
    # a: average, m: maximum, <: the hostile name; best first, worst first, as it was
    assert seen["sf"] == ["m<a", "a<m", "am<"]
    assert seen["nabf"] == ["am<", "ma<", "am<"]  # lower is better; what is undefined is last
    assert seen["method"] == "<am" and seen["sortedHead"] == "ascending"
    # method, two main scores, parameters, ms; with all scores one more
    assert seen["columns"] == [5, 6, "true"]
    assert [text.split()[1][:6] for text in seen["maximum"]] == [f"{MINUS}20.00", f"{MINUS}10.00"]
    assert [text.split()[1][:6] for text in seen["average"]] == ["+20.00", "+10.00"]
    assert seen["start"] == ["CT", "average"]
    assert seen["curtain"][:3] == ["inset(0px 0px 0px 50%)", "inset(0px 0px 0px 48%)", "48"]
    assert seen["curtain"][3:] == ["25%", "75%"] and seen["pinch"] == pytest.approx(2, abs=0.02)
    # 51 levels at gain 5 are the ends of the colours
    black, orange, blue = [0, 0, 0, 255], [255, 228, 186, 255], [214, 236, 255, 255]
    assert seen["map"] == [48, 32, orange, black, blue] and seen["mapShown"] == 1
    assert f"mean absolute difference {51 * 31 / 32:.2f}, largest +51" in seen["told"]
    assert seen["ends"] == [f"{MINUS}51: left brighter", "right brighter: +51"]
    assert seen["readout"] == "Column 24, row 16: left 100, right 100, difference 0"
    assert seen["halves"] == seen["together"] == [True, True]
    assert float(seen["scale"][:-1]) in {12.0, 16.0, 24.0, 32.0}
    assert seen["wheel"] and seen["fit"]
    assert seen["swapped"] == ["MR", "MR of 33001.png"]
    assert seen["marked"] == ["right", "left", "", "", ""]
    assert seen["second"] == ["2 of 2", "CT of 37001.png"] and seen["pairs"] == 1
    assert seen["round"] == "1 of 2" and seen["small"] == "average"
    assert seen["highlighted"] and seen["dots"] == 6
    assert seen["scales"] == ["logarithmic"]


def test_page_does_not_scroll_sideways_on_a_phone(load, tmp_path, payload, pictures, losses):
    name = "a_method_whose_name_has_no_space_" * 4
    payload["methods"].append(name)
    for part in ("scores", "intervals", "values", "by_patient"):
        payload[part][name] = payload[part]["average"]
    for pair in pictures:
        pair["images"][name] = np.zeros((20, 80), "uint8")
    payload["cautions"][name] = ["Brighter than its sources. " * 5]
    write_report(tmp_path / "report.html", payload, pictures, losses, title=name)
    append(tmp_path / "report.html", MEASURE)
    (tmp_path / "phone.html").write_text(NARROW)
    root, complaints = load(tmp_path / "phone.html")
    seen = json.loads(root["data-seen"])
    assert seen["outside"] == []
    assert complaints == [] and seen["page"][0] == seen["page"][1] <= 360 and seen["wider"]
