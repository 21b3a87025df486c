"""The demo and its report: everything inside one file, escaped, with the truth beside the answer."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import PersonVLMError
from personvlm.pipeline.demo import demo
from personvlm.pipeline.inputs import Item, expand
from personvlm.pipeline.truth import Score, count, judge
from personvlm.runtime.bench_hardware import hardware_line
from personvlm.schema import UNKNOWN, Attribute

pytestmark = pytest.mark.usefixtures("fake_describer")


class Page(HTMLParser):
    """Checks that tags close, and collects what they hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def picture(path: Path, size: tuple[int, int] = (1200, 2400)) -> Path:
    Image.new("RGB", size, "red").save(path)
    return path


def test_report_of_given_pictures_is_one_offline_file(tmp_path: Path) -> None:
    items = expand([str(picture(tmp_path / "<b>&amp; ü.jpg")), str(tmp_path / "missing<i>.jpg")])
    done = demo(items, out=tmp_path / "a" / "b")
    html = done.report.read_text("utf-8")
    page = Page(html)
    assert (done.people, done.failed) == (1, 1)
    assert "<b>&amp; ü.jpg" in page.text
    assert "missing<i>.jpg" in page.text
    assert "He is wearing a red coat." in page.text
    assert "91%" in page.text
    assert "12 ms" in page.text
    assert "1 picture could not be read" in page.text
    assert hardware_line() in page.text
    assert all(link.startswith("data:image/") for link in page.links)
    assert "url(" not in html
    assert "@import" not in html
    shown = Image.open(io.BytesIO(base64.b64decode(page.links[0].split(",", 1)[1])))
    assert shown.size == (160, 320), "large pictures are shown small"
    assert "✓" not in page.text
    assert "✗" not in page.text


def test_rendered_people_are_shown_with_their_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((64, 32, 3), np.uint8)
    truths = [
        {"gender": ("male",), "upper.garment": ("jacket",), "upper.color": ("red", "black"), "headwear": ("hat",)},
        {"gender": ("female",)},
    ]
    monkeypatch.setattr("personvlm.pipeline.demo.rendered_samples", lambda n, seed: [(pixels, t) for t in truths[:n]])
    page = Page(demo(None, 2, tmp_path).report.read_text("utf-8"))
    assert "coat truth: jacket" in page.text
    assert "male truth: female" in page.text
    assert (page.text.count("✓"), page.text.count("✗")) == (2, 2)
    assert "Not said: headwear (hat)" in page.text
    assert "50% true: 2 of 4 facts said" in page.text
    assert "80% said: 4 of 5 facts" in page.text


def test_rendered_people_by_default(tmp_path: Path) -> None:
    done = demo(None, 3, tmp_path)
    page = Page(done.report.read_text("utf-8"))
    assert done.people == 3
    assert len(page.links) == 3
    assert re.search(r"\d+% true: \d+ of \d+ facts said", page.text)


def test_answers_are_what_describe_prints(tmp_path: Path) -> None:
    name = str(picture(tmp_path / "a.png", (40, 80)))
    done = demo([Item(name, Path(name)), Item("b\udcff", error="nothing there")], out=tmp_path / "out")
    good, bad = map(json.loads, done.answers.read_text("utf-8").splitlines())
    assert good["input"] == name
    assert good["attributes"]["gender"] == {"value": "male", "confidence": 0.91}
    assert bad == {"input": "b\udcff", "error": "nothing there"}
    assert "b\\udcff" in done.report.read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(PersonVLMError, match=r"file.*--out"):
        demo([Item("a", error="nothing")], out=blocked / "report")


def test_pictures_are_described_one_at_a_time(tmp_path: Path, fake_describer: Any) -> None:
    demo(expand([str(picture(tmp_path / "a.jpg", (40, 80)))] * 3), out=tmp_path / "out", say="all")
    assert fake_describer.asked[-1]["batch"] == 1
    assert fake_describer.asked[-1]["say"] == "all"


@pytest.mark.parametrize(
    ("group", "said", "truth", "verdict"),
    [
        ("gender", "male", ("male",), "right"),
        ("gender", "male", ("female",), "wrong"),
        ("age", "adult", ("thirties",), "right"),
        ("age", "thirties", ("elderly",), "wrong"),
        ("upper.color", ("blue",), ("dark blue",), "right"),
        ("upper.color", ("dark blue",), ("blue",), "wrong"),
        ("upper.color", ("red",), ("red", "white"), "right"),
        ("upper.color", ("red", "green"), ("red", "white"), "wrong"),
        ("carrying", ("bag",), ("backpack",), "right"),
        ("carrying", ("backpack",), ("none",), "wrong"),
        ("headwear", "none", ("none",), "absent"),
        ("headwear", "none", ("hat",), "wrong"),
        ("headwear", None, ("none",), None),
        ("headwear", None, ("hat",), "silent"),
        ("headwear", UNKNOWN, ("hat",), "silent"),
        ("headwear", "hat", (), None),
    ],
)
def test_judging(group: str, said: Any, truth: tuple[str, ...], verdict: str | None) -> None:
    attributes = {} if said is None else {group: Attribute(value=said, confidence=0.9)}
    assert judge(attributes, {group: truth}).get(group) == verdict


def test_counting() -> None:
    score = count([{"gender": "right", "age": "silent", "headwear": "absent"}, {"gender": "wrong"}, {}])
    assert score == Score(right=1, wrong=1, silent=1)
    assert (score.said, score.known) == (2, 3)
