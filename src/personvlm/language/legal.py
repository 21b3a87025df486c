"""What the constraint works on: words of one vocabulary, what decided values let them say, how far a text is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from personvlm.language.lexicon import Fact, Phrase, lexicon
from personvlm.language.matching import Node, compound, trie
from personvlm.language.scope import ABOUT_OTHERS
from personvlm.language.words import NEGATIONS, OTHERS, PRONOUNS, REGIONS, SCENE, TRIGGERS
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, GROUPS, NONE, OTHER, UNKNOWN

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
_COLORS = tuple((region, f"{region}.color") for region in REGIONS)
_OPENING = ("the", "image", "shows")
_ALWAYS = (("", "person"), *(("", region) for region in REGIONS))


BIT: Mapping[Fact, int] = MappingProxyType({
    fact: 1 << place for place, fact in enumerate((group.name, value) for group in GROUPS for value in group.values)
})  # fmt: skip
"""Facts as sets of one."""


class Told(NamedTuple):
    """What a phrase that the realiser may say tells, whatever was decided. Sets of words and of facts are integers.

    Attributes:
        phrase: the phrase.
        first: its first word.
        facts: of a noun without its adjectives; of an adjective none.
        fresh: those that must not have been said; a gender may come again with an age.
        groups: of the facts.
        kind: "carrying", "worn" or "", by its groups.
        on_upper: whether it is about an upper garment.
        fills: of an adjective, region -> the fact that it states before a noun of it.
        gender: of the pronoun in it, or "".
    """

    phrase: Phrase
    first: int
    facts: int
    fresh: int
    groups: frozenset[str]
    kind: str
    on_upper: bool
    fills: Mapping[str, int]
    gender: str


def _told(phrase: Phrase, first: int) -> Told:
    gender = next((PRONOUNS[word] for word in phrase.words if word in PRONOUNS), "")
    if phrase.part == "adjective":
        slot, value = phrase.facts[0]
        filled = {region: BIT.get((f"{region}.{slot}", value), 0) for region in REGIONS}
        fills = {region: fact for region, fact in filled.items() if fact}
        return Told(phrase, first, 0, 0, frozenset(), "", False, fills, gender)
    groups = frozenset(group for group, _ in phrase.facts)
    facts = sum(BIT[fact] for fact in phrase.facts)
    fresh = facts if len(groups) == 1 else sum(BIT[fact] for fact in phrase.facts if fact[0] != "gender")
    kind = "carrying" if "carrying" in groups else "worn" if groups & WORN else ""
    return Told(phrase, first, facts, fresh, groups, kind, any(group.startswith("upper.") for group in groups), {},
                gender)  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """One vocabulary as the constraint needs it. Sets of words are integers: bit ``i`` stands for word ``i``.

    Attributes:
        words: the vocabulary, apostrophes straight.
        bits: word -> the set of this one.
        told: phrases that can be spelled with the vocabulary and that the realiser may say, by the first fact that they
            state (of adjectives: slot and value), or by ("", region) where they state none.
        starts: beginning of such a phrase -> all of them.
        following: beginning of a phrase -> the words of the vocabulary by which one goes on: each as text and as a set,
            and whether a phrase ends there.
        content: words that mean something; they come only inside a phrase that may be said.
        inert: words that say nothing by themselves, gendered pronouns and punctuation apart.
        vowels: words that "an" goes before.
        opening: the words that every text begins with, in their order; empty where the vocabulary lacks one.
        carry, wear: verbs whose object is a thing carried or worn.
        pronouns: gender -> its pronouns.
        free: of :attr:`inert`, what may come almost anywhere.
        eos, stop, comma, joint: the end, ``.``, ``,`` and "and".
    """

    words: tuple[str, ...]
    bits: Mapping[str, int]
    told: Mapping[Fact, tuple[Told, ...]]
    starts: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]]
    following: Mapping[tuple[str, ...], tuple[tuple[str, int, bool], ...]]
    content: frozenset[str]
    inert: int
    vowels: int
    opening: tuple[int, ...]
    carry: int
    wear: int
    pronouns: Mapping[str, int]
    free: int
    eos: int
    stop: int
    comma: int
    joint: int


@lru_cache(maxsize=8)
def tables(vocabulary: tuple[str, ...]) -> Tables:
    """Tables of a vocabulary, made once."""
    vocabulary = tuple(word.replace("’", "'") for word in vocabulary)
    bits = {word: 1 << place for place, word in enumerate(vocabulary)}
    known = lexicon()
    phrases = [phrase for words, phrase in known.items() if all(word in bits for word in words)]
    phrases += [found for word in vocabulary if (word,) not in known and (found := compound(word))]
    content = {word for phrase in phrases for word in phrase.words} - FUNCTION
    content |= NEGATIONS | OTHERS | SCENE | TRIGGERS | ABOUT_OTHERS
    told: dict[Fact, list[Told]] = defaultdict(list)
    starts: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for phrase in phrases:
        if phrase.spoken:
            words = phrase.words
            told[phrase.facts[0] if phrase.facts else ("", phrase.region)].append(_told(phrase, bits[words[0]]))
            for end in range(1, len(words)):
                starts[words[:end]].append(words)
    following: dict[tuple[str, ...], tuple[tuple[str, int, bool], ...]] = {}

    def follow(words: tuple[str, ...], node: Node) -> None:
        found = [(word, child) for word, child in node.children.items() if word in bits]
        if words and found:
            following[words] = tuple((word, bits[word], child.phrase is not None) for word, child in found)
        for word, child in found:
            follow((*words, word), child)

    follow((), trie())
    def union(words: Iterable[str]) -> int:
        return sum(bits.get(word, 0) for word in set(words))

    inert = union(word for word in vocabulary if word not in content and word not in PRONOUNS and word[0].isalnum())
    carry, wear, opening = union(CARRY), union(WEAR), tuple(bits.get(word, 0) for word in _OPENING)
    return Tables(
        words=vocabulary, bits=bits, told={fact: tuple(each) for fact, each in told.items()},
        starts={words: tuple(each) for words, each in starts.items()}, following=following, content=frozenset(content),
        inert=inert, vowels=union(word for word in vocabulary if word[0] in "aeio" or word.startswith("umbrella")),
        opening=opening if all(opening) else (), carry=carry, wear=wear,
        pronouns={gender: union(word for word, of in PRONOUNS.items() if of == gender) for gender in PRONOUNS.values()},
        free=inert & ~carry & ~wear & ~union(_OPENING[1:]),
        eos=bits.get("<eos>", 0), stop=bits.get(".", 0), comma=bits.get(",", 0), joint=bits.get("and", 0),
    )  # fmt: skip


class Alike(NamedTuple):
    """Phrases that tell the same: what they tell as in :class:`Told`, and the first words of all of them."""

    facts: int
    fresh: int
    kind: str
    on_upper: bool
    first: int


class Decided:
    """What one set of decided values allows and asks for. Sets of facts are integers, of :data:`BIT`.

    Attributes:
        pair: decided, sayable (group, value) -> the set of this one.
        gender: the decided gender, or "".
        told: phrases that may be said, by their words.
        facts: what may be said as a fact.
        nouns: region -> (facts, first words) of its noun; a generic noun has no facts.
        adjectives: region -> [(slot, value, fact, first words)].
        before: region -> facts that only an adjective can say.
        colors: region -> number of decided colors.
        all: decided facts.
        required: facts that the vocabulary can say.
        persons: first words of phrases for a person that state nothing ("person").
    """

    def __init__(self, table: Tables, values: Values) -> None:
        self.pair = {(group, value): BIT[group, value] for group, given in values.items() for value in given
                     if value not in (NONE, OTHER, UNKNOWN) and value in GROUP[group].values}  # fmt: skip
        self.gender = next((value for group, value in self.pair if group == "gender"), "")
        self.colors = {region: sum(group == color for group, _ in self.pair) for region, color in _COLORS}
        self.all, groups = sum(self.pair.values()), {group for group, _ in self.pair}
        self.told: dict[tuple[str, ...], Told] = {}
        self.persons = 0
        self.nouns: dict[str, dict[int, int]] = {region: {} for region in REGIONS}
        merged: dict[tuple[int, int, str, bool], int] = {}
        adjectives: dict[tuple[str, str, str, int], int] = {}
        for told in self._candidates(table):
            phrase = told.phrase
            if told.facts & ~self.all or told.gender not in ("", self.gender):
                continue
            if phrase.part == "adjective":
                slot, value = phrase.facts[0]
                for region, fact in told.fills.items():
                    if fact & self.all:
                        key = (region, slot, value, fact)
                        adjectives[key] = adjectives.get(key, 0) | told.first
            elif phrase.part == "noun":
                if not phrase.facts and GARMENT[phrase.region] in groups:
                    continue
                nouns = self.nouns[phrase.region]
                nouns[told.facts] = nouns.get(told.facts, 0) | told.first
            elif phrase.facts:
                same = told.facts, told.fresh, told.kind, told.on_upper
                merged[same] = merged.get(same, 0) | told.first
            elif phrase.region == "person":
                self.persons |= told.first
            else:
                continue
            self.told[phrase.words] = told
        self.facts = [Alike(*same, first) for same, first in merged.items()]
        self.adjectives: dict[str, list[tuple[str, str, int, int]]] = {region: [] for region in REGIONS}
        for (region, slot, value, fact), first in adjectives.items():
            if self.nouns[region]:
                self.adjectives[region].append((slot, value, fact, first))
        self._ask()

    def _candidates(self, table: Tables) -> Iterator[Told]:
        """Phrases of the table that may be sayable: everything but those that begin with an undecided fact."""
        slots = dict.fromkeys((group.partition(".")[2], value) for group, value in self.pair
                              if group.partition(".")[0] in REGIONS)  # fmt: skip
        for fact in (*_ALWAYS, *self.pair, *slots):
            yield from table.told.get(fact, ())

    def _ask(self) -> None:
        """What a complete text has to say, and what of it must stand before its noun."""
        anywhere = 0
        for told in self.facts:
            anywhere |= told.facts
        self.required, self.before = anywhere, dict.fromkeys(REGIONS, 0)
        for region in REGIONS:
            for facts in self.nouns[region]:
                self.required |= facts
            for _, _, fact, _ in self.adjectives[region]:
                self.required |= fact
                if not fact & anywhere:
                    self.before[region] |= fact


class Roots(NamedTuple):
    """First words of phrases that may be said: of things carried, of things worn, of all else."""

    carried: int
    worn: int
    others: int


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
