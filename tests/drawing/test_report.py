"""The report: one file that holds everything, loads nothing, and takes every text as text."""

import base64
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from micrograd_mlp.drawing.report import MOST_EPOCHS, Picture, write_report
from micrograd_mlp.training import COLUMNS, Epoch, History

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "{{ 7 * 7 }}", "&amp; \u202e."]
PNG = b"\x89PNG\r\n\x1a\n and the rest"


class Page(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text("utf-8")
        self.tags, self.texts = [], []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def page(tmp_path, **content):
    return Page(write_report(tmp_path / "report.html", **{"title": "A run", **content}))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "boundary.png"
    path.write_bytes(PNG)
    return path


def test_everything_given_is_in_the_page(tmp_path, picture):
    made = page(
        tmp_path,
        summary=[("accuracy", "99%"), ("network", "2-16-1")],
        notes=["network.svg was not made"],
        pictures=[("The boundary", picture), Picture("Curves", picture, alt="Loss falls from 1 to 0.1")],
        confusion=np.array([[3, 1], [0, 4]]),
        classes=("no", "yes"),
        history=History([Epoch(1, 0.5, 0.75, math.nan, math.nan, 0.05)]),
    )
    assert {"A run", "accuracy", "99%", "2-16-1", "network.svg was not made", "The boundary", "Curves"} <= set(
        made.texts
    )
    first, second = made.all("img")
    assert base64.b64decode(first["src"].removeprefix("data:image/png;base64,")) == PNG
    assert (first["alt"], second["alt"]) == ("The boundary", "Loss falls from 1 to 0.1")
    row = made.texts.index("no")
    assert made.texts[row : row + 6] == ["no", "3", "1", "yes", "0", "4"]
    assert [cell["style"] for cell in made.all("td") if "style" in cell][:2] == ["--share: 0.750", "--share: 0.250"]
    first_cell = made.texts.index("1 of 1 epochs") + 1 + len(COLUMNS)
    assert made.texts[first_cell : first_cell + len(COLUMNS)] == ["1", "0.5", "75.00%", "–", "–", "0.05"]


def test_empty_parts_leave_no_trace(tmp_path):
    made = page(tmp_path)
    assert not made.all("h2") + made.all("img") + made.all("table") + made.all("dl") + made.all("details")


def test_hostile_texts_are_texts(tmp_path, picture):
    made = page(
        tmp_path,
        title=HOSTILE[0],
        summary=[(text, text) for text in HOSTILE],
        notes=HOSTILE,
        pictures=[(text, picture) for text in HOSTILE],
        confusion=np.eye(len(HOSTILE)),
        classes=HOSTILE,
    )
    assert not made.all("script")
    assert [image["alt"] for image in made.all("img")] == HOSTILE
    assert all(set(image) == {"src", "alt"} for image in made.all("img"))
    for text in HOSTILE:
        assert made.texts.count(text) >= 5 + (text == HOSTILE[0])
    assert not [name for _, attributes in made.tags for name in attributes if name.startswith("on")]


def test_names_that_are_no_unicode_do_not_stop_it(tmp_path):
    assert "?.csv" in page(tmp_path, title="\udcff.csv").texts


def test_page_loads_nothing(tmp_path, picture):
    drawing = tmp_path / "network.svg"
    drawing.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    made = page(tmp_path, pictures=[("a", picture), ("b", drawing)])
    (policy,) = [meta["content"] for meta in made.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.split("; ")[:3] == ["default-src 'none'", "img-src data:", "style-src 'unsafe-inline'"]
    sources = [value for _, attributes in made.tags for name, value in attributes.items() if name in ("src", "href")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"https?:|url\(|@import|<svg", made.source)


def test_svg_gets_the_whole_width(tmp_path, picture):
    drawing = tmp_path / "network.SVG"
    drawing.write_text("<svg/>")
    made = page(tmp_path, pictures=[("a", picture), ("b", drawing)])
    assert [figure["class"] for figure in made.all("figure")] == ["card", "card wide"]
    assert made.all("img")[1]["src"].startswith("data:image/svg+xml;base64,")


def test_long_histories_are_shown_in_few_rows_from_the_first_to_the_last(tmp_path):
    made = page(tmp_path, history=History([Epoch(i, 1.0, 0.5, 1.0, 0.5, 0.1) for i in range(1, 1001)]))
    assert f"{MOST_EPOCHS} of 1000 epochs" in made.texts
    first_cells = made.texts[made.texts.index("learning rate") + 1 :: len(COLUMNS)][:MOST_EPOCHS]
    assert (first_cells[0], first_cells[-1], len(set(first_cells))) == ("1", "1000", MOST_EPOCHS)


def test_same_run_same_bytes(tmp_path, picture):
    content = {"pictures": [("a", picture)], "summary": [("a", "b")]}
    assert page(tmp_path, **content).source == page(tmp_path, **content).source


def test_dark_light_phone_and_print_are_thought_of(tmp_path):
    source = page(tmp_path).source
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source
    assert 'name="viewport"' in source


def test_what_cannot_be_shown_is_refused_and_the_old_file_stays(tmp_path, picture):
    old = write_report(tmp_path / "report.html", title="old").read_bytes()
    with pytest.raises(ValueError, match=r"kinds \.png, \.gif, \.svg; got 'model\.safetensors'"):
        page(tmp_path, pictures=[("a", "model.safetensors")])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        page(tmp_path, pictures=[("a", tmp_path / "nowhere.png")])
    with pytest.raises(ValueError, match=r"2 classes take a square matrix of that size, got one of shape \(3, 3\)"):
        page(tmp_path, confusion=np.eye(3), classes=("a", "b"))
    assert (tmp_path / "report.html").read_bytes() == old
