"""What the constraint works on: words of one vocabulary, what decided values let them say, how far a text is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from personvlm.language.lexicon import Fact, Phrase, lexicon
from personvlm.language.matching import compound
from personvlm.language.scope import ABOUT_OTHERS
from personvlm.language.words import NEGATIONS, OTHERS, PRONOUNS, REGIONS, SCENE, TRIGGERS
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, NONE, OTHER, UNKNOWN

FUNCTION = frozenset((
    "a", "an", "the", "his", "her", "their", "of", "in", "on", "to", "from", "is", "are", "shows", "with", "and",
))  # fmt: skip
"""Words inside phrases that also stand alone and then say nothing."""

CARRY = frozenset(("carrying", "carries", "carry", "holding", "holds", "hold"))
WEAR = frozenset(("wearing", "wears", "wear", "dressed"))
WORN = frozenset((
    "headwear", "eyewear", "face", "neckwear", "gloves", "headphones", "wrist", "upper", "lower", "footwear",
))  # fmt: skip
GARMENT = {"hair": None, "upper": "upper.garment", "lower": "lower.garment", "footwear": "footwear.type"}
SLOTS = ("length", "color", "sleeve", "pattern", "neckline", "style")


@dataclass(frozen=True)
class Tables:
    """One vocabulary as the constraint needs it. Sets of words are integers: bit ``i`` stands for word ``i``.

    Attributes:
        words: the vocabulary, apostrophes straight.
        index: word -> its place in the vocabulary.
        phrases: phrases of the table that can be spelled with the vocabulary and that the realiser may say, by the
            first fact that they state (of adjectives: slot and value), or by ("", region) where they state none.
        content: words that mean something; they come only inside a phrase that may be said.
        inert: words that say nothing by themselves, gendered pronouns and punctuation apart.
        vowels: words that "an" goes before.
    """

    words: tuple[str, ...]
    index: Mapping[str, int]
    phrases: Mapping[Fact, tuple[Phrase, ...]]
    content: frozenset[str]
    inert: int
    vowels: int

    def bit(self, word: str) -> int:
        """The word as a set of one; empty where the vocabulary lacks it."""
        place = self.index.get(word)
        return 0 if place is None else 1 << place

    def bits(self, words: Iterable[str]) -> int:
        """Union of :meth:`bit`."""
        result = 0
        for word in words:
            result |= self.bit(word)
        return result


@lru_cache(maxsize=8)
def tables(vocabulary: tuple[str, ...]) -> Tables:
    """Tables of a vocabulary, made once."""
    vocabulary = tuple(word.replace("’", "'") for word in vocabulary)
    index = {word: place for place, word in enumerate(vocabulary)}
    known = lexicon()
    phrases = [phrase for words, phrase in known.items() if all(word in index for word in words)]
    phrases += [found for word in vocabulary if (word,) not in known and (found := compound(word))]
    content = {word for phrase in phrases for word in phrase.words} - FUNCTION
    content |= NEGATIONS | OTHERS | SCENE | TRIGGERS | ABOUT_OTHERS
    stating: dict[Fact, list[Phrase]] = defaultdict(list)
    for phrase in phrases:
        if phrase.spoken:
            stating[phrase.facts[0] if phrase.facts else ("", phrase.region)].append(phrase)
    spoken = {fact: tuple(found) for fact, found in stating.items()}
    result = Tables(vocabulary, index, spoken, frozenset(content), 0, 0)
    inert = result.bits(word for word in vocabulary
                        if word not in content and word not in PRONOUNS and word[0].isalnum())  # fmt: skip
    vowels = result.bits(word for word in vocabulary if word[0] in "aeio" or word.startswith("umbrella"))
    return replace(result, inert=inert, vowels=vowels)


class Told(NamedTuple):
    """What a phrase that stands for itself tells.

    Attributes:
        facts: as bits.
        fresh: those that must not have been said; a gender may come again with an age.
        groups: of the facts.
        kind: "carrying", "worn" or "", by its groups.
        on_upper: whether it is about an upper garment.
    """

    facts: int
    fresh: int
    groups: frozenset[str]
    kind: str
    on_upper: bool


class Decided:
    """What one set of decided values allows and asks for.

    Attributes:
        pair: decided, sayable (group, value) -> its bit in sets of facts.
        gender: the decided gender, or None.
        facts: what may be said as a fact, with its first words.
        nouns: region -> (facts as bits, first words) of its noun; a generic noun has no facts.
        adjectives: region -> [(slot, value, fact as bit, first words)].
        before: region -> facts that only an adjective can say.
        colors: region -> number of decided colors.
        starts: beginning of a phrase that may be said -> such phrases.
        required: facts that the vocabulary can say.
        persons: first words of phrases for a person that state nothing ("person").
    """

    def __init__(self, table: Tables, values: Values) -> None:
        pairs = [(group, value) for group, given in values.items() for value in given
                 if value not in (NONE, OTHER, UNKNOWN) and value in GROUP[group].values]  # fmt: skip
        self.pair: dict[Fact, int] = {fact: 1 << place for place, fact in enumerate(dict.fromkeys(pairs))}
        self.gender = next((value for group, value in self.pair if group == "gender"), None)
        self.garment = {region: next((value for group, value in self.pair if group == GARMENT[region]), None)
                        for region in REGIONS}  # fmt: skip
        self.colors = {region: sum(group == f"{region}.color" for group, _ in self.pair) for region in REGIONS}
        self.persons = 0
        self.starts: dict[tuple[str, ...], list[Phrase]] = {}
        merged: dict[Told, int] = {}
        self.nouns: dict[str, dict[int, int]] = {region: {} for region in REGIONS}
        adjectives: dict[tuple[str, str, str], int] = {}
        self._sayable: dict[tuple[str, ...], bool] = {}
        self._told: dict[tuple[str, ...], Told] = {}
        for phrase in self._candidates(table):
            if not self.sayable(phrase):
                continue
            for end in range(1, len(phrase.words)):
                self.starts.setdefault(phrase.words[:end], []).append(phrase)
            first = table.bit(phrase.words[0])
            facts = self.bits(phrase.facts) if phrase.part != "adjective" else 0
            if phrase.part == "adjective":
                for region in self._regions(phrase):
                    key = (region, *phrase.facts[0])
                    adjectives[key] = adjectives.get(key, 0) | first
            elif phrase.part == "noun":
                nouns = self.nouns[phrase.region]
                nouns[facts] = nouns.get(facts, 0) | first
            elif not phrase.facts:
                self.persons |= first
            else:
                told = self.told(phrase)
                merged[told] = merged.get(told, 0) | first
        self.facts = list(merged.items())
        self.adjectives: dict[str, list[tuple[str, str, int, int]]] = {region: [] for region in REGIONS}
        for (region, slot, value), first in adjectives.items():
            if self.nouns[region]:
                self.adjectives[region].append((slot, value, self.pair[f"{region}.{slot}", value], first))
        self._ask()

    def _candidates(self, table: Tables) -> Iterator[Phrase]:
        """Phrases of the table that may be sayable: everything but those that begin with an undecided fact."""
        slots = dict.fromkeys((group.partition(".")[2], value) for group, value in self.pair
                              if group.partition(".")[0] in REGIONS)  # fmt: skip
        for fact in (("", "person"), *(("", region) for region in REGIONS), *self.pair, *slots):
            yield from table.phrases.get(fact, ())

    def bits(self, facts: Iterable[Fact]) -> int:
        """Decided facts as a set of bits."""
        result = 0
        for fact in facts:
            result |= self.pair[fact]
        return result

    def told(self, phrase: Phrase) -> Told:
        """What a sayable phrase tells; of a noun without its adjectives."""
        known = self._told.get(phrase.words)
        if known is None:
            groups = frozenset(group for group, _ in phrase.facts)
            facts = fresh = self.bits(phrase.facts)
            if "gender" in groups and len(groups) > 1:
                fresh &= ~self.pair["gender", self.gender or ""]
            kind = "carrying" if "carrying" in groups else "worn" if groups & WORN else ""
            on_upper = any(group.startswith("upper.") for group in groups)
            known = self._told[phrase.words] = Told(facts, fresh, groups, kind, on_upper)
        return known

    def sayable(self, phrase: Phrase) -> bool:
        """Whether a phrase may be said at all: it says what was decided, in words that the realiser has for it."""
        known = self._sayable.get(phrase.words)
        if known is None:
            known = self._sayable[phrase.words] = self._may_say(phrase)
        return known

    def _may_say(self, phrase: Phrase) -> bool:
        if not phrase.spoken or any(PRONOUNS.get(word, self.gender) != self.gender for word in phrase.words):
            return False
        if phrase.part == "adjective":
            return bool(self._regions(phrase))
        if phrase.part == "noun":
            decided = self.garment[phrase.region]
            return decided is None if not phrase.facts else phrase.facts[0] in self.pair
        return all(fact in self.pair for fact in phrase.facts) and (bool(phrase.facts) or phrase.region == "person")

    def _regions(self, phrase: Phrase) -> list[str]:
        slot, value = phrase.facts[0]
        return [region for region in REGIONS if (f"{region}.{slot}", value) in self.pair]

    def _ask(self) -> None:
        """What a complete text has to say, and what of it must stand before its noun."""
        anywhere = 0
        for told, _ in self.facts:
            anywhere |= told.facts
        self.required, self.before = anywhere, dict.fromkeys(REGIONS, 0)
        for region in REGIONS:
            for facts in self.nouns[region]:
                self.required |= facts
            for _, _, fact, _ in self.adjectives[region]:
                self.required |= fact
                if not fact & anywhere:
                    self.before[region] |= fact


class State(NamedTuple):
    """What the words so far add up to, as the parser will read them.

    Attributes:
        said: facts that were stated.
        regions: regions whose noun was said.
        pending: (slot, value) of adjectives that wait for their noun.
        candidates: regions whose noun may take all of ``pending``.
        last: the last word, or "" after a phrase.
        color_last: the last item was a color.
        after_and: then "and" followed.
        region: the last noun's region in this sentence.
        stated: this sentence says something.
        subject: the person was named.
        verb: "carrying" or "worn" when a verb still waits for its first object.
        first: this is the first sentence.
        slim: a word for the body may still be read as an adjective of a garment ("slim jeans").
    """

    said: int = 0
    regions: frozenset[str] = frozenset()
    pending: tuple[tuple[str, str], ...] = ()
    candidates: tuple[str, ...] = ()
    last: str = "."
    color_last: bool = False
    after_and: bool = False
    region: str = ""
    stated: bool = False
    subject: bool = False
    verb: str = ""
    first: bool = True
    slim: bool = False


class Place(NamedTuple):
    """How far a text is.

    Attributes:
        length: number of words so far.
        state: what those add up to that belong to no longer phrase.
        buffer: the others: words that may still become part of a longer phrase.
        last: the last word.
        late: how often each word came since the text has had to close.
        tired: words that came so often that they lead nowhere.
    """

    length: int = 0
    state: State = State()
    buffer: tuple[str, ...] = ()
    last: str = ""
    late: Mapping[str, int] = MappingProxyType({})
    tired: int = 0
