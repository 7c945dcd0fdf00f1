import math

from numpy.testing import assert_allclose

from medgan.report.loss_plots import loss_plot, thinned, unbroken
from medgan.report.plots import strip_plot


def places(page, name="cx"):
    return [float(circle[name]) for circle in page.found("circle")]


def test_dots_stand_where_their_values_are(payload, parse):
    page = parse(strip_plot(payload, "sf"))
    # values from 8 to 32 in steps of 10 make an axis from 0 to 40, drawn from 12 to 368
    expected = [12 + value / 40 * 356 for value in (8, 12, 28, 32, 18, 22)]
    assert_allclose(places(page), expected, atol=0.051)
    rows = places(page, "cy")
    assert rows[0] == rows[1] < rows[2] == rows[3] < rows[4] == rows[5]
    assert [circle["data-unit"] for circle in page.found("circle")] == ["0", "1"] * 3
    band = page.found("line", class_="interval")[1]
    assert_allclose([float(band["x1"]), float(band["x2"])], [261.2, 296.8], atol=0.051)
    # the mean of the baseline, 30, goes through all rows
    assert page.found("line", class_="baseline")[0]["x1"] == "279.0"
    assert [t for tag, t in page.texts if tag == "title"][:2] == [
        "patient 33: 8.00",
        "patient 37: 12.00",
    ]


def test_diamonds_stand_at_the_means(payload, parse):
    diamonds = parse(strip_plot(payload, "sf")).found("path", class_="diamond")
    tips = [float(diamond["d"][1:].split()[0]) + 5 for diamond in diamonds]
    assert_allclose(tips, [101.0, 279.0, 190.0], atol=0.051)


def test_images_are_the_dots_where_there_are_no_patients(alone, parse):
    page = parse(strip_plot(alone, "ssim"))
    assert len(page.found("circle")) == 3 and not page.found("line", class_="interval")
    assert "33001.png: 0.650" in [text for tag, text in page.texts if tag == "title"]


def test_undefined_values_have_no_dot_and_no_plot_is_drawn_without_any(payload, parse):
    assert len(parse(strip_plot(payload, "nabf")).found("circle")) == 4
    for method in payload["methods"]:
        payload["scores"][method]["nabf"] = payload["intervals"][method]["nabf"] = None
        payload["by_patient"][method]["nabf"] = {"33": None, "37": None}
    assert strip_plot(payload, "nabf") == ""


def test_long_names_go_on_with_another_line(payload, parse):
    name = "a method with a very long name that nobody would shorten without loss of meaning"
    payload["methods"][0] = name
    for part in ("scores", "intervals", "values", "by_patient"):
        payload[part][name] = payload[part]["average"]
    page = parse(strip_plot(payload, "sf"))
    lines = [text for tag, text in page.texts if tag == "text" and text in name]
    assert len(lines) == 2 and " ".join(reversed(lines)) == name
    tops = [float(t["y"]) for t in page.found("text") if t["x"] == "6"]
    assert tops[0] - tops[1] == 15.0  # the last line is written first, below the other


RECORDS = [{"step": step, "loss": 10.0 - step, "discriminator": 1.0} for step in range(5)]


def curve(page, name):
    path = page.found("path", class_=f"curve {name}")[0]["d"]
    return [[tuple(map(float, p.split())) for p in run.split("L")] for run in path.split("M")[1:]]


def test_curves_go_through_their_values(parse):
    page = parse(loss_plot("teacher", RECORDS, equilibrium=1.5))
    # steps 0 to 4 from 46 to 366; losses 6 to 10 from 112 up to 20
    expected = [(46 + 80 * n, 20 + 23 * n) for n in range(5)]
    assert_allclose(curve(page, "loss")[0], expected, atol=0.051)
    # the discriminator's panel lies from 236 up to 144 and reaches from 1 to 1.6
    assert {y for _, y in curve(page, "discriminator")[0]} == {236.0}
    level = page.found("line", class_="equilibrium")[0]
    assert_allclose(float(level["y1"]), 236 - 92 * 0.5 / 0.6, atol=0.051)


def test_equal_ratios_are_equal_heights_on_a_logarithmic_axis(parse):
    records = [{"step": step, "loss": 10.0**-step} for step in range(3)]
    page = parse(loss_plot("teacher", records, logarithmic=True))
    assert_allclose([y for _, y in curve(page, "loss")[0]], [20, 66, 112], atol=0.051)
    assert not page.found("path", class_="curve discriminator")


def test_values_that_cannot_be_drawn_leave_a_gap(parse):
    losses = [4.0, 3.0, math.nan, 2.0, 0.0, 1.0]
    records = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
    assert len(curve(parse(loss_plot("teacher", records)), "loss")) == 2
    assert len(curve(parse(loss_plot("teacher", records, logarithmic=True)), "loss")) == 3
    assert loss_plot("teacher", [{"step": 0, "loss": None}]) == loss_plot("teacher", []) == ""
    assert unbroken([{"step": 0, "loss": 1.0}, {"step": 1}, {"step": 2, "loss": 2.0}], "loss") == [
        [(0, 1.0), (2, 2.0)]
    ]


def test_long_curves_keep_their_extremes_in_order():
    points = [(n, math.sin(n / 500) + (9 if n == 1234 else 0)) for n in range(20_000)]
    kept = thinned(points)
    assert len(kept) <= 700 and kept == sorted(kept)
    assert max(v for _, v in kept) == max(v for _, v in points)
    assert min(v for _, v in kept) == min(v for _, v in points)
