"""Ways to say a thing: what is not wanted, lists, two people, ages, and what nobody describes."""

from __future__ import annotations

import pytest

from personvlm.store.query_parser import parse_query

EXCLUDED = {
    "man in a jacket that is not red": ["gender: male", "upper.garment: jacket", "not upper.color: red"],
    "his shirt is not white": ["upper.garment: shirt", "not upper.color: white"],
    "woman whose hair is not long": ["gender: female", "not hair.length: long"],
    "a jacket that is neither red nor blue": [
        "upper.garment: jacket", "not upper.color: red", "not upper.color: blue"],
    "trousers that are not blue": ["lower.garment: trousers", "not lower.color: blue"],
    "jacket not red": ["upper.garment: jacket", "not upper.color: red"],
    "jacket isn't red": ["upper.garment: jacket", "not upper.color: red"],
    "a jacket, not a red one": ["upper.garment: jacket", "not upper.color: red"],
    "jacket that is not red but blue": ["upper.garment: jacket", "upper.color: blue", "not upper.color: red"],
    "jacket that is not red and blue jeans": [
        "upper.garment: jacket", "not upper.color: red", "lower.color: blue", "lower.garment: jeans"],
    "no jacket that is red": ["not upper.garment: jacket and upper.color: red"],
    "woman, no red, blue jeans": [
        "gender: female", "not upper.color: red", "not lower.color: red", "lower.color: blue", "lower.garment: jeans"],
    "man in anything but black": ["gender: male", "not upper.color: black", "not lower.color: black"],
    "anyone but women": ["not gender: female"],
    "everyone except women": ["not gender: female"],
    "anything but a hat": ["headwear: none"],
    "anything other than a jacket": ["not upper.garment: jacket"],
    "coat in any color but black": ["upper.garment: coat", "not upper.color: black"],
    "nothing but black": ["upper.color: black or lower.color: black"],
    "carrying nothing but a bag": ["carrying: bag"],
    "not carrying anything but a bag": ["carrying: bag"],
    "man w/o hat": ["gender: male", "headwear: none"],
    "man w/ hat": ["gender: male", "headwear: hat"],
    "sans hat": ["headwear: none"],
    "man minus hat": ["gender: male", "headwear: none"],
    "hatless man": ["headwear: none", "gender: male"],
    "bareheaded woman in a red coat": ["headwear: none", "gender: female", "upper.color: red", "upper.garment: coat"],
    "man who is not hatless": ["gender: male", "not headwear: none"],
    "nobody with a hat": ["headwear: none"],
    "non-red jacket": ["not upper.color: red", "upper.garment: jacket"],
    "woman in a non red jacket or coat": ["gender: female", "not upper.color: red", "upper.garment: jacket or coat"],
    "jacket in non-red": ["upper.garment: jacket", "not upper.color: red"],
    "man in non-black": ["gender: male", "not upper.color: black", "not lower.color: black"],
    "non-blond woman": ["not hair.color: blond", "gender: female"],
    "man with no hat and long hair": ["gender: male", "headwear: none", "hair.length: long"],
    "no hat and blue jeans": ["headwear: none", "lower.color: blue", "lower.garment: jeans"],
    "no hat and black and white shoes": [
        "headwear: none", "footwear.color: black", "footwear.color: white", "footwear.type: shoes"],
    "no hat and gloves": ["headwear: none", "gloves: none"],
}

HAIRED = {
    "dark haired man in blue": ["hair.color: dark", "gender: male", "upper.color: blue or lower.color: blue"],
    "short haired woman": ["hair.length: short", "gender: female"],
}  # fmt: skip

LISTED = {
    "hat, cap or helmet": ["headwear: hat or cap or helmet"],
    "hat, cap, or helmet": ["headwear: hat or cap or helmet"],
    "red, blue or green jacket": ["upper.color: red or blue or green", "upper.garment: jacket"],
    "red, blue, or green jacket": ["upper.color: red or blue or green", "upper.garment: jacket"],
    "jacket, coat or hoodie": ["upper.garment: jacket or coat or hoodie"],
    "jacket in red, blue or green": ["upper.garment: jacket", "upper.color: red or blue or green"],
    "person standing, sitting or walking": ["posture: standing or sitting or walking"],
    "a red or a blue jacket": ["upper.color: red or blue", "upper.garment: jacket"],
    "either a red or a blue jacket": ["upper.color: red or blue", "upper.garment: jacket"],
    "a red, a blue or a green jacket": ["upper.color: red or blue or green", "upper.garment: jacket"],
    "man in red or a blue coat": [
        "gender: male", "upper.color: red or lower.color: red or upper.color: blue and upper.garment: coat"],
    "red jacket, jeans or shorts": ["upper.color: red", "upper.garment: jacket", "lower.garment: jeans or shorts"],
    "red jacket, black or white trousers": [
        "upper.color: red", "upper.garment: jacket", "lower.color: black or white", "lower.garment: trousers"],
    "woman without a hat, black or white trousers": [
        "gender: female", "headwear: none", "lower.color: black or white", "lower.garment: trousers"],
    "man, hat or cap": ["gender: male", "headwear: hat or cap"],
    "red-haired or blond woman": ["hair.color: red or blond", "gender: female"],
    "man with a hat or a woman with glasses": [
        "gender: male and headwear: hat or gender: female and eyewear: glasses"],
    "man with a hat, a woman with glasses or a child": [
        "gender: male and headwear: hat or gender: female and eyewear: glasses or age: child"],
    "red-and-black jacket": ["upper.color: red", "upper.color: black", "upper.garment: jacket"],
}  # fmt: skip

AGED = {
    "man over 60 years old": ["age: elderly", "gender: male"],
    "60 or older": ["age: elderly"],
    "woman under 30 years old": ["age: child or young adult", "gender: female"],
    "younger than 30": ["age: child or young adult"],
    "aged 30 to 40": ["age: young adult or thirties"],
    "between 20 and 30 years old": ["age: young adult"],
    "in her 40s or 50s": ["age: thirties or middle-aged"],
    "man in his forties or fifties": ["age: thirties or middle-aged", "gender: male"],
    "about 45 or 50": ["age: thirties or middle-aged"],
    "late 20s": ["age: young adult"],
    "not a teenager": ["not age: child or young adult"],
    "man without a hat about thirty": ["age: young adult or thirties", "gender: male", "headwear: none"],
    "a 17 year old boy": ["age: child or young adult", "gender: male"],
    "young or old man": ["age: young adult or age: elderly and gender: male"],
    "five old men": ["age: elderly", "gender: male"],
    "an old bald man": ["age: elderly", "hair.length: bald", "gender: male"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "terms"), [*EXCLUDED.items(), *HAIRED.items(), *LISTED.items(), *AGED.items()])
def test_what_is_asked(text: str, terms: list[str]) -> None:
    query = parse_query(text)
    assert [str(term) for term in query.terms] == terms
    assert query.words == (("five",) if "five" in text else ())
    assert query.notes == ()


@pytest.mark.parametrize("word", ["teen", "teens", "teenagers", "youth", "adolescent"])
def test_words_for_a_teenager_give_the_same_band(word: str) -> None:
    assert parse_query(word).terms == parse_query("teenager").terms
    assert [str(term) for term in parse_query("adolescent boy").terms] == ["age: child or young adult", "gender: male"]


@pytest.mark.parametrize("text", ["people around 10 pm", "about five people in red", "at about 10", "about 5 bags",
                                  "around 10 in the morning", "over 5 minutes", "more than 5 people"])  # fmt: skip
def test_other_numbers_are_no_ages(text: str) -> None:
    assert not any(str(term).startswith(("age", "not age")) for term in parse_query(text).terms)


@pytest.mark.parametrize(("text", "thing"), [("an old jacket", "jacket"), ("carrying an old suitcase", "suitcase"),
                                             ("an old red hat", "hat"), ("with an old guitar", "guitar")])  # fmt: skip
def test_what_is_old_is_not_always_a_person(text: str, thing: str) -> None:
    query = parse_query(text)
    assert not any(str(term).startswith("age") for term in query.terms)
    assert f"that {thing} is old is not described, and was passed over" in query.notes


def test_two_people_that_cannot_be_asked_for_at_once() -> None:
    query = parse_query("man with a hat or a woman without a backpack")
    assert [str(term) for term in query.terms] == ["gender: male", "headwear: hat"]
    assert query.notes == ('"or a woman without a backpack" cannot be asked for beside the rest, and was passed over',)


def test_a_word_is_no_alternative_to_what_is_described() -> None:
    query = parse_query("man with a beard or glasses")
    assert [str(term) for term in query.terms] == ["gender: male", "eyewear: glasses"]
    assert query.words == ("beard",)
    assert len(query.notes) == 1


@pytest.mark.parametrize(("text", "words"), [
    ("woman with a ponytail", ("ponytail",)), ("braids", ("braids",)), ("long pigtails", ("pigtails",)),
    ("a bun and glasses", ("bun",)), ("woman in a top", ("top",)), ("a walking stick", ("walking", "stick")),
    ("red top", ()), ("top hat", ()), ("top that is red", ())])  # fmt: skip
def test_nouns_without_an_attribute_are_left_to_the_text(text: str, words: tuple[str, ...]) -> None:
    assert parse_query(text).words == words


def test_every_phrase_but_somebody_says_something() -> None:
    from personvlm.language.lexicon import lexicon

    for words, phrase in lexicon().items():
        query = parse_query(" ".join(words))
        assert query.terms or query.words or query.notes or phrase.region == "person", words


def test_a_missing_ponytail_is_no_bald_head() -> None:
    query = parse_query("woman without a ponytail")
    assert [str(term) for term in query.terms] == ["gender: female"]
    assert query.notes == ("'ponytail' is no attribute: that it is absent cannot be asked for",)
