"""Sentences in other languages: complete tables, and texts that are right, whole, and of one language."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import get_args

import pytest
from languages_golden import GOLDEN, SETS

from personvlm.base.errors import InputError
from personvlm.language import words
from personvlm.language.languages import (
    Lang,
    de,
    in_language,
    language,
    languages,
    negotiated,
    offered,
    realise_in,
    result_in_language,
)
from personvlm.language.languages.german import German
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.schema import Attribute, DescribeResult, PersonDescription
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, GROUPS, NONE, OTHER

OTHERS = tuple(code for code in languages() if code != "en")
LOANS = {
    "es": {"a", "visible", "formal"},
    "de": {"shorts", "logo", "rucksack", "jeans", "laptop", "t-shirt", "skateboard", "person", "pullover", "hat",
           "leggings"},
    "fr": {"a", "visible", "logo", "orange", "beige", "short", "scooter", "face"},
}  # fmt: skip
"""Words of both languages."""

GENDERED = {
    "es": {"hombre", "mujer", "niño", "niña", "él", "ella"},
    "de": {"Mann", "Frau", "Jungen", "Mädchen", "er", "Er", "sie", "Sie"},
    "fr": {"homme", "femme", "garçon", "fille", "il", "Il", "elle", "Elle", "lui"},
    "hi": {"पुरुष", "महिला", "लड़का", "लड़की"},
    "zh": {"男", "女", "他", "她"},
    "ja": {"男", "女", "彼"},
}
AGED = {
    "es": {"joven", "adulto", "adulta", "mayor", "edad", "treinta", "niño", "niña"},
    "de": {"jungen", "junge", "Jungen", "Mädchen", "Kind", "erwachsenen", "erwachsene", "älteren", "ältere", "Alters",
           "Dreißigern"},
    "fr": {"jeune", "adulte", "âgé", "âgée", "âge", "années", "enfant", "garçon", "fille"},
    "hi": {"युवा", "वयस्क", "बुज़ुर्ग", "अधेड़", "वर्ष", "लड़का", "लड़की", "नाबालिग"},
    "zh": {"青", "年", "岁", "孩", "童"},
    "ja": {"若", "成", "齢", "年", "代", "子"},
}  # fmt: skip


def tokens(text: str, lang: str) -> set[str]:
    """Words of a text; of Chinese and Japanese, its characters (a hat, "帽子", is no child, "子")."""
    if lang in ("zh", "ja"):
        return set(text.replace("帽子", ""))
    return set(re.findall(r"[^\s.,।]+", text.replace("'", " ")))


def test_everything_that_is_named_is_offered() -> None:
    assert tuple(languages()) == get_args(Lang)
    assert languages()["de"] == "Deutsch"


@pytest.mark.parametrize(("group", "value"), [(group.name, value) for group in GROUPS for value in group.values
                                              if value != OTHER and group.name not in ("gender", "age")])  # fmt: skip
def test_a_table_without_a_word_of_the_schema_is_not_offered(group: str, value: str) -> None:
    less = {name: {each: word for each, word in known.items() if (name, each) != (group, value)}
            for name, known in de.TABLE.words.items()}  # fmt: skip
    table = replace(de.TABLE, words=less)
    assert table.missing() == [f"{group}:{value}"]
    assert offered([German(table)]) == {}
    assert list(offered([German(de.TABLE)])) == ["de"]


def test_a_table_without_a_name_for_somebody_is_not_complete() -> None:
    persons = {key: word for key, word in de.TABLE.persons.items() if key != ("adult", "female")}
    assert replace(de.TABLE, persons=persons).missing() == ["age:adult gender:female"]
    assert replace(de.TABLE, generic={"upper": "n Oberteil"}).missing() == ["region:lower", "region:footwear"]


@pytest.mark.parametrize("lang", OTHERS)
def test_every_value_is_said_and_none_like_another(lang: str) -> None:
    nothing = realise_in({}, lang)
    for group in GROUPS:
        texts = {value: realise_in({group.name: (value,)}, lang, say_absent=True)
                 for value in group.values if value != OTHER}  # fmt: skip
        assert nothing not in texts.values(), group.name
        assert len(set(texts.values())) == len(texts), texts
        if OTHER in group.values:
            assert realise_in({group.name: (OTHER,)}, lang) in (nothing, *texts.values())


@pytest.mark.parametrize(("lang", "values", "text"), [
    (lang, values, text) for lang, texts in GOLDEN.items() for values, text in zip(SETS, texts, strict=True)
])  # fmt: skip
def test_golden_sentences(lang: str, values: Values, text: str) -> None:
    assert realise_in(values, lang, say_absent=True) == text


def test_golden_sentences_exist_for_every_language() -> None:
    assert tuple(GOLDEN) == OTHERS


@pytest.mark.parametrize("lang", OTHERS)
def test_random_people_are_said_whole_and_in_one_language(lang: str) -> None:
    english = {word for table in (words.NOUNS, words.ADJECTIVES, words.FACTS, {"": words.PERSONS}, {"": words.GENERIC})
               for values in table.values() for said in values.values() for text in said.spoken
               for word in re.findall(r"[a-z-]+", text)}  # fmt: skip
    rng = random.Random(11)
    stop = {"hi": "।", "zh": "。", "ja": "。"}.get(lang, ".")
    for _ in range(2000):
        values = random_values(rng, absent=True)
        text = realise_in(values, lang, say_absent=True)
        found = set(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.lower()))
        assert not found & english - LOANS.get(lang, set()), text
        assert not re.search(r"[|/_{}\[\]]|\s\s|\s[,.।]|None|^\s|\s$", text), text
        assert text.endswith(stop), text
        assert stop + stop not in text
        if lang in ("es", "de", "fr"):
            assert all(sentence[0].isupper() for sentence in text.split(". ")), text
        if lang in ("zh", "ja"):
            assert not re.search(r"\s|，，|、、", text), text
        if lang in ("zh", "hi"):
            assert not re.search(r"[A-UW-Za-z]", text.replace("T恤", "")), text  # a V is a neckline


@pytest.mark.parametrize("lang", OTHERS)
def test_gender_that_is_not_known_is_told_by_no_word(lang: str) -> None:
    rng = random.Random(12)
    for _ in range(1000):
        values = {name: given for name, given in random_values(rng, absent=True).items() if name != "gender"}
        text = realise_in(values, lang, say_absent=True)
        assert not tokens(text, lang) & GENDERED[lang], text


@pytest.mark.parametrize("lang", OTHERS)
def test_age_that_is_not_known_is_told_by_no_word(lang: str) -> None:
    rng = random.Random(14)
    for _ in range(1000):
        values = {name: given for name, given in random_values(rng, absent=True).items() if name != "age"}
        text = realise_in(values, lang, say_absent=True)
        assert not tokens(text, lang) & AGED[lang], text


@pytest.mark.parametrize("lang", OTHERS)
def test_the_words_that_tell_are_those_of_the_table(lang: str) -> None:
    for gender in (None, "male", "female"):
        for age in (None, *GROUP["age"].values):
            given = {"gender": (gender,) if gender else (), "age": (age,) if age else ()}
            found = tokens(realise_in(given, lang), lang)
            assert bool(found & GENDERED[lang]) == (gender is not None), (gender, age)
            assert bool(found & AGED[lang]) == (age is not None), (gender, age)


def test_english_is_the_realiser_s() -> None:
    rng = random.Random(13)
    for _ in range(50):
        values = random_values(rng, absent=True)
        assert realise_in(values, "en-GB", say_absent=True) == realise(values, say_absent=True)


def test_a_parent_is_not_said_beside_its_leaf() -> None:
    assert realise_in({"carrying": ("backpack", "bag")}, "de") == realise_in({"carrying": ("backpack",)}, "de")
    both = {"upper.garment": ("coat",), "upper.color": ("blue", "dark blue")}
    assert realise_in(both, "fr").endswith("La personne porte un manteau bleu foncé.")


def test_unknown_and_other_are_not_said() -> None:
    values = {"gender": ("unknown",), "upper.garment": (OTHER,), "headwear": (NONE,), "posture": ("unknown",)}
    assert realise_in(values, "es") == "La imagen muestra a una persona."


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"'pt' is not a language.*en, es, de"):
        realise_in({}, "pt")
    with pytest.raises(ValueError, match="plaid"):
        realise_in({"upper.color": ("plaid",)}, "de")
    for tag in ("de", "de-AT", "DE", "de_CH", " de "):
        assert language(tag) == "de"


@pytest.mark.parametrize(("header", "code"), [
    (None, "en"), ("", "en"), ("de", "de"), ("pt", "en"), ("pt, de;q=0.1", "de"), ("de;q=0.5, fr;q=0.6", "fr"),
    ("de;q=0.5, fr;q=0.5", "de"), ("zh-Hans-CN", "zh"), ("*", "en"), ("de;q=0.1, *;q=0.9", "en"), ("de;q=0", "en"),
    ("de ; q=1.000", "de"), ("de;q=1.5, ja;q=0.2", "ja"), (";;;,,=", "en"), ("ja" * 2000, "en"),
    ("pt," * 400 + "de", "en"),
])  # fmt: skip
def test_negotiation(header: str | None, code: str) -> None:
    assert negotiated(header) == code


def test_only_the_text_of_a_description_changes() -> None:
    english = PersonDescription(
        text="The image shows a man.", quality=0.5, model="m", scores={"gender": {"male": 0.9}},
        attributes={"gender": Attribute(value="male", confidence=0.9),
                    "visibility": Attribute(value="full", confidence=0.9)},
    )  # fmt: skip
    german = in_language(english, "de")
    assert german.text == "Das Bild zeigt einen Mann."  # that all of him is there goes without saying
    assert german.model_copy(update={"text": english.text}) == english
    assert in_language(english, "en") is english
    assert in_language(english.model_copy(update={"text": ""}), "de").text == ""
    failed = DescribeResult(input="a", error="damaged")
    assert result_in_language(failed, "de") is failed
    with pytest.raises(InputError):
        result_in_language(failed, "xx")
