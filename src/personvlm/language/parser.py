"""Sentence to attributes: the exact inverse of the realiser, and a careful reader of free captions.

Phrases of the table are found leftmost and longest. Then the text is read once: adjectives wait for their noun,
negations make what follows absent, and what is said of the scene or of other people is passed over. Hedges
("appears to be", "possibly") do not matter: what is hedged is stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from personvlm.language.lexicon import Phrase, group_of
from personvlm.language.matching import longest, segment
from personvlm.language.scope import described
from personvlm.language.tokens import split
from personvlm.language.words import ABSENT, BREAKS, NEGATIONS, PRONOUNS
from personvlm.schema.groups import GROUP, GROUPS, NONE, Group

_OUTERMOST_FIRST = (
    "graduation gown", "chef uniform", "padded coat", "coat", "suit", "jacket", "vest", "hoodie", "sweater", "dress",
    "blouse", "shirt", "t-shirt",
)  # fmt: skip
_REGION_GROUP = {"upper": "upper.garment", "lower": "lower.garment", "footwear": "footwear.type"}
_LINKS = frozenset((
    "is", "are", "appears", "appear", "seems", "to", "be", "in", "a", "an", "color", "colored", "colors", "possibly",
    "likely", "mostly", "primarily", "predominantly", "also", "shade", "of", "shades", "which", "that", "very", "both",
    "probably", "mainly", "partially",
))  # fmt: skip
_PADDING = frozenset(("cotton-padded", "padded", "puffer", "puffy", "quilted"))
_PADDABLE = ("coat", "jacket", "vest", None)
_RIDDEN = {
    **dict.fromkeys(("bicycle", "bike", "bicycles"), "riding a bicycle"),
    **dict.fromkeys(("scooter", "moped", "motorbike", "motorcycle", "motorscooter", "e-scooter"), "riding a scooter"),
    "skateboard": "riding a skateboard",
}
_ENDS_NEGATION = frozenset((
    "but", "however", "though", "although", "while", "except", "due", "because", "as", "since", ";", "only", "just",
))  # fmt: skip
_OVER = frozenset(("under", "underneath", "beneath", "over"))
_HOLDS = frozenset(("carrying", "carries", "holding", "holds"))
_WEARS = frozenset(("wearing", "wears", "dressed", "in", "with", "he", "she", "they", "is", "has", "who", ",", ";"))
_RIDES = frozenset(("riding", "rides", "ride", "rode", "astride", "on"))
_NEARBY = frozenset(("with", "beside", "near", "next", "behind", "by"))
_LEANS = frozenset(("leaning", "leans", "resting", "rests", "hand", "hands", "pushing", "pushes"))
_VERBS = frozenset((
    "is", "are", "he", "she", "they", "wearing", "wears", "has", "have", "carrying", "carries", "holding", "holds",
    "dressed", "appears", "who", "with",
))  # fmt: skip
_DETERMINERS = frozenset(("a", "an", "his", "her", "their", "the"))
_SEEN = frozenset(("visible", "discernible", "clear", "legible", "identifiable", "distinguishable"))
_PLACES = frozenset(("on", "in", "at", "from", "beyond", "besides"))
_STATED = tuple[str, str]


@dataclass
class _Garment:
    """One mention of a region's noun with the adjectives that belong to it."""

    region: str
    value: str | None
    slots: dict[str, list[str]] = field(default_factory=dict)

    def add(self, slot: str, value: str) -> None:
        values = self.slots.setdefault(slot, [])
        if value not in values:
            values.append(value)


@dataclass
class _Reading:
    """What has been read so far, in the order of the text."""

    facts: list[_STATED] = field(default_factory=list)
    garments: list[_Garment] = field(default_factory=list)
    pronouns: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Read what a caption states about its person.

    Args:
        text: one or more English sentences, canonical or free.

    Returns:
        Group -> stated values, for stated groups only. A group whose absence is said ("no glasses") holds ``none``.
        Colors keep the order in which they are said.

    Example:
        >>> parse("The image shows a man in a black jacket over a white shirt. He has no bag.")
        {'gender': ('male',), 'upper.garment': ('jacket',), 'upper.color': ('black',)}
    """
    reading = _Reading()
    for sentence in described(_colors_apart(split(text.replace("’", "'")))):
        _Sentence(segment(sentence), reading).read()
    return _resolve(reading)


def _colors_apart(words: list[str]) -> list[str]:
    """ "white-and-blue" as three words, since it states two colors."""
    found: list[str] = []
    for word in words:
        color, joined, rest = word.partition("-and-")
        phrase = longest((color,), 0) if joined else None
        apart = phrase is not None and phrase.part == "adjective"
        found += (color, "and", *rest.split("-")) if apart else (word,)
    return found


class _Sentence:
    """Reads one sentence from left to right."""

    def __init__(self, items: list[str | Phrase], reading: _Reading) -> None:
        self._items = items
        self._reading = reading
        self._pending: list[_STATED] = []
        self._last: _Garment | None = None  # the noun that a predicate ("is black") or "with stripes" goes to
        self._linked = False
        self._negated = ""  # the negation whose scope this is
        self._negated_one = False  # something was negated by it
        self._young = self._padded = self._held = False
        self._riding = 0

    def read(self) -> None:
        for position, item in enumerate(self._items):
            if isinstance(item, str):
                self._word(item, position)
            elif item.part == "adjective":
                self._pending.append(item.facts[0])
            elif item.part == "noun":
                self._noun(item, position)
            else:
                self._fact(item, position)
        self._flush()
        if "ear" in self._items and ("carrying", "phone") in self._reading.facts:
            self._reading.facts.append(("activity", "making a phone call"))

    def _word(self, word: str, position: int) -> None:
        if word in PRONOUNS:
            self._reading.pronouns.append(PRONOUNS[word])
        # "The jacket is not red, but ...": the noun still waits for its color.
        corrected = bool(self._negated) and "but" in self._items[position : position + 1 + (word == ",")]
        if word in NEGATIONS or (word == "instead" and self._items[position + 1 : position + 2] == ["of"]):
            self._flush()
            self._negated = word
            self._negated_one = False
        elif self._negated and (
            word in _ENDS_NEGATION
            or (word in _VERBS and self._negated_one)
            or (word in _OVER and self._negated_one)  # "no hair under his cap"
            or word in (_SEEN if self._negated == "not" else _PLACES)
            or (word == "in" and self._items[position - 1] == ",")  # "not wearing a hat, in a red jacket"
        ):
            self._flush()  # "not red but blue": red is no longer waiting
            self._negated = ""
        elif self._negated and self._negated_one and word in (",", "and") and self._goes_on_worn(position):
            self._negated = ""  # "no hat, black trousers and brown boots"
        elif self._negated == "no" and self._negated_one and word in _DETERMINERS and (
            self._items[position - 1] in ("and", ",")
        ):
            self._negated = ""  # "no hat and a backpack"
        if self._negated and word in ("nothing", "anything") and self._before(position, "carrying", "holding"):
            self._reading.absent.add("carrying")
        self._young = word == "young" or (self._young and word not in BREAKS)
        self._padded = word in _PADDING or (self._padded and word not in BREAKS)
        if word in _RIDES and not (word == "on" and _LEANS & set(self._items[max(0, position - 2) : position])):
            self._riding = 7
        elif word in _NEARBY:  # "on a bench with a bicycle"
            self._riding = 0
        elif word in _RIDDEN and self._riding and not self._negated:
            self._reading.facts.append(("posture", _RIDDEN[word]))
        if word in _PADDING and self._linked and self._last is not None and self._last.value in _PADDABLE:
            self._last.value = "padded coat"
        self._riding = max(0, self._riding - 1) if word not in (".", ",", ";") else 0
        self._held = word in _HOLDS or (self._held and word not in _WEARS)
        if word in BREAKS or (word in (",", "and", "or") and not self._in_adjectives(position)):
            self._flush()
            if word not in _LINKS and not corrected:
                self._linked = False
        if word in ("is", "are", "appears", "appear", "seems", "in"):
            self._linked = self._last is not None
        elif word not in _LINKS and word != "not" and not self._pending and not corrected:
            self._linked = False

    def _in_adjectives(self, position: int) -> bool:
        """Whether this comma or "and" stands between two adjectives of one noun."""
        if position == 0 or not self._is_adjective(self._items[position - 1]):
            return False
        if self._padded:
            return True
        for index, item in enumerate(self._items[position + 1 : position + 4]):
            if self._is_adjective(item):
                return True
            if isinstance(item, Phrase) and item.part == "noun":
                return index > 0 or item.words[0] in _PADDING
            if item in BREAKS or item == "," or (isinstance(item, Phrase) and item.part == "fact"):
                return False
        return False

    def _goes_on_worn(self, position: int) -> bool:
        """Whether what stands after this comma or "and" has adjectives and a noun of its own, and no "or" behind it:
        whoever wears no hat wears black trousers all the same."""
        rest = self._items[position + 1 : position + 8]
        rest = rest[1:] if rest[:1] == ["and"] else rest
        for index, item in enumerate(rest):
            if not isinstance(item, str) and item.part != "adjective":
                return index > 0 and item.part == "noun"
            if not self._is_adjective(item):
                return False
        return False

    def _not_worn(self, position: int) -> bool:
        """Whether what stands here is only held, or hangs over an arm: "holding a helmet", "tied around her waist"."""
        words = self._items[position + 1 : position + 5]
        near = words[: next((place for place, item in enumerate(words) if item in (",", "and")), len(words))]
        return self._held or "tied" in near or "waist" in near or "arm" in near or ("in" in near and "hand" in near)

    @staticmethod
    def _is_adjective(item: str | Phrase) -> bool:
        return item in _PADDING if isinstance(item, str) else item.part == "adjective"

    def _before(self, position: int, *words: str) -> bool:
        return any(item in words for item in self._items[max(0, position - 3) : position])

    def _noun(self, phrase: Phrase, position: int) -> None:
        value = phrase.facts[0][1] if phrase.facts else None
        if self._padded and value in _PADDABLE and phrase.region == "upper":
            value = "padded coat"
        garment = _Garment(phrase.region, value)
        if value == "skirt" and ("length", "short") in self._pending:
            garment.value = "short skirt"
        elif value == "skirt" and ("length", "long") in self._pending:
            garment.value = "long skirt"
        elif value == "shoes" and ("style", "casual") in self._pending:
            garment.value = "casual shoes"
        for slot, said in self._pending:
            if slot != "body":
                garment.add(slot, said)
        self._pending, self._linked, self._young, self._padded = [], False, False, False
        if self._negated:
            self._negated_one = True
            return
        if phrase.region == "upper" and self._not_worn(position):
            return
        self._last = garment
        self._reading.garments.append(garment)

    def _fact(self, phrase: Phrase, position: int) -> None:
        if phrase.region == "person":
            self._flush_body()
        else:
            self._flush(consumed=True)
        for group, value in phrase.facts:
            if group == "body" and len(phrase.words) == 1 and not self._negated:
                self._pending.append(("body", value))
            elif self._negated:
                self._negated_one = True
                self._absent(group)
            elif group.startswith("upper.") and self._last is not None and self._last.region != "upper" and (
                group != "upper.sleeve"
            ):
                continue
            elif value == "bag" and self._items[position - 1 : position] == ["the"] and self._holds_a_bag():
                continue  # the one that was named
            elif group in ("headwear", "eyewear") and self._not_worn(position):
                continue
            else:
                self._reading.facts.append((group, value))
        if phrase.region == "person" and self._young and not self._negated:
            if not any(group == "age" and value != "adult" for group, value in phrase.facts):
                self._reading.facts.append(("age", "young adult"))
            self._young = False

    def _holds_a_bag(self) -> bool:
        bags = GROUP["carrying"].parents["bag"]
        return any(group == "carrying" and value in bags for group, value in self._reading.facts)

    def _absent(self, group: str) -> None:
        if group in ABSENT and NONE in GROUP[group].values and group != "carrying":
            self._reading.absent.add(group)

    def _flush_body(self) -> None:
        self._reading.facts.extend(pair for pair in self._pending if pair[0] == "body" and not self._negated)
        self._pending = []

    def _flush(self, consumed: bool = False) -> None:
        """Adjectives that found no noun: a predicate of the last noun, or nothing."""
        if not self._pending:
            return
        pending = self._pending
        self._flush_body()
        if self._negated or consumed:
            return
        for slot, value in pending:
            if slot == "sleeve":
                self._reading.facts.append(("upper.sleeve", value))
            elif self._linked and self._last is not None and slot != "body":
                self._last.add(slot, value)


def _resolve(reading: _Reading) -> dict[str, tuple[str, ...]]:
    """One value per exclusive group, several per set, in the order of the schema's groups."""
    stated: dict[str, list[str]] = {}
    for group, value in (*reading.facts, *_worn(reading.garments)):
        values = stated.setdefault(group, [])
        if value not in values:
            values.append(value)
    if "gender" not in stated and reading.pronouns:
        stated["gender"] = [reading.pronouns[0]]
    result: dict[str, tuple[str, ...]] = {}
    for known in GROUPS:
        values = stated.get(known.name, [])
        if values and known.kind == "set":
            result[known.name] = tuple(values)
        elif values:
            result[known.name] = (_most_specific(known, values),)
        elif known.name in reading.absent:
            result[known.name] = (NONE,)
    return result


def _most_specific(group: Group, values: list[str]) -> str:
    """The first value, unless a later one says the same more closely ("an adult ... a young adult")."""
    if group.name == "posture":  # one sits or stands on what one rides
        return next((value for value in values if value.startswith("riding")), values[0])
    return next((value for value in values if value != values[0] and group.covers(values[0], value)), values[0])


def _worn(garments: list[_Garment]) -> Iterator[_STATED]:
    """What the mentions of one region add up to: the outermost garment, its adjectives, and any sleeves."""
    for region in ("hair", "upper", "lower", "footwear"):
        mentions = [garment for garment in garments if garment.region == region]
        named = [garment for garment in mentions if garment.value is not None]
        if region == "upper":
            named.sort(key=lambda garment: _OUTERMOST_FIRST.index(garment.value or ""))
        elif region == "footwear":
            named.sort(key=lambda garment: garment.value in ("shoes", "stockings"))
        chosen = [garment for garment in mentions if not named or garment.value == named[0].value]
        if named:
            yield _REGION_GROUP[region], named[0].value or ""
        for slot in ("length", "color", "sleeve", "pattern", "neckline", "style"):
            pool = [*chosen, *mentions] if slot in ("sleeve", "length") else chosen
            found = [garment.slots[slot] for garment in pool if slot in garment.slots]
            if slot == "sleeve":  # a sleeveless vest over sleeves: the arms are covered
                found.sort(key=lambda values: values == ["sleeveless"])
            for value in found[0] if found else ():
                group = group_of(region, slot, value)
                if group is not None:
                    yield group, value
