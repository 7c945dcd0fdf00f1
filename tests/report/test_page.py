import copy
import json
import math
import re

import pytest

from medgan.errors import MedganError
from medgan.report import write_report
from medgan.report.page import safe_json


def headings(page):
    return [text for tag, text in page.texts if tag == "h2"]


def test_every_element_is_closed_and_every_name_unique(page_of, payload, pictures, losses, health):
    page = page_of(payload, pictures, losses, health)
    assert page.wrong == []
    names = [a["id"] for _, a in page.elements if "id" in a]
    assert len(names) == len(set(names))
    targets = [link["href"].removeprefix("#") for link in page.found("a")]
    assert set(targets) <= set(names) and len(targets) >= 8
    labels = [label["for"] for label in page.found("label") if "for" in label]
    assert set(labels) <= set(names)


def test_sections_come_in_order(page_of, payload, pictures, losses, health):
    page = page_of(payload, pictures, losses, health)
    assert headings(page) == [
        "Scores",
        "Pictures",
        "Patient by patient",
        "Comparison",
        "Losses",
        "Health of the training",
        "Conventions",
        "Origin",
    ]


def test_page_refers_to_nothing_outside(page_of, payload, pictures, losses, health, tmp_path):
    page = page_of(payload, pictures, losses, health)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(|<iframe|<object", text)
    policy = page.found("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    addresses = [a[k] for _, a in page.elements for k in ("src", "href") if k in a]
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_hostile_names_stay_text(page_of, payload, pictures, losses, health, tmp_path):
    evil = payload["methods"][2]
    losses["records"][evil] = losses["records"]["student_without_teacher"]
    for key in ("title", "task", "command", "created"):
        payload[key] = evil
    payload["notes"] = payload["problems"] = [evil]
    payload["cautions"] = {evil: [evil]}
    payload["versions"] = {evil: evil}
    payload["images"][0]["name"] = pictures[0]["name"] = pictures[1]["patient"] = evil
    page = page_of(payload, pictures, losses, health, title=evil)
    assert page.wrong == [] and len(page.found("script")) == 3
    assert evil not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert headings(page)[0] == "Scores" and page.text.count(evil) > 20


def test_numbers_are_kept_for_machines(page_of, payload):
    payload["values"]["average"]["sf"][0] = math.nan
    page = page_of(payload)
    stored = json.loads(next(t for tag, t in page.texts if t.startswith('{"title"')))
    expected = copy.deepcopy(payload)
    expected["values"]["average"]["sf"][0] = None
    assert stored == expected
    assert not re.search("[<>&]", safe_json({"</script>": ["<!--", "&"]}))


def test_summary_counts_and_names_the_best(page_of, payload):
    text = " ".join(page_of(payload).text.split())
    assert "3 methods on 3 pairs of 2 patients." in text
    assert "Best: maximum in SF (30.00) and SSIM (0.750); average in SSIM (0.750)." in text
    assert "No method is best" not in text  # maximum leads all, and shares one
    assert "Beware of maximum" in text and "1 result left out" in text


def test_summary_says_so_where_no_method_is_best_in_all(page_of, payload):
    payload["scores"]["maximum"]["ssim"] = 0.7
    assert "No method is best in every score." in page_of(payload).text


def test_comparison_says_what_holm_corrects_for(page_of, payload):
    text = " ".join(page_of(payload).text.split())
    assert "Holm's correction within one score over all pairs of methods (3)" in text


def test_one_image_has_no_intervals_and_the_page_says_so(page_of, alone, pictures):
    page = page_of(alone, pictures[:1])
    assert "One image only: there are no intervals and no tests." in page.text
    assert "95 %" not in page.text.split("Conventions")[1]
    assert headings(page) == ["Scores", "Pictures", "Image by image", "Conventions", "Origin"]


def test_synthesis_has_scores_without_pictures_and_plots(page_of, synthesis):
    page = page_of(synthesis)
    assert page.wrong == [] and headings(page) == ["Scores", "Conventions", "Origin"]
    assert "3 sets of generated images. Best: maximum" in page.text


def test_translation_begins_with_the_target(page_of, payload, pictures):
    payload["task"] = "translation"
    for pair in pictures:
        pair["images"] = {"target": pair["images"]["MR"], "average": pair["images"]["average"]}
    viewer = page_of(payload, pictures).found("div", class_="viewer")[0]
    assert (viewer["data-left"], viewer["data-right"]) == ("target", "average")


def test_viewer_begins_with_the_best_method_without_a_caution(page_of, payload, pictures):
    viewer = page_of(payload, pictures).found("div", class_="viewer")[0]
    assert (viewer["data-left"], viewer["data-right"]) == ("CT", "average")
    payload["cautions"] = {}
    viewer = page_of(payload, pictures).found("div", class_="viewer")[0]
    assert viewer["data-right"] == "maximum"


def test_notes_problems_health_and_origin_are_told(page_of, payload, losses, health):
    payload["problems"] = [f"{n}.png: received nothing." for n in range(30)]
    page = page_of(payload, (), losses, health)
    text = page.text
    assert "its luminance was taken" in text and "22 more left out" in text
    assert "29.png: received nothing." in text
    assert "warning teacher, step 40: Its output is <constant>." in text
    assert "notice teacher, step 60: Its output varies again." in text
    assert len(page.found("li", **{"class": "warned"})) == 1
    assert len(page.found("li", **{"class": "told"})) == 1
    assert "22 November 2026, 16:30 UTC" in text and "medgan 0.1.0, numpy 2.4.6" in text
    assert "medgan-evaluate --first A --second 'B & C'" in text


def test_losses_are_drawn_on_both_axes_with_the_equilibrium(page_of, payload, losses):
    page = page_of(payload, losses=losses)
    assert len(page.found("svg", **{"data-scale": "linear"})) == 1
    assert len(page.found("svg", **{"data-scale": "logarithmic"})) == 1
    assert "equilibrium 1.386" in page.text and "student without teacher" in page.text
    del losses["equilibria"]
    assert "equilibrium 1" not in page_of(payload, losses=losses).text


def test_page_is_written_whole_or_not_at_all(tmp_path, payload, pictures):
    path = tmp_path / "report.html"
    path.write_text("old")
    pictures[0]["images"]["CT"] = pictures[0]["images"]["CT"] / 255
    with pytest.raises(ValueError, match="Received a picture of float64"):
        write_report(path, payload, pictures)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "file").touch()
    with pytest.raises(MedganError, match="Cannot write"):
        write_report(tmp_path / "file" / "report.html", payload)
