"""Words of a question that need other words: typos, plurals, ages in numbers, and what only questions say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from personvlm.language.lexicon import lexicon
from personvlm.language.words import BREAKS, NEGATIONS, POSSESSIVES, PRONOUNS

SILENT = BREAKS | set(POSSESSIVES) | PRONOUNS.keys() | frozenset((
    "and", "or", "nor", "wearing", "wears", "wear", "dressed", "someone", "somebody", "anyone", "anybody",
    "person's", "people", "persons", "who's", "whose", "find", "show", "me", "search", "looking", "for", "all",
    "any", "some", "one", "please", "i", "want", "see", "seen", "was", "were", "be", "been", "there", "here",
    "this", "these", "those", "them", "kind", "either", "maybe", "perhaps", "probably", "possibly", "some", "sort",
    "like", "look", "looks", "color", "colored", "colour", "coloured", "carries", "carry", "holds", "hold",
    "having", "had", "pair", "also", "plus", "both", "about", "around", "roughly", "approximately", "approx",
    "years", "year", "old", "aged", "age", "of", "image", "shows", "but", "except", "n't", "something", "anything",
    "nothing", "very", "bit", "do", "does", "did", "not", "if", "then", "is", "it's", "he's", "she's", "they're",
    "what", "where", "when", "which", "people's", "suspect", "suspects", ",", ".", ";", ":", "!", "?", "-", "(",
    ")", "/", "&", "+", "'", '"',
))  # fmt: skip
"""Words that ask for nothing by themselves."""

_ALSO: Mapping[str, str] = MappingProxyType({
    "guy": "man", "guys": "men", "bloke": "man", "chap": "man", "dude": "man", "gents": "men", "gal": "woman",
    "men": "man", "women": "woman", "ladies": "woman", "boys": "boy", "girls": "girl", "kids": "child", "kiddo":
    "child", "blondes": "blonde", "brunette": "brown-haired", "redhead": "red-haired", "ginger": "red-haired",
    "redheaded": "red-haired", "dark-haired": "dark hair", "fair-haired": "blond-haired",
    "light-haired": "light hair", "bike": "riding a bicycle", "bicycle": "riding a bicycle",
    "cyclist": "riding a bicycle", "biker": "riding a scooter",
    "skateboarder": "riding a skateboard", "skater": "riding a skateboard", "runner": "running",
    "jogger": "running", "pedestrian": "walking", "smoker": "smoking", "bareheaded": "no hat", "hatless": "no hat",
    "colour": "color", "grey": "gray", "bespectacled": "glasses", "masked": "mask", "hooded": "hood", "greyish":
    "gray", "rucksacks": "backpack", "pensioner": "elderly", "senior": "elderly", "seniors": "elderly", "teen":
    "teenager", "teens": "teenager", "adolescent": "teenager", "youth": "teenager", "youngster": "teenager",
    "baldheaded": "bald", "sweatshirts": "sweatshirt", "hoodies": "hoodie", "trouser": "trousers", "wheelie-bag":
    "luggage", "carrier-bag": "plastic bag", "buggies": "stroller", "specs": "glasses",
})  # fmt: skip
"""Words that only questions use, and what they are read as."""

AGES: tuple[tuple[str, float, float], ...] = (
    ("child", 0, 15.5), ("young adult", 15.5, 30.5), ("thirties", 30.5, 45.5), ("middle-aged", 45.5, 60.5),
    ("elderly", 60.5, 120),
)  # fmt: skip
"""Value -> from and to which age it holds."""

_NUMBERS: Mapping[str, int] = MappingProxyType({
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
})  # fmt: skip
_DECADES: Mapping[str, int] = MappingProxyType({
    "twenties": 20, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70,
    "eighties": 80, "nineties": 90,
})  # fmt: skip
_BEFORE = frozenset(("about", "around", "roughly", "approximately", "approx", "aged", "age", "circa", "maybe"))
_AFTER = frozenset(("years", "year", "old", "yo", "y.o", "years-old", "year-old", "or"))
_DECADE = re.compile(r"(\d)0(?:'?s)")
_WORD_LENGTHS = (5, 8)
"""From so many letters on a word may have one typo, and two."""


def ages(words: Sequence[str]) -> tuple[dict[str, float], set[int]] | None:
    """The age that ``words`` name by a number or a decade: value -> share, and the places of the words.

    "About thirty" is 25 to 35, "30 years old" 27 to 33, "in her forties" 40 to 50. "Thirties" is a word of the
    vocabulary, and stays one.
    """
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        following = words[place + 1] if place + 1 < len(words) else ""
        decade = _DECADES.get(word) or (int(match[1]) * 10 if (match := _DECADE.fullmatch(word)) else None)
        if decade is not None and before in ("her", "his", "their", "the", "early", "mid", "late", "mid-", "in"):
            shift = {"early": (0, 4), "mid": (3, 7), "late": (6, 10)}.get(before, (0, 10))
            taken = {place, *({place - 1} if before in ("early", "mid", "late") else ())}
            return _shares(decade + shift[0], decade + shift[1]), taken
        if word == "teenager":
            return _shares(13, 20), {place}
        compound = re.fullmatch(r"(\d{1,2})-?(?:year|yr)s?-?old", word)
        number = int(compound[1]) if compound else _number(word)
        taken = {place}
        if number is not None and number >= 20 and number % 10 == 0 and _NUMBERS.get(following, 99) < 10:
            number += _NUMBERS[following]
            taken.add(place + 1)
            following = words[place + 2] if place + 2 < len(words) else ""
        if number is None or not (5 <= number <= 99):
            continue
        if compound or following in _AFTER - {"or"} or before in _BEFORE:
            spread = 5 if before in _BEFORE - {"aged", "age"} else 3
            return _shares(number - spread, number + spread), taken
    return None


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 3 else _NUMBERS.get(word.partition("-")[0])


def _shares(low: float, high: float) -> dict[str, float]:
    """Bands of age that overlap with ``low`` to ``high``; one that covers a third of it counts whole."""
    shares = {value: min(high, end) - max(low, start) for value, start, end in AGES}
    return {value: round(min(1.0, 3 * share / (high - low)), 2) for value, share in shares.items() if share > 0}


def read_as(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words in the language of descriptions, and notes about those that were read as others."""
    known, found, notes = _vocabulary(), list[str](), list[str]()
    for place, word in enumerate(words):
        if word == "old" and place and (_number(words[place - 1]) is not None or words[place - 1] in _AFTER):
            continue
        if word in _ALSO:
            found += _ALSO[word].split()
            continue
        if word in known or word in SILENT or word in NEGATIONS or _number(word) is not None or _DECADE.fullmatch(word):
            found.append(word)
            continue
        better = _singular(word) or _corrected(word)
        if better is not None and better != word:
            notes.append(f"read {word!r} as {better!r}")
            found += _ALSO.get(better, better).split()
        else:
            found.append(word)
    return found, notes


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """Every word that means something to the parser, alone or in a phrase."""
    return frozenset(word for words in lexicon() for word in words) | _ALSO.keys() | _DECADES.keys() | {"teenager"}


@lru_cache(maxsize=1)
def _alone() -> frozenset[str]:
    """Words that mean something by themselves: a typo is only read as one of these."""
    return frozenset(words[0] for words in lexicon() if len(words) == 1) | _ALSO.keys() | {"teenager"}


@lru_cache(maxsize=4096)
def _singular(word: str) -> str | None:
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending) + instead
            if stem in _vocabulary():
                return stem
    return f"{word}s" if f"{word}s" in _vocabulary() else None


@lru_cache(maxsize=4096)
def _corrected(word: str) -> str | None:
    """The known word that ``word`` is a typo of, or None: the same first letter, and few letters changed."""
    if len(word) < _WORD_LENGTHS[0] or not word.isalpha():
        return None
    try:
        from rapidfuzz.distance import DamerauLevenshtein
    except ModuleNotFoundError:  # without it, a typo is a word that no text has
        return None
    most = 1 if len(word) < _WORD_LENGTHS[1] else 2
    best: tuple[int, int, str] | None = None
    for other in _alone():
        if other[0] != word[0] or len(other) < _WORD_LENGTHS[0] or abs(len(other) - len(word)) > most:
            continue
        distance = DamerauLevenshtein.distance(word, other, score_cutoff=most)
        if distance <= most and (best is None or (distance, -len(other), other) < best):
            best = (distance, -len(other), other)
    return None if best is None else best[2]
