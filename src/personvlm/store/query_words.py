"""Words of a question that need other words: typos, plurals, and what only questions say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from personvlm.language.lexicon import lexicon
from personvlm.language.words import BREAKS, NEGATIONS, POSSESSIVES, PRONOUNS
from personvlm.store.query_ages import DECADES, TEENS, is_decade, number

SILENT = BREAKS | set(POSSESSIVES) | PRONOUNS.keys() | frozenset((
    "and", "or", "nor", "wearing", "wears", "wear", "dressed", "someone", "somebody", "anyone", "anybody",
    "everyone", "everybody", "everything",
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
    "jogger": "running", "pedestrian": "walking", "smoker": "smoking",
    "colour": "color", "grey": "gray", "bespectacled": "glasses", "masked": "mask", "hooded": "hood", "greyish":
    "gray", "rucksacks": "backpack", "pensioner": "elderly", "senior": "elderly", "seniors": "elderly",
    "nobody": "no", "baldheaded": "bald", "sweatshirts": "sweatshirt", "hoodies": "hoodie", "trouser": "trousers",
    "wheelie-bag": "luggage", "carrier-bag": "plastic bag", "buggies": "stroller", "specs": "glasses",
})  # fmt: skip
"""Words that only questions use, and what they are read as."""

BARE: Mapping[str, str] = MappingProxyType({
    "hatless": "headwear", "bareheaded": "headwear", "bare-headed": "headwear", "unmasked": "face",
    "empty-handed": "carrying",
})  # fmt: skip
"""Words that say of one group, and of nothing else in the question, that it is absent."""

_SEVERAL: Mapping[tuple[str, ...], str] = MappingProxyType({
    ("w", "/", "o"): "without", ("w", "/", "out"): "without", ("w", "/"): "with", ("sans",): "without",
    ("minus",): "without", ("other", "than"): "except", ("apart", "from"): "except", ("aside", "from"): "except",
    **{(each, "but"): "except" for each in ("anyone", "anybody", "anything", "everyone", "everybody", "everything",
                                            "all")},
    **{("any", each, "but"): "except" for each in ("color", "colour")},
})  # fmt: skip
"""Words that are read together."""

NON = "non"
"""Says of the adjective that follows, and of nothing else, that it is not so."""

_WORD_LENGTHS = (5, 8)
"""From so many letters on a word may have one typo, and two."""


def read_as(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words in the language of descriptions, and notes about those that were read as others."""
    known, found, notes = _vocabulary(), list[str](), list[str]()
    for word in _together(words):
        if word in _ALSO:
            found += _ALSO[word].split()
            continue
        if word in known or word in SILENT or word in NEGATIONS or number(word) is not None or is_decade(word):
            found.append(word)
            continue
        better = _singular(word) or _corrected(word)
        if better is not None and better != word:
            notes.append(f"read {word!r} as {better!r}")
            found += _ALSO.get(better, better).split()
        else:
            found.append(word)
    return found, notes


def _together(words: Sequence[str]) -> Iterator[str]:
    """``words`` with those of :data:`_SEVERAL` and "dark haired" read together, "red-and-black" and "non-red" apart."""
    place = 0
    while place < len(words):
        length = next((length for length in (3, 2, 1) if tuple(words[place : place + length]) in _SEVERAL), 0)
        if length:
            yield _SEVERAL[tuple(words[place : place + length])]
        elif words[place + 1 : place + 2] == ["haired"] and f"{words[place]}-haired" in _vocabulary():
            yield f"{words[place]}-haired"
            length = 2
        elif words[place].startswith(f"{NON}-") and _is_adjective(words[place].removeprefix(f"{NON}-")):
            yield from words[place].split("-", 1)
        else:
            yield from re.split(r"-(and|or)-", words[place])
        place += max(1, length)


def _is_adjective(word: str) -> bool:
    phrase = lexicon().get((word,))
    return phrase is not None and phrase.part == "adjective"


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """Every word that means something to the parser, alone or in a phrase."""
    described = frozenset(word for words in lexicon() for word in words)
    return described | _ALSO.keys() | BARE.keys() | DECADES.keys() | TEENS


@lru_cache(maxsize=1)
def _alone() -> frozenset[str]:
    """Words that mean something by themselves: a typo is only read as one of these."""
    return frozenset(words[0] for words in lexicon() if len(words) == 1) | _ALSO.keys() | BARE.keys() | {"teenager"}


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
