import copy
import html.parser

import numpy as np
import pytest

from medgan.report import write_report

VOID = {"meta", "link", "img", "input", "br", "hr"}
EVIL = "<script>alert(1)</script>"


class Page(html.parser.HTMLParser):
    """What is in a page: elements with attributes, texts by element, and whether all is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts, self.wrong = [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"never closed: {tag}" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"closed out of order: {tag} at {self.getpos()}")

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else None, data))

    def found(self, tag, **wanted):
        """Attributes of all elements of a kind whose attributes are as wanted."""
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]

    @property
    def text(self):
        return "".join(data for tag, data in self.texts if tag not in {"script", "style"})


def _score(title, better, decimals, main=True):
    return {
        "title": title,
        "convention": f"What {title} is.",
        "source": "Somebody 1999",
        "better": better,
        "decimals": decimals,
        "main": main,
    }


@pytest.fixture
def payload():
    """Three methods, one with a hostile name, on three images of two patients."""
    methods = ["average", "maximum", EVIL]
    scores = {
        "average": {"sf": 10.0, "ssim": 0.75, "nabf": 0.0},
        "maximum": {"sf": 30.0, "ssim": 0.7504, "nabf": 0.02},
        EVIL: {"sf": 20.0, "ssim": 0.5, "nabf": None},
    }
    spread = {"sf": 2.0, "ssim": 0.1, "nabf": 0.01}
    by_patient = {
        method: {
            key: None if mean is None else {"33": mean - spread[key], "37": mean + spread[key]}
            for key, mean in row.items()
        }
        for method, row in scores.items()
    }
    by_patient[EVIL]["nabf"] = {"33": None, "37": None}
    return {
        "title": "Three methods & their scores",
        "task": "fusion",
        "created": "2026-11-22T16:30:00+00:00",
        "command": "medgan-evaluate --first A --second 'B & C'",
        "versions": {"medgan": "0.1.0", "numpy": "2.4.6"},
        "baseline": "maximum",
        "conventions": {
            "sf": _score("SF", "higher", 2),
            "ssim": _score("SSIM", "higher", 3),
            "nabf": _score("Nabf", "lower", 3, main=False),
        },
        "images": [
            {"name": "33001.png", "patient": "33"},
            {"name": "33002.png", "patient": "33"},
            {"name": "37001.png", "patient": "37"},
        ],
        "patients": ["33", "37"],
        "methods": methods,
        "scores": scores,
        "intervals": {
            method: {
                k: None if v is None else [v - spread[k], v + spread[k]] for k, v in row.items()
            }
            for method, row in scores.items()
        },
        "values": {
            method: {
                key: [None] * 3 if mean is None else [mean - spread[key]] * 2 + [mean + spread[key]]
                for key, mean in row.items()
            }
            for method, row in scores.items()
        },
        "by_patient": by_patient,
        "tests": [
            {
                "first": first,
                "second": second,
                "score": "sf",
                "difference": scores[first]["sf"] - scores[second]["sf"],
                "interval": [
                    scores[first]["sf"] - scores[second]["sf"] - 1.0,
                    scores[first]["sf"] - scores[second]["sf"] + 2.0,
                ],
                "p": 0.01,
                "p_holm": 0.03,
                "unit": "patients",
                "count": 2,
            }
            for first, second in (("average", "maximum"), ("average", EVIL), ("maximum", EVIL))
        ],
        "costs": {"average": {"parameters": 0, "macs": None, "milliseconds": 0.1}},
        "cautions": {"maximum": ["Brighter than both of its sources & more."]},
        "notes": ["The second source was in colour: its luminance was taken."],
        "problems": ["33022.png (maximum): received 255x256, expected 256x256."],
    }


@pytest.fixture
def pictures():
    """Two pairs; in the first, MR is 51 above CT in 16 rows, equal in one, 51 below in 15."""
    ct = np.full((32, 48), 100, "uint8")
    mr = np.full((32, 48), 151, "uint8")
    mr[16], mr[17:] = 100, 49
    fused = {"CT": ct, "MR": mr, "average": ct, "maximum": np.maximum(ct, mr), EVIL: mr}
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 48), "uint8")
    return [
        {"name": "33001.png", "patient": "33", "images": fused},
        {"name": "37001.png", "patient": None, "images": dict(zip(fused, noise, strict=True))},
    ]


@pytest.fixture
def losses():
    return {
        "records": {
            "student_without_teacher": [
                {"step": step, "loss": 8.0 - step, "discriminator": 1.0} for step in range(5)
            ]
        },
        "equilibria": {"student_without_teacher": 1.386},
    }


@pytest.fixture
def health():
    text = "Its output is <constant>."
    return [
        {"stage": "teacher", "step": 40, "severity": "warning", "text": text},
        {"stage": "teacher", "step": 60, "severity": "notice", "text": "Its output varies again."},
    ]


@pytest.fixture
def alone(payload):
    """The payload of one image: nothing to make intervals, tests or patients of."""
    single = copy.deepcopy(payload)
    single.update(images=single["images"][:1], patients=None, by_patient={}, tests=[])
    for method in single["methods"]:
        single["values"][method] = {k: v[:1] for k, v in single["values"][method].items()}
        single["intervals"][method] = dict.fromkeys(single["intervals"][method])
    return single


@pytest.fixture
def synthesis(payload):
    """What synthesis gives: one number for all images of a method, and nothing by image."""
    for name in ("images", "patients", "values", "by_patient", "tests", "intervals"):
        payload.pop(name)
    payload.update(task="synthesis", baseline=None)
    return payload


@pytest.fixture
def page_of(tmp_path):
    """Writes a page and reads it back."""

    def write(*arguments, **settings):
        write_report(tmp_path / "report.html", *arguments, **settings)
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


@pytest.fixture(scope="session")
def parse():
    """Reads HTML into a `Page`."""
    return Page
