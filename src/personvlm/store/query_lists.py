"""Looking around in a question: what a comma or an "or" joins, and what a word stands before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from personvlm.language.lexicon import Phrase
from personvlm.language.matching import segment
from personvlm.language.words import NEGATIONS
from personvlm.store.query_ages import Age
from personvlm.store.query_words import SILENT, read_as

Item: TypeAlias = "str | Phrase | Age"
"""A word without a meaning of its own, what has one, or an age."""

ARTICLES = frozenset(("a", "an", "his", "her", "their", "the"))
_OR = ("or", "nor", "/")
_AGES = ("young", "old")
_SOMEBODY = ("somebody", "someone", "anybody", "anyone", "people", "persons")
_LONGEST = 12
"""Members of a list."""

_FEW = 30
"""Words before an "or" that are looked at to tell whether it parts two people."""


def adjective(item: Item) -> bool:
    """Whether an item waits for its noun."""
    return isinstance(item, Phrase) and item.part == "adjective"


def after(items: Sequence[Item], place: int) -> Item:
    """What follows ``place``, articles left out."""
    return next((item for item in items[place + 1 :] if item not in ARTICLES), "")


def negated(items: Sequence[Item], place: int) -> bool:
    """Whether a negation stands right before ``place``."""
    for item in reversed(items[:place]):
        if item in NEGATIONS or item == "except":
            return True
        if item not in SILENT or item in (",", ".", ";", "and", "or", "but"):
            return False
    return False


def one_noun(items: Sequence[Item], place: int, linked: bool) -> bool:
    """Whether the adjectives before and after the "or" or the comma at ``place`` are said of one noun.

    Args:
        linked: those before belong to a noun that was said already ("a jacket in red or ...").
    """
    if not adjective(after(items, place)):
        return False
    if linked:
        return _member(items, place + 1)[1] == ""
    if adjective(items[place + 1]):
        return True
    first = place
    while first > 0 and adjective(items[first - 1]):
        first -= 1
    return first > 0 and items[first - 1] in ARTICLES  # "a red or a blue jacket", and not "in red or a blue jacket"


def listed_noun(items: Sequence[Item], place: int) -> bool:
    """Whether what follows ``place`` has a noun of its own."""
    return _member(items, place + 1)[1] not in ("", "word")


def certain(items: Sequence[Item], place: int) -> bool:
    """Whether what follows ``place`` is a kind of what everybody has: "long hair", "black and white shoes"."""
    slot, kind, end = _member(items, place + 1)
    while slot and not kind and items[end : end + 1] in (["and"], ["&"]):
        slot, kind, end = _member(items, end + 1)
    return slot != "" and kind in ("hair", "upper", "lower", "footwear")


def lists(items: Sequence[Item], place: int) -> bool:
    """Whether the comma at ``place`` stands in "A, B or C", and so for "or".

    What it joins must be alike: "red jacket, jeans or shorts" asks for a red jacket, and for jeans or shorts.
    """
    before = items[place - 1] if place else ""
    if before in SILENT and before not in _AGES:
        return False
    slot = before.facts[0][0] if isinstance(before, Phrase) and adjective(before) else ""
    kind = _member(items, place - 1)[1] if place else ""
    kinds: list[tuple[str, str]] = []
    ended, at = False, place + 1
    while not ended and len(kinds) < _LONGEST:
        said, what, end = _member(items, at)
        if end == at:
            return False
        kinds.append((said, what))
        ended, at = len(kinds) > 1 and items[at - 1] in _OR, end
        if ended or at >= len(items):
            break
        if items[at] not in (",", *_OR):
            return False
        at += 2 if items[at] == "," and items[at + 1 : at + 2] in (["or"], ["nor"]) else 1
    if not ended:
        return False
    if slot:
        return all(said == slot for said, _ in kinds) and not any(what for _, what in kinds[:-1])
    others = [what for _, what in kinds]
    if "" in others:
        return False
    if "person" in (kind, *others):
        return {kind, *others} == {"person"}
    return kind in others or len(set(others)) > 1


def _member(items: Sequence[Item], place: int) -> tuple[str, str, int]:
    """Of what is listed at ``place``: the slot of its first adjective, its kind ("" for adjectives alone), its end."""
    while place < len(items) and (items[place] in ARTICLES or items[place] == "either"):
        place += 1
    slot, kind, first = "", "", place
    while place < len(items):
        item = items[place]
        if isinstance(item, str) and item not in _AGES:
            if place == first and item not in SILENT and item not in NEGATIONS and item[0].isalnum():
                return "", "word", place + 1
            break
        if isinstance(item, Phrase) and item.part == "adjective":
            slot = slot or item.facts[0][0]
        elif isinstance(item, Phrase) and kind != "person":
            kind = item.region or (item.facts[0][0] if item.facts else "nothing")
        elif isinstance(item, Age):
            kind = "person"
        place += 1
    return slot, kind, place


def thing(items: Sequence[Item], place: int) -> str:
    """What the "old" at ``place`` is said of, where that is no person: "an old jacket"."""
    unknown = ""
    for item in items[place + 1 :]:
        if isinstance(item, Phrase):
            if item.region == "person":
                return ""
            worn = item.region or (item.facts and item.facts[0][0] not in _OF_PEOPLE)
            if worn and item.part != "adjective":
                return " ".join(item.words)
        elif isinstance(item, Age) or item in SILENT:
            break
        else:
            unknown = item
    return unknown if place and items[place - 1] in ARTICLES else ""


_OF_PEOPLE = ("gender", "age", "body", "hair.length", "hair.color", "posture", "activity", "view", "visibility")


def people(words: Sequence[str]) -> Iterator[list[str]]:
    """The words about each of several people: "a man with a hat or a woman with glasses"."""
    last = max((place for place, word in enumerate(words) if word == "or" and _parts_people(words, place)), default=0)
    start = 0
    for place in range(1, last + 1):
        if words[place] in ("or", ",") and _parts_people(words, place):
            yield list(words[start:place])
            start = place + 1
    yield list(words[start:])


def _parts_people(words: Sequence[str], place: int) -> bool:
    before = _phrases(words[max(0, place - _FEW) : place])
    following = [item for item in _phrases(words[place + 1 : place + _FEW]) if item not in ARTICLES]
    while following and (adjective(following[0]) or following[0] in (*_AGES, "either")):
        following.pop(0)
    if not before or not following or not _is_person(following[0]) or _is_person(before[-1]):
        return False
    somebody = any(_is_person(item) or item in _SOMEBODY for item in before)
    return somebody and any(isinstance(item, Phrase) for item in before)


def _phrases(words: Sequence[str]) -> Sequence[Item]:
    return segment(read_as(words)[0])


def _is_person(item: Item) -> bool:
    return isinstance(item, Phrase) and item.region == "person"
