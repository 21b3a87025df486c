"""Questions in plain words: what they ask for."""

from __future__ import annotations

import pytest

from personvlm.schema import GROUP
from personvlm.store.near import weights
from personvlm.store.query_parser import LONGEST, parse_query

READ = {
    "woman in a red jacket without a hat, about thirty": [
        "age: young adult or thirties", "gender: female", "upper.color: red", "upper.garment: jacket",
        "headwear: none"],
    "red or orange jacket": ["upper.color: red or orange", "upper.garment: jacket"],
    "a jacket or coat in red": ["upper.garment: jacket or coat", "upper.color: red"],
    "red jacket or blue coat": [
        "upper.color: red and upper.garment: jacket or upper.color: blue and upper.garment: coat"],
    "red jacket or coat": ["upper.color: red", "upper.garment: jacket or coat"],
    "black and white striped shirt": [
        "upper.color: black", "upper.color: white", "upper.pattern: striped", "upper.garment: shirt"],
    "jacket that is red": ["upper.garment: jacket", "upper.color: red"],
    "person in red": ["upper.color: red or lower.color: red"],
    "no backpack": ["not carrying: backpack"],
    "no hat, bag or glasses": ["headwear: none", "not carrying: bag", "eyewear: none"],
    "man with no hat or glasses": ["gender: male", "headwear: none", "eyewear: none"],
    "man without a backpack but with a suitcase": ["gender: male", "not carrying: backpack", "carrying: suitcase"],
    "woman not wearing glasses": ["gender: female", "eyewear: none"],
    "no red jacket": ["not upper.color: red and upper.garment: jacket"],
    "not carrying anything": ["carrying: none"],
    "man or woman with umbrella": ["gender: male or female", "carrying: umbrella"],
    "navy sweatshirt": ["upper.color: dark blue", "upper.garment: hoodie"],
    "hoodies": ["upper.garment: hoodie"],
    "young blonde woman with long hair": [
        "age: young adult", "hair.color: blond", "gender: female", "hair.length: long"],
    "old man": ["age: elderly", "gender: male"],
    "woman in her thirties": ["gender: female", "age: thirties"],
    "woman in her forties": ["age: thirties or middle-aged", "gender: female"],
    "30 years old man": ["age: young adult or thirties", "gender: male"],
    "woman aged 70": ["age: elderly", "gender: female"],
    "teenager on a bike": ["age: child or young adult", "posture: riding a bicycle"],
    "short skirt and boots": ["lower.garment: short skirt", "footwear.type: boots"],
    "seen from behind, walking": ["view: back", "posture: walking"],
    "dark hair": ["hair.color: dark"],
    "guy with sunglasses": ["gender: male", "eyewear: sunglasses"],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_what_is_asked(text: str) -> None:
    query = parse_query(text)
    assert [str(term) for term in query.terms] == READ[text]
    assert query.words == ()


@pytest.mark.parametrize(("typo", "word"), [("jaket", "jacket"), ("bakcpack", "backpack"), ("sunglases", "sunglasses"),
                                            ("umbrela", "umbrella"), ("sweather", "sweater")])  # fmt: skip
def test_typos_are_read_and_told(typo: str, word: str) -> None:
    pytest.importorskip("rapidfuzz")
    query = parse_query(f"somebody with {typo}")
    assert query.terms == parse_query(f"somebody with {word}").terms
    assert query.notes == (f"read {typo!r} as {word!r}",)


@pytest.mark.parametrize("word", ["lanyard", "racket", "cane", "tattoo", "guitar"])
def test_other_words_are_left_to_the_text(word: str) -> None:
    query = parse_query(f"man with a {word}")
    assert (query.words, query.notes) == ((word,), ())


def test_quotations_are_looked_for_in_the_text() -> None:
    query = parse_query('woman, "light blue jeans"')
    assert query.phrases == (("light", "blue", "jeans"),)
    assert [str(term) for term in query.terms] == ["gender: female"]


def test_what_cannot_be_told_is_told() -> None:
    query = parse_query("man with a red backpack and no tattoo")
    assert [str(term) for term in query.terms] == ["gender: male", "carrying: backpack"]
    assert len(query.notes) == 2
    assert "backpack is red" in query.notes[0]
    assert query.words == ()


def test_nothing_that_is_typed_breaks_it() -> None:
    for text in ("or or or", "not not", "and", '"', '""', "no", "red", "' OR 1=1 --", "1e999 years old", "-", "💃 🧥",
                 "a" * 10_000, "no " * 400, "red or " * 200, "NEAR(a b)", "x AND y*", "(((((", "\x00\x01",
                 "%s%n"):  # fmt: skip
        query = parse_query(text)
        assert query.text == text
    assert parse_query("red " * LONGEST).terms


def test_every_value_can_be_asked_for() -> None:
    from personvlm.language.realiser import realise

    for group, value in (("carrying", "umbrella"), ("upper.color", "pink"), ("footwear.type", "boots")):
        assert f"{group}: {value}" in [str(term) for term in parse_query(realise({group: (value,)})).terms]


def test_what_is_near_counts_less() -> None:
    assert weights("upper.color", "red") == {"red": 1.0, "orange": 0.15, "pink": 0.15}
    assert weights("age", "adult") == {"young adult": 1.0, "thirties": 1.0, "middle-aged": 1.0}
    assert weights("hair.color", "dark") == {"black": 1.0, "brown": 1.0}
    for group in GROUP.values():
        for value in group.values:
            near = weights(group.name, value)
            assert near
            assert set(near) <= set(group.values)
            assert all(0 < weight <= 1 for weight in near.values())
