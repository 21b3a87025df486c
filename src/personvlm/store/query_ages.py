"""Ages in a question: a number, a decade, from one to another, or over and under one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from personvlm.language.lexicon import lexicon
from personvlm.language.words import BREAKS

AGES: tuple[tuple[str, float, float], ...] = (
    ("child", 0, 15.5), ("young adult", 15.5, 30.5), ("thirties", 30.5, 45.5), ("middle-aged", 45.5, 60.5),
    ("elderly", 60.5, 120),
)  # fmt: skip
"""Value -> from and to which age it holds."""

DECADES: Mapping[str, int] = MappingProxyType({
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70,
    "eighties": 80, "nineties": 90,
})  # fmt: skip
TEENS = frozenset(("teenager", "teenagers", "teenage", "teen", "teens", "adolescent", "adolescents", "youth", "youths",
                   "youngster", "youngsters"))  # fmt: skip

_NUMBERS: Mapping[str, int] = MappingProxyType({
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
})  # fmt: skip
_YEARS = frozenset(("years", "year", "yo", "y.o", "years-old", "year-old"))
_ABOUT = frozenset(("about", "around", "roughly", "approximately", "approx", "circa", "maybe"))
_AGED = frozenset(("aged", "age"))
_IN = frozenset(("her", "his", "their", "the", "in"))
_OF_SOMEBODY = (["her"], ["his"], ["their"])
_PARTS: Mapping[str, tuple[int, int]] = MappingProxyType({"early": (0, 4), "mid": (3, 7), "late": (6, 10)})
_OVER = (("over", "the", "age", "of"), ("older", "than"), ("more", "than"), ("at", "least"), ("over",), ("above",))
_UNDER = (("under", "the", "age", "of"), ("younger", "than"), ("less", "than"), ("at", "most"), ("under",), ("below",))
_OLDER, _YOUNGER = frozenset(("older", "over", "above", "up")), frozenset(("younger", "under", "below"))
_DECADE = re.compile(r"([2-9])0'?s")
_COMPOUND = re.compile(r"(\d{1,2})-?(?:year|yr)s?-?old")
_FROM_TO = re.compile(r"(\d{1,2})-(\d{1,2})")
_SEVERAL = frozenset(("people", "persons", "men", "women", "children"))
_HOURS = frozenset(("morning", "afternoon", "evening", "night"))
_CLOCK = frozenset(("at", "since", "until", "till", "after", "before"))
_LEAST = 0.1
"""Bands of which a question covers less are not asked for."""


@dataclass(frozen=True, eq=False)
class Age:
    """An age that words ``begin`` to ``end`` (exclusive) name: the bands that it may be, with their shares."""

    begin: int
    end: int
    shares: Mapping[str, float]


@dataclass(frozen=True)
class _Years:
    """A number, a decade, or two numbers; ``told``: these words alone say that it is an age."""

    low: float
    high: float
    end: int
    told: bool

    @property
    def exact(self) -> bool:
        return self.low == self.high


def number(word: str) -> int | None:
    """The number that a word names, up to 99; "thirty-five" as 30."""
    return int(word) if word.isdecimal() and len(word) < 3 else _NUMBERS.get(word.partition("-")[0])


def is_decade(word: str) -> bool:
    """Whether a word names ten years: "40s", "forties"."""
    return word in DECADES or _DECADE.fullmatch(word) is not None


def ages(words: Sequence[str]) -> list[Age]:
    """Every age that ``words`` name, in their order.

    "About thirty" is 25 to 35, "30 years old" 27 to 33, "in her forties" 40 to 50. "Thirties" alone is a word of the
    vocabulary, and stays one. A number that counts something else ("about five people", "around 10 pm") is no age.
    """
    found: list[Age] = []
    place = 0
    while place < len(words):
        age = _age(words, place)
        if age is not None and (not found or age.begin >= found[-1].end):
            found.append(age)
        place = max(place + 1, age.end if age is not None else 0)
    return found


def _age(words: Sequence[str], place: int) -> Age | None:
    if words[place] in TEENS:
        return Age(place, place + 1, _shares(13, 20))
    first = _years(words, place)
    if first is None:
        return None
    begin = place - (place > 0 and words[place - 1] in _PARTS)
    joined = words[first.end] if first.end < len(words) else ""
    second = _years(words, first.end + 1) if joined in ("to", "or", "-", "and") else None
    between = joined == "and" and begin > 0 and words[begin - 1] in ("between", "from")
    if second is None or (joined == "and" and not between) or first.exact != second.exact:
        second = None
    else:
        begin -= between
    end, years = _after((second or first).end, words)
    about = begin > 0 and words[begin - 1] in _ABOUT
    begin -= about
    side, before, sure = _side(words, begin)
    begin -= before
    aged = begin > 0 and words[begin - 1] in _AGED
    begin -= aged
    later = words[end + 1] if end + 1 < len(words) and words[end] in ("or", "and") else ""
    if not side and first.exact and later in _OLDER | _YOUNGER:
        side, sure, end = (1 if later in _OLDER else -1), True, end + 2
    told = first.told or years or aged or sure or (second is not None and words[begin - 1 : begin] in _OF_SOMEBODY)
    if not told and not ((about or before or between) and _no_count(words, begin, end)):
        return None
    return Age(begin, end, _bands(first, second, joined, side, about))


def _bands(first: _Years, second: _Years | None, joined: str, side: int, about: bool) -> dict[str, float]:
    if side:
        low, high = (first.low + 0.5, 120.0) if side > 0 else (0.0, (second or first).high - 0.5)
        return _covered(low, high)
    spread = 0 if not first.exact else 5 if about else 3
    if second is None:
        return _shares(first.low - spread, first.high + spread)
    if joined != "or":
        return _shares(first.low, max(second.high, first.low + 1))
    either = [_shares(each.low - spread, each.high + spread) for each in (first, second)]
    return {value: max(shares.get(value, 0.0) for shares in either) for value, _, _ in AGES
            if any(value in shares for shares in either)}  # fmt: skip


def _years(words: Sequence[str], place: int) -> _Years | None:
    """What the words from ``place`` on name: a decade ("early" before it counts), a number, or "30-40"."""
    if place < len(words) and words[place] in _PARTS:
        place += 1
    if place >= len(words):
        return None
    word, before = words[place], words[place - 1] if place else ""
    decade = DECADES.get(word) or (int(match[1]) * 10 if (match := _DECADE.fullmatch(word)) else None)
    if decade is not None:
        # Of the thirties in words the vocabulary has phrases of its own, unless they are one of two.
        told = (before in _IN or before in _PARTS) and word != "thirties"
        low, high = _PARTS.get(before, (0, 10))
        return _Years(decade + low, decade + high, place + 1, told)
    if match := _FROM_TO.fullmatch(word):
        return _Years(float(match[1]), float(match[2]), place + 1, False) if int(match[1]) < int(match[2]) else None
    compound = _COMPOUND.fullmatch(word)
    found = int(compound[1]) if compound else number(word)
    end = place + 1
    if found is not None and found >= 20 and found % 10 == 0 and end < len(words) and _NUMBERS.get(words[end], 99) < 10:
        found += _NUMBERS[words[end]]
        end += 1
    return None if found is None or not 5 <= found <= 99 else _Years(found, found, end, compound is not None)


def _after(end: int, words: Sequence[str]) -> tuple[int, bool]:
    """Where "years old" after a number ends, and whether it says that the number is an age."""
    years = end < len(words) and words[end] in _YEARS
    end += years
    old = end < len(words) and words[end] == "old" and (years or _no_count(words, 0, end + 1))
    return end + old, years or old


def _side(words: Sequence[str], end: int) -> tuple[int, int, bool]:
    """1 where the words before ``end`` are "over", -1 "under"; how many words that is; whether it is said of ages."""
    for side, phrases in ((1, _OVER), (-1, _UNDER)):
        for phrase in phrases:
            if tuple(words[max(0, end - len(phrase)) : end]) == phrase:
                return side, len(phrase), phrase[0] in ("older", "younger") or "age" in phrase
    return 0, 0, False


def _no_count(words: Sequence[str], begin: int, end: int) -> bool:
    """Whether what stands around a number lets it be an age, not the number of something, nor a time of day."""
    following = words[end] if end < len(words) else ""
    if following == "at" or (begin and words[begin - 1] in _CLOCK) or _HOURS & set(words[end + 1 : end + 3]):
        return False
    if not following[:1].isalnum() or following in BREAKS or following in ("and", "or"):
        return True
    return following in _described() and following not in _SEVERAL and not following.endswith("s")


@lru_cache(maxsize=1)
def _described() -> frozenset[str]:
    return frozenset(word for words in lexicon() for word in words)


def _shares(low: float, high: float) -> dict[str, float]:
    """Bands of age that overlap with ``low`` to ``high``; one that covers a third of it counts whole."""
    shares = {value: min(high, end) - max(low, start) for value, start, end in AGES}
    return {value: round(min(1.0, 3 * share / (high - low)), 2) for value, share in shares.items() if share > 0}


def _covered(low: float, high: float) -> dict[str, float]:
    """How much of each band lies between ``low`` and ``high``, which may be far apart."""
    shares = {value: (min(high, end) - max(low, start)) / (end - start) for value, start, end in AGES}
    return {value: round(share, 2) for value, share in shares.items() if share >= _LEAST}
