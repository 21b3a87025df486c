"""The page of mistakes: who is on it, what stands beside whom, and that nothing of a file name becomes markup."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.gallery import answers, random_people, truth_of, worst, write_gallery
from personvlm.schema import GROUP, Annotations, Attribute, Known, PersonDescription


def said(**values):
    attributes = {}
    for name, (value, confidence) in values.items():
        group = name.replace("_", ".")
        attributes[group] = Attribute(value=(value,) if GROUP[group].kind == "set" else value, confidence=confidence)
    return PersonDescription(text="The image shows <b>a man</b>.", attributes=attributes)


@pytest.fixture
def people(tmp_path):
    facts = {"gender": "male", "upper.color": "red", "headwear": "hat"}
    samples = []
    for row, who in enumerate(("a", "a", "b", "c", "d & <d>")):
        path = tmp_path / f"{row} <{row}>.png"
        Image.new("RGB", (40, 90), "red").save(path)
        samples.append(Sample(path, Annotations.build(facts), identity=who))
    descriptions = [
        said(gender=("female", 0.998), upper_color=("red", 0.8)),
        said(gender=("female", 0.98), upper_color=("blue", 0.7)),
        said(gender=("male", 0.9), headwear=("none", 0.97), view=("front", 0.99)),
        said(gender=("male", 0.9), upper_color=("green", 0.6)),
        said(gender=("male", 0.95)),
    ]
    return descriptions, samples


def test_the_most_confident_mistakes_come_first_and_nobody_twice(people):
    descriptions, samples = people
    described = [answers(*pair) for pair in zip(descriptions, samples, strict=True)]
    found = [(row, answer.group) for row, answer in worst(described, samples, 9)]
    assert found == [(0, "gender"), (3, "upper.color")], "no hat is not stated, and a view that nobody labelled is open"
    assert [row for row, _ in worst(described, samples, 1)] == [0]
    assert {answer.group: answer.right for answer in described[2]} == {
        "gender": True, "headwear": False, "upper.color": None, "view": None}  # fmt: skip


def test_random_people_are_different_and_stay_the_same(people):
    _, samples = people
    drawn = random_people(samples, 9)
    assert sorted(samples[row].identity for row in drawn) == ["a", "b", "c", "d & <d>"]
    assert random_people(samples, 2) == drawn[:2]


def test_the_page_holds_everything_and_fetches_nothing(people, tmp_path):
    descriptions, samples = people
    path = write_gallery(tmp_path / "out", descriptions, samples, 3, model="edge <1>", data="test & more.jsonl")
    page = path.read_text("utf-8")
    assert path.name == "gallery.html"
    assert page.count('<article class="card"') == 2 + 3
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert not re.search(r"https?://|url\(|@import|<link|<script src", page)
    assert "&lt;b&gt;a man&lt;/b&gt;" in page
    assert "edge &lt;1&gt; on test &amp; more.jsonl" in page
    assert "<b>a man" not in page
    assert "0 <0>" not in page
    assert "said <b>female</b> with 99.8%, labelled <b>male</b>" in page
    assert re.findall(r'data-group="([^"]*)" aria-pressed', page) == ["", "gender", "upper.color"]
    assert "$" not in page.split("<style>")[1].split("</style>")[0]


def test_labels_in_words():
    assert truth_of("age", Known(GROUP["age"].leaves("adult"))) == "adult"
    assert truth_of("eyewear", Known(frozenset({"none", "glasses"}))) == "none or glasses"
    assert truth_of("carrying", Known(frozenset({"bag", "backpack", "folder"}))) == "backpack, folder"
    assert truth_of("upper.color", Known(frozenset(), frozenset({"red"}))) == "none of those labelled"
    assert truth_of("gender", None) == "not labelled"


def test_an_empty_gallery_is_refused_and_one_without_mistakes_says_so(people, tmp_path):
    descriptions, samples = people
    with pytest.raises(InputError, match="1 or more"):
        write_gallery(tmp_path, descriptions, samples, 0)
    page = write_gallery(tmp_path, descriptions[4:], samples[4:], 2).read_text("utf-8")
    assert "No answer that can be judged is wrong" in page
