"""Plain words into a :class:`~personvlm.store.query.Query`.

The words are those of :mod:`personvlm.language`, so that a question means what a description means. Other than the
parser of descriptions this one knows alternatives ("red or orange"), what is not wanted ("no backpack"), colors without
a garment ("in red") and ages in numbers; whatever it does not understand is left for the full text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from personvlm.language.lexicon import Phrase
from personvlm.language.matching import segment
from personvlm.language.tokens import split
from personvlm.language.words import ABSENT, NEGATIONS
from personvlm.schema import GROUP, NONE
from personvlm.store.near import weights
from personvlm.store.query import Query, Term, Wanted
from personvlm.store.query_words import SILENT, ages, read_as

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')
_ENDS = frozenset(("but", "except", "however", "though", ".", ";", "!", "?"))
_ENDS_AFTER_ONE = frozenset(("with", "wearing", "wears", "in", "who", "carrying", "carries", "has", "holding", "is"))
_LINKS = frozenset(("in", "is", "are", "that", "which", "colored", "color", "of", "a", "an", "the", "either", "be"))
_ARTICLES = frozenset(("a", "an", "his", "her", "their", "the"))
_SLOT_ALONE = {"sleeve": "upper.sleeve", "pattern": "upper.pattern", "style": "upper.style",
               "neckline": "upper.neckline"}  # fmt: skip
_HAIR_ALONE = frozenset(("blond",))
LOWER_SHARE = 0.5
"""Of a color without a garment ("in red"): so much counts what is worn below, against 1 above."""

LONGEST = 1000
"""Characters of a question that are read."""


@dataclass
class _Unit:
    """What one noun, with its adjectives, or one fact asks for; or several of them joined by "or"."""

    alternatives: list[list[Wanted]]
    absent: bool
    region: str = ""


@dataclass
class _Reader:
    units: list[_Unit] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pending: list[tuple[str, list[str]]] = field(default_factory=list)
    negated: bool = False
    negated_one: bool = False
    alternative: bool = False  # "or" was read: what comes next is an alternative
    linked: bool = False  # "in" or "is" after a noun: adjectives that come are its own


def parse_query(text: str) -> Query:
    """Read a question.

    Example:
        >>> for term in parse_query("woman in a red or orange jacket without a hat").terms:
        ...     print(term)
        gender: female
        upper.color: red or orange
        upper.garment: jacket
        headwear: none
    """
    asked = text[:LONGEST].replace("’", "'")
    quoted = [split(one or other) for one, other in _QUOTED.findall(asked)]
    words = split(_QUOTED.sub(" ", asked))
    reader = _Reader()
    found = ages(words)
    if found is not None:
        shares, taken = found
        words = [word for place, word in enumerate(words) if place not in taken]
        reader.units.append(_Unit([[Wanted("age", tuple(shares), shares)]], False))
    words, notes = read_as(words)
    reader.notes += notes
    items = segment(words)
    for place, item in enumerate(items):
        if isinstance(item, str):
            _word(reader, item, items, place)
        elif item.part == "adjective":
            _adjective(reader, item)
        elif item.part == "noun":
            _noun(reader, item)
        else:
            _fact(reader, item)
    _flush(reader)
    phrases = tuple(tuple(word for word in phrase if word[0].isalnum()) for phrase in quoted)
    return Query(text, _terms(reader), tuple(dict.fromkeys(reader.words)), tuple(filter(None, phrases)),
                 tuple(dict.fromkeys(reader.notes)))  # fmt: skip


def _word(reader: _Reader, word: str, items: list[str | Phrase], place: int) -> None:
    following = items[place + 1] if place + 1 < len(items) else ""
    adjectives = isinstance(following, Phrase) and following.part == "adjective"
    if word in ("nothing", "anything") and "carrying" in items[max(0, place - 3) : place]:
        _unit(reader, [Wanted("carrying", (NONE,))], absent=False)
        reader.negated = False
        return
    if word in NEGATIONS or word == "except":
        _flush(reader)
        reader.negated, reader.negated_one, reader.alternative = word != "nor" or reader.negated, False, word == "nor"
        return
    if word in ("or", "/"):
        if not (reader.pending and adjectives):
            _flush(reader)
        reader.alternative = True
        return
    if word in ("and", "&", ",", "plus"):
        if not (reader.pending and adjectives):
            _flush(reader)
            ends = word == "," and not any(item in ("or", "nor") for item in items[place : place + 4])
            reader.negated = reader.negated and not (ends or following in _ARTICLES or following in _ENDS_AFTER_ONE)
        return
    if reader.negated and (word in _ENDS or (word in _ENDS_AFTER_ONE and reader.negated_one)):
        _flush(reader)
        reader.negated = False
    if word in ("with", "wearing", "carrying", "who", "holding", "has", *_ENDS):
        _flush(reader)
        reader.linked = False
    elif word in ("in", "is", "are", "colored", "color"):
        _flush(reader)
        reader.linked = bool(reader.units and reader.units[-1].region)
    elif word not in _LINKS:
        reader.linked = False
    if word == "young":
        _unit(reader, [Wanted("age", ("young adult",), {"young adult": 1.0, "child": 0.5})])
    elif word == "old":
        _unit(reader, [Wanted("age", ("elderly",))])
    elif word not in SILENT and any(letter.isalnum() for letter in word):
        if reader.negated:
            reader.notes.append(f"{word!r} is no attribute: that it is absent cannot be asked for")
        else:
            reader.words.append(word)


def _adjective(reader: _Reader, phrase: Phrase) -> None:
    slot, value = phrase.facts[0]
    if reader.alternative and reader.pending and reader.pending[-1][0] == slot:
        reader.pending[-1][1].append(value)
        reader.alternative = False
    else:
        reader.pending.append((slot, [value]))


def _noun(reader: _Reader, phrase: Phrase) -> None:
    value = phrase.facts[0][1] if phrase.facts else None
    slots = [slot for slot, values in reader.pending if slot == "length" and value == "skirt" for _ in values[:1]]
    if slots:
        value = f"{reader.pending[[slot for slot, _ in reader.pending].index('length')][1][0]} skirt"
        reader.pending = [pair for pair in reader.pending if pair[0] != "length"]
    wanted = _worn(reader, phrase.region, " ".join(phrase.words))
    if value is not None:
        wanted.append(Wanted(phrase.facts[0][0], (value,)))
    if reader.negated and phrase.region == "hair" and not wanted:
        wanted, reader.negated = [Wanted("hair.length", ("bald",))], False
    reader.linked = False
    if wanted or not reader.alternative:
        _unit(reader, wanted, region=phrase.region)


def _worn(reader: _Reader, region: str, name: str) -> list[Wanted]:
    """The adjectives that wait, as what is asked of a noun of ``region``."""
    wanted = []
    for slot, values in reader.pending:
        group = f"{region}.{slot}"
        legal = [value for value in values if group in GROUP and weights(group, value)]
        if legal:
            wanted.append(Wanted(group, tuple(legal)))
        if len(legal) < len(values):
            missing = " or ".join(value for value in values if value not in legal)
            reader.notes.append(f"that {name} is {missing} is not described, and was passed over")
    reader.pending = []
    return wanted


def _fact(reader: _Reader, phrase: Phrase) -> None:
    if reader.pending:
        if phrase.region == "person":
            _flush(reader)
        else:
            said = " or ".join(value for _, values in reader.pending for value in values)
            reader.notes.append(f"that {' '.join(phrase.words)} is {said} is not described, and was passed over")
            reader.pending = []
    if not phrase.facts:
        return
    group, value = phrase.facts[0]
    if reader.negated and len(phrase.facts) == 1 and group in ABSENT and group != "carrying" and (
        ABSENT[group].canonical == value
    ):
        reader.alternative = False  # "no hat or glasses": neither
        _unit(reader, [Wanted(group, (NONE,))], absent=False)
        reader.negated_one = True
        return
    _unit(reader, [Wanted(group, (value,)) for group, value in phrase.facts])


def _unit(reader: _Reader, wanted: list[Wanted], region: str = "", absent: bool | None = None) -> None:
    absent = reader.negated if absent is None else absent
    reader.negated_one = reader.negated_one or absent
    last = reader.units[-1] if reader.units else None
    if reader.alternative and last is not None and last.absent == absent and wanted and last.alternatives[-1]:
        if region and region == last.region:  # "a red jacket or coat": the coat is red as well
            own = {each.group for each in wanted}
            garment = {"upper": "upper.garment", "lower": "lower.garment", "footwear": "footwear.type"}.get(region)
            alone = own == {garment}
            wanted = [*(each for each in last.alternatives[-1] if alone and each.group not in own), *wanted]
        last.alternatives.append(wanted)
    else:
        reader.units.append(_Unit([wanted], absent, region))
    reader.alternative = False


def _flush(reader: _Reader) -> None:
    """Adjectives that found no noun: they belong to the noun before ("a jacket in red"), or to the clothes at all."""
    pending, reader.pending = reader.pending, []
    last = reader.units[-1] if reader.units else None
    for slot, values in pending:
        if reader.linked and last is not None and weights_of(f"{last.region}.{slot}", values):
            for each in last.alternatives:
                each.append(Wanted(f"{last.region}.{slot}", tuple(values)))
        elif slot == "color" and _HAIR_ALONE & set(values):
            _unit(reader, [Wanted("hair.color", tuple(values))])
        elif slot == "color":
            above, below = Wanted("upper.color", tuple(values)), Wanted("lower.color", tuple(values))
            shares = {value: LOWER_SHARE * share for value, share in below.counted.items()}
            below = Wanted("lower.color", tuple(values), shares)
            reader.units.append(_Unit([[above], [below]], reader.negated))
            reader.alternative = False
        elif slot in _SLOT_ALONE:
            _unit(reader, [Wanted(_SLOT_ALONE[slot], tuple(values))])
        else:
            reader.notes.append(f"{' or '.join(values)!r} alone says nothing that is described, and was passed over")


def weights_of(group: str, values: list[str]) -> bool:
    """Whether ``group`` exists and can have each of ``values``."""
    return group in GROUP and all(weights(group, value) for value in values)


def _terms(reader: _Reader) -> tuple[Term, ...]:
    terms: list[Term] = []
    for unit in reader.units:
        alternatives = _merged([each for each in unit.alternatives if each])
        if not alternatives:
            continue
        if unit.absent:
            terms += [Term((tuple(each),), absent=True) for each in unit.alternatives if each]
        elif len(alternatives) == 1:
            terms += [Term(((wanted,),)) for wanted in alternatives[0]]
        else:
            terms.append(Term(tuple(map(tuple, alternatives))))
    unique: dict[str, Term] = {}
    for term in terms:
        unique.setdefault(str(term), term)
    return tuple(unique.values())


def _merged(alternatives: list[list[Wanted]]) -> list[list[Wanted]]:
    """Alternatives that differ in the value of one group as one: "jacket or coat"."""
    merged: list[list[Wanted]] = []
    for each in alternatives:
        last = merged[-1] if merged else None
        if last is not None and [one.group for one in last] == [one.group for one in each]:
            different = [place for place, (one, other) in enumerate(zip(last, each, strict=True)) if one != other]
            if len(different) == 1 and last[different[0]].shares is None and each[different[0]].shares is None:
                place = different[0]
                values = tuple(dict.fromkeys((*last[place].values, *each[place].values)))
                last[place] = Wanted(last[place].group, values)
                continue
        merged.append(list(each))
    return merged
