"""The table of words as phrases with their meaning: what parser and constraint look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from personvlm.language.synonyms import IGNORED, SEVERAL, SYNONYMS
from personvlm.language.tokens import split
from personvlm.language.words import ADJECTIVES, FACTS, GENERIC, NOUNS, PERSONS, POSSESSIVES, VIEWS, Said, parts
from personvlm.schema.groups import GROUP

Part = Literal["fact", "noun", "adjective"]
Fact = tuple[str, str]


@dataclass(frozen=True)
class Phrase:
    """A sequence of words that means something.

    Attributes:
        words: as :func:`~personvlm.language.tokens.split` gives them.
        part: fact, noun or adjective.
        facts: (group, value) pairs that it states; of an adjective one (slot, value).
        region: of a noun, where its adjectives go; "person" of what names the person.
        spoken: the realiser may say it. What only the parser knows may tell more than was decided ("leather jacket").
    """

    words: tuple[str, ...]
    part: Part
    facts: tuple[Fact, ...]
    region: str = ""
    spoken: bool = False


def _expand(text: str) -> list[tuple[str, ...]]:
    forms = [text.replace("{his}", word) for word in POSSESSIVES] if "{his}" in text else [text]
    if "{held}" in text:
        held = ("", "are ", "clasped ", "held ", "folded ", "are clasped ", "are positioned ", "are placed ",
                "are held ")  # fmt: skip
        forms = [form.replace("{held} ", word) for form in forms for word in held]
    return [tuple(split(form)) for form in forms]


@lru_cache(maxsize=1)
def lexicon() -> Mapping[tuple[str, ...], Phrase]:
    """Every phrase of the table by its words. Gendered possessives inside a phrase ("his thirties") state nothing
    here: pronouns are read by themselves."""
    found: dict[tuple[str, ...], Phrase] = {}

    def add(key: tuple[str, str], said: Said, part: Part, facts: tuple[Fact, ...], region: str = "") -> None:
        for text in (*said.spoken, *parts(SYNONYMS.get(key, ""))):
            for words in _expand(text):
                spoken = text in said.spoken and not ("{his}" in text and "the" in words)
                found.setdefault(words, Phrase(words, part, facts, region, spoken))
                if key[0] == "carrying" and not words[-1].endswith("s"):
                    several = (*words[:-1], words[-1] + ("es" if words[-1].endswith("x") else "s"))
                    found.setdefault(several, Phrase(several, part, facts, region))

    for text in parts(IGNORED):
        for words in _expand(text):
            found[words] = Phrase(words, "fact", ())
    for text, said_at_once in SEVERAL.items():
        for words in _expand(text):
            found[words] = Phrase(words, "fact", said_at_once)
    for (age, gender), said in PERSONS.items():
        facts = (*((("age", age),) if age else ()), *((("gender", gender),) if gender else ()))
        add(("person", " ".join(filter(None, (age, gender)))), said, "fact", facts, "person")
    for view, said in VIEWS.items():
        add(("view", view), said, "fact", (("view", view),))
    for group, values in FACTS.items():
        for value, said in values.items():
            add((group, value), said, "fact", ((group, value),))
    for group, values in NOUNS.items():
        for value, said in values.items():
            add((group, value), said, "noun", ((group, value),), group.split(".")[0])
    for region, said in GENERIC.items():
        add(("generic", region), said, "noun", (), region)
    for slot, values in ADJECTIVES.items():
        for value, said in values.items():
            add((slot, value), said, "adjective", (("color" if slot == "hair color" else slot, value),))
    return MappingProxyType(found)


def group_of(region: str, slot: str, value: str) -> str | None:
    """The group that an adjective fills before a noun of ``region``, or None where it says nothing there."""
    group = f"{region}.{slot}"
    return group if group in GROUP and value in GROUP[group].values else None
