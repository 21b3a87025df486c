"""Plain words into a :class:`~personvlm.store.query.Query`.

The words are those of :mod:`personvlm.language`, so that a question means what a description means. Other than the
parser of descriptions this one knows alternatives ("red or orange"), what is not wanted ("no backpack"), colors without
a garment ("in red") and ages in numbers; whatever it does not understand is left for the full text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from personvlm.language.lexicon import Phrase
from personvlm.language.matching import segment
from personvlm.language.tokens import split
from personvlm.language.words import ABSENT, NEGATIONS
from personvlm.schema import GROUP, NONE
from personvlm.store.near import weights
from personvlm.store.query import Query, Wanted
from personvlm.store.query_ages import Age, ages
from personvlm.store.query_lists import (
    ARTICLES,
    Item,
    adjective,
    after,
    certain,
    listed_noun,
    lists,
    negated,
    one_noun,
    people,
    thing,
)
from personvlm.store.query_terms import Unit, either, terms_of
from personvlm.store.query_words import BARE, NON, SILENT, read_as

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')
_ENDS = frozenset(("but", "except", "however", "though", ".", ";", "!", "?"))
_ENDS_AFTER_ONE = frozenset(("with", "wearing", "wears", "in", "who", "carrying", "carries", "has", "holding", "is"))
_LINKS = frozenset(("in", "is", "are", "that", "which", "colored", "color", "of", "a", "an", "the", "either", "be",
                    "any", "all", "very"))  # fmt: skip
_PREDICATES = frozenset(("not", "isn't", "aren't", "wasn't", "neither", "never", "except"))
"""Negations after which an adjective is said of the noun before: "a jacket, not red"."""

_SLOT_ALONE = {"sleeve": "upper.sleeve", "pattern": "upper.pattern", "style": "upper.style",
               "neckline": "upper.neckline"}  # fmt: skip
_HAIR_ALONE = frozenset(("blond",))
_HAIR = frozenset(("hair", "hairstyle", "haircut"))
LOWER_SHARE = 0.5
"""Of a color without a garment ("in red"): so much counts what is worn below, against 1 above."""

LONGEST = 1000
"""Characters of a question that are read."""


@dataclass
class _Reader:
    units: list[Unit] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pending: list[tuple[str, list[str]]] = field(default_factory=list)  # "non color" where it is not to be so
    negated: bool = False
    negated_one: bool = False
    alternative: bool = False  # "or" was read: what comes next is an alternative
    linked: bool = False  # "in" or "is" after a noun: adjectives that come are its own
    last: Unit | None = None  # of the noun or fact that was read last
    aged: bool = False


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
    each = [(words, _read(words)) for words in people(split(_QUOTED.sub(" ", asked)))]
    readers = [reader for _, reader in each]
    terms = terms_of(readers[0].units)
    notes = [note for reader in readers for note in reader.notes]
    if len(readers) > 1:
        together = either([terms_of(reader.units) for reader in readers])
        terms = terms if together is None else (together,)
        notes += [f"\"or {' '.join(words)}\" cannot be asked for beside the rest, and was passed over"
                  for words, _ in each[1:] if together is None]  # fmt: skip
    said = [word for reader in readers for word in reader.words]
    phrases = tuple(tuple(word for word in phrase if word[0].isalnum()) for phrase in quoted)
    return Query(text, terms, tuple(dict.fromkeys(said)), tuple(filter(None, phrases)),
                 tuple(dict.fromkeys(notes)))  # fmt: skip


def _read(words: list[str]) -> _Reader:
    """Read what is said of one person."""
    found = ages(words)
    reader, items, begin = _Reader(aged=bool(found)), list[Item](), 0
    for age in (*found, None):
        known, notes = read_as(words[begin : len(words) if age is None else age.begin])
        reader.notes += notes
        items += segment(known)
        if age is not None:
            items.append(age)
            begin = age.end
    for place, item in enumerate(items):
        if isinstance(item, str):
            _word(reader, item, items, place)
        elif isinstance(item, Age):
            _flush(reader)
            _unit(reader, [Wanted("age", tuple(item.shares), item.shares)], absent=negated(items, place))
            reader.units[-1].first = True
        elif item.part == "adjective":
            _adjective(reader, item, NON if place and items[place - 1] == NON else "")
        elif item.part == "noun":
            beside = (*items[max(0, place - 1) : place], *items[place + 1 : place + 2])
            part = any(isinstance(near, Phrase) for near in beside)  # "top hat", "ginger hair"
            _noun(reader, item, "" if item.facts or part else " ".join(item.words))
        else:
            _fact(reader, item)
    _flush(reader)
    for unit in reader.units:
        if unit.name and not any(unit.alternatives):
            _text(reader, unit.name.split(), unit.absent)
    return reader


def _text(reader: _Reader, words: Sequence[str], absent: bool) -> None:
    """Words without an attribute: the text is searched for them."""
    for word in words:
        if word in SILENT or not any(letter.isalnum() for letter in word):
            continue
        if absent:
            reader.notes.append(f"{word!r} is no attribute: that it is absent cannot be asked for")
        else:
            reader.words.append(word)


def _word(reader: _Reader, word: str, items: Sequence[Item], place: int) -> None:
    following = items[place + 1] if place + 1 < len(items) else ""
    before = items[place - 1] if place else ""
    if word in ("nothing", "anything") and following != "but" and "carrying" in items[max(0, place - 3) : place]:
        _unit(reader, [Wanted("carrying", (NONE,))], absent=False)
        reader.negated = False
        return
    if word in NEGATIONS or word == "except":
        _flush(reader)
        if word == "except" and reader.negated and not reader.negated_one:  # "not ... anything but" it
            reader.negated = False
            return
        if word in _PREDICATES:
            reader.linked = _has_noun(reader)
        reader.negated, reader.negated_one, reader.alternative = word != "nor" or reader.negated, False, word == "nor"
        return
    if word == NON and adjective(following):
        return
    if word in ("or", "/"):
        _or(reader, before, items, place)
        return
    if word in ("and", "&", ",", "plus"):
        if not (word == "," and following in ("or", "nor")):
            _and(reader, word, items, place)
        return
    if reader.negated and (word in _ENDS or (word in _ENDS_AFTER_ONE and reader.negated_one)):
        _flush(reader)
        reader.negated = False
    if word in ("with", "wearing", "carrying", "who", "holding", "has", *_ENDS):
        _flush(reader)
        reader.linked = reader.linked and word == "but"  # "a jacket that is not red but blue"
    elif word in ("in", "is", "are", "colored", "color"):
        _flush(reader)
        reader.linked = _has_noun(reader)
    elif word not in _LINKS:
        if reader.linked:
            _flush(reader)
        reader.linked = False
    if word == "young":
        _unit(reader, [Wanted("age", ("young adult",), {"young adult": 1.0, "child": 0.5})])
    elif word == "old" and (named := thing(items, place)):
        reader.notes.append(f"that {named} is old is not described, and was passed over")
    elif word == "old":
        _unit(reader, [Wanted("age", ("elderly",))])
    elif word in BARE:
        _unit(reader, [Wanted(BARE[word], (NONE,))])
    else:
        _text(reader, [word], reader.negated)


def _or(reader: _Reader, before: Item, items: Sequence[Item], place: int) -> None:
    if not (reader.pending and one_noun(items, place, reader.linked)):
        _flush(reader)
    reader.alternative = isinstance(before, Phrase | Age) or before in (",", *BARE, "young", "old")
    if not reader.alternative and reader.units and isinstance(after(items, place), Phrase):
        reader.notes.append(f"{before!r} is no attribute: what comes after \"or\" is asked for by itself")


def _and(reader: _Reader, word: str, items: Sequence[Item], place: int) -> None:
    following = items[place + 1] if place + 1 < len(items) else ""
    comma = word == ","
    listed = comma and lists(items, place)
    own = reader.linked and listed_noun(items, place)  # "a jacket that is not red, and jeans"
    together = one_noun(items, place, reader.linked) if listed or reader.linked else adjective(following)
    anew = False
    if not (reader.pending and together):
        _flush(reader)
        # "No hat and long hair": whose hair is long. "No red coat and blue jeans" may deny both.
        anew = not comma and certain(items, place) and not _has_noun(reader)
    more = listed or (not adjective(following) and any(item in ("or", "nor") for item in items[place : place + 4]))
    anew = anew or own or following in ARTICLES or following in _ENDS_AFTER_ONE
    if reader.negated and ((comma and not more) or anew):
        _flush(reader)
        reader.negated = False
    reader.alternative = reader.alternative or listed


def _has_noun(reader: _Reader) -> bool:
    return reader.last is not None and bool(reader.last.region)


def _adjective(reader: _Reader, phrase: Phrase, non: str = "") -> None:
    slot, value = phrase.facts[0]
    slot = f"{non} {slot}".strip()
    if reader.alternative and reader.pending and reader.pending[-1][0] == slot:
        reader.pending[-1][1].append(value)
        reader.alternative = False
    else:
        reader.pending.append((slot, [value]))


def _noun(reader: _Reader, phrase: Phrase, name: str) -> None:
    value = phrase.facts[0][1] if phrase.facts else None
    slots = [slot for slot, values in reader.pending if slot == "length" and value == "skirt" for _ in values[:1]]
    if slots:
        value = f"{reader.pending[[slot for slot, _ in reader.pending].index('length')][1][0]} skirt"
        reader.pending = [pair for pair in reader.pending if pair[0] != "length"]
    unlike = [Unit([[each]], True) for each in _worn(reader, phrase.region, " ".join(phrase.words), NON)]
    wanted = _worn(reader, phrase.region, " ".join(phrase.words))
    if value is not None:
        wanted.append(Wanted(phrase.facts[0][0], (value,)))
    if phrase.region == "hair" and phrase.words[0] not in _HAIR:  # "a ponytail": more than the adjectives before it
        _text(reader, phrase.words, reader.negated)
        name = ""
    elif reader.negated and phrase.region == "hair" and not wanted:
        wanted, reader.negated = [Wanted("hair.length", ("bald",))], False
    reader.linked = False
    if wanted or not reader.alternative:
        _unit(reader, wanted, region=phrase.region, name="" if unlike else name)
        reader.units[-1:-1] = unlike  # what an "or" goes on with stays the last
    else:
        reader.alternative = False
        _text(reader, name.split(), reader.negated)


def _worn(reader: _Reader, region: str, name: str, non: str = "") -> list[Wanted]:
    """The adjectives that wait, or those with "non" before them, as what is asked of a noun of ``region``."""
    wanted = []
    pending = [pair for pair in reader.pending if pair[0].startswith(f"{NON} ") == bool(non)]
    for slot, values in pending:
        group = f"{region}.{slot.split()[-1]}"
        legal = [value for value in values if group in GROUP and weights(group, value)]
        if legal:
            wanted.append(Wanted(group, tuple(legal)))
        if len(legal) < len(values):
            missing = " or ".join(value for value in values if value not in legal)
            reader.notes.append(f"that {name} is {non and 'not '}{missing} is not described, and was passed over")
    reader.pending = [pair for pair in reader.pending if pair not in pending]
    return wanted


def _fact(reader: _Reader, phrase: Phrase) -> None:
    if reader.pending:
        if phrase.region == "person":
            _flush(reader)
        else:
            said = " or ".join(value for _, values in reader.pending for value in values)
            reader.notes.append(f"that {' '.join(phrase.words)} is {said} is not described, and was passed over")
            reader.pending = []
    reader.linked = False
    if not phrase.facts:
        _text(reader, () if phrase.region == "person" else phrase.words, reader.negated)
        return
    group, value = phrase.facts[0]
    if reader.negated and len(phrase.facts) == 1 and group in ABSENT and group != "carrying" and (
        ABSENT[group].canonical == value
    ):
        reader.alternative = False  # "no hat or glasses": neither
        _unit(reader, [Wanted(group, (NONE,))], absent=False)
        reader.negated_one = True
        return
    # Of "a boy of 17" the number says the age.
    facts = [fact for fact in phrase.facts if not (reader.aged and fact == ("age", "child") and len(phrase.facts) > 1)]
    _unit(reader, [Wanted(group, (value,)) for group, value in facts])


def _unit(reader: _Reader, wanted: list[Wanted], region: str = "", absent: bool | None = None,
          name: str = "") -> None:  # fmt: skip
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
        last = Unit([wanted], absent, region, name)
        reader.units.append(last)
    reader.last, reader.alternative = last, False


def _flush(reader: _Reader) -> None:
    """Adjectives that found no noun: they belong to the noun before ("a jacket in red"), or to the clothes at all."""
    pending, reader.pending = reader.pending, []
    last = reader.last
    for said, values in pending:
        slot = said.removeprefix(f"{NON} ")
        absent = reader.negated or said != slot
        if reader.linked and last is not None and weights_of(f"{last.region}.{slot}", values):
            last.name, own = "", Wanted(f"{last.region}.{slot}", tuple(values))
            if absent:
                reader.units.append(Unit([[own]], True))
                continue
            for each in last.alternatives:
                each.append(own)
        elif slot == "color" and _HAIR_ALONE & set(values):
            _unit(reader, [Wanted("hair.color", tuple(values))], absent=absent)
        elif slot == "color":
            above, below = Wanted("upper.color", tuple(values)), Wanted("lower.color", tuple(values))
            shares = {value: LOWER_SHARE * share for value, share in below.counted.items()}
            below = Wanted("lower.color", tuple(values), shares)
            reader.last = Unit([[above], [below]], absent)
            reader.units.append(reader.last)
            reader.alternative = False
        elif slot in _SLOT_ALONE:
            _unit(reader, [Wanted(_SLOT_ALONE[slot], tuple(values))], absent=absent)
        else:
            reader.notes.append(f"{' or '.join(values)!r} alone says nothing that is described, and was passed over")


def weights_of(group: str, values: list[str]) -> bool:
    """Whether ``group`` exists and can have each of ``values``."""
    return group in GROUP and all(weights(group, value) for value in values)
