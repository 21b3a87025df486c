"""Constrained decoding on words: what contradicts the decided values cannot be said.

The constraint reads along with the parser's own segmentation. It is no template: words that say nothing come in any
order, and phrases that state a decided value come wherever the parser will read them so. Masked is what would state
an undecided value, a gendered word where gender is open, an adjective that no coming noun may take, a thing that was
said already, every negation, and what leads to the scene or to other people.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from personvlm.language.legal import CARRY, FUNCTION, WEAR, WORN, Decided, Place, Roots, State, Told, tables
from personvlm.language.lexicon import Phrase
from personvlm.language.matching import segmented, settled
from personvlm.language.words import BREAKS, PRONOUNS, REGIONS
from personvlm.schema.description import Values

_ARTICLES = ("a", "an")
_WORDS_PER_FACT = 5
_RESERVED = 0.6
_SLACK = 40
_TIRED = 3


class Constraint:
    """Says which word may come next in one text.

    Args:
        vocabulary: words of :func:`~personvlm.language.tokens.split`, with ``<pad> <bos> <eos> <unk>`` among them.
        values: decided values; only these may be stated.
        complete: do not end before every decided value that the vocabulary can say was said.
        limit: about how many words a text may have at most; ``40 + 5 * number of values`` by default.

    Attributes:
        place: how far the text is. Keep it to come back to it: setting it takes words back.

    A text ends by itself: towards the limit only what is still to be said, and what closes, is allowed.

    Example:
        >>> words = ["<pad>", "<bos>", "<eos>", "<unk>", "the", "image", "shows", "a", "man", "woman", "."]
        >>> constraint = Constraint(words, {"gender": ("male",)})
        >>> for word in ("the", "image", "shows", "a"):
        ...     constraint.advance(words.index(word))
        >>> [word for word, allowed in zip(words, constraint.mask()) if allowed]
        ['man']
    """

    def __init__(self, vocabulary: Sequence[str], values: Values, *, complete: bool = True,
                 limit: int | None = None) -> None:  # fmt: skip
        self._table = table = tables(tuple(vocabulary))
        self._decided = decided = Decided(table, values)
        self._complete = complete
        most = _SLACK + _WORDS_PER_FACT * len(decided.pair)
        self._limit = most if limit is None else min(limit, most)
        # Under a tight limit less is kept back for each fact, or a text with many facts would have to close at once.
        share = _RESERVED * self._limit / max(1, len(decided.pair))
        self._reserve = _WORDS_PER_FACT if self._limit == most else min(_WORDS_PER_FACT, share)
        # Before this many words not even a text that has said nothing needs to close.
        self._relaxed = self._limit - 10 - self._reserve * decided.required.bit_count()
        self._gender = decided.pair.get(("gender", decided.gender), 0)
        self._roots: dict[tuple[int, frozenset[str], bool, bool], Roots] = {}
        self.place = Place()

    def mask(self) -> NDArray[np.bool_]:
        """Which words may come next: ``bool [V]``, True on at least one."""
        mask: NDArray[np.bool_] = masks([self.allowed()], len(self._table.words))[0]
        return mask

    def allowed(self) -> int:
        """The same as a set: bit ``i`` stands for word ``i``. Many of them become an array by :func:`masks`."""
        length, opening = self.place.length, self._table.opening
        return opening[length] if length < len(opening) else self._allowed()

    def advance(self, index: int) -> None:
        """Take the word that was chosen.

        Raises:
            ValueError: :meth:`mask` does not allow the word.
        """
        word, (length, state, buffer, _, late, tired) = self._table.words[index], self.place
        if word == "<eos>":
            self.place = self.place._replace(length=length + 1)
            return
        if self._closing(state, length + 1):
            late = {**late, word: late.get(word, 0) + 1}
            if late[word] >= _TIRED:
                tired |= self._table.bits[word]
        items, buffer = settled((*buffer, word))
        for item in items:
            after = self._step(state, item)
            if after is None:
                raise ValueError(f"{word!r} contradicts the decided values here; mask() says which words may come")
            state = after
        self.place = Place(length + 1, state, buffer, word, late, tired)

    # Which words may come -------------------------------------------------------------------------------------------

    def _allowed(self) -> int:
        length, _, buffer, last, _, tired = self.place
        state = self._read(buffer) if buffer else self.place.state
        bits = self._next(state) if state is not None else 0
        closing = state is not None and self._closing(state, length)
        if buffer:
            bits = self._going_on(buffer, bits, closing)
        bits &= ~self._table.bits.get(last, 0)  # no word comes twice in a row
        if closing:
            bits = bits & ~tired or bits
        if bits:
            return bits
        return self._table.eos if state is not None and state.last == "." else self._table.stop

    def _going_on(self, buffer: tuple[str, ...], bits: int, closing: bool) -> int:
        """``bits`` may follow where no longer phrase begins with ``buffer``; with what such phrases change of that."""
        checked = allowed = onward = 0
        for start in range(len(buffer)):
            for word, bit, ends in self._table.following.get(buffer[start:], ()):
                if bit & checked:
                    continue
                checked |= bit
                words = (*buffer, word)
                reads = self._read(words) is not None
                if (reads and ends) or self._leads_on(words):
                    onward |= bit
                elif reads and (bit & bits or not (closing or word in FUNCTION)):
                    allowed |= bit
        return onward if closing and onward else (bits & ~checked) | allowed | onward

    def _read(self, words: tuple[str, ...]) -> State | None:
        """The state after ``words`` if nothing follows them, or None where they say what they must not."""
        state = self.place.state
        for item in segmented(words):
            after = self._step(state, item)
            if after is None:
                return None
            state = after
        return state

    def _leads_on(self, words: tuple[str, ...]) -> bool:
        """Whether a phrase that may be said begins with the last of ``words``."""
        for start in range(len(words)):
            for phrase in self._table.starts.get(words[start:], ()):
                if phrase in self._decided.told and self._read(words[:start] + phrase) is not None:
                    return True
        return False

    def _next(self, state: State) -> int:
        if state.pending:
            return self._after_adjective(state)
        table, decided, last = self._table, self._decided, state.last
        missing = decided.required & ~state.said
        bits = 0
        if last == "." and not state.first and (missing == 0 or not self._complete):
            if missing == 0:
                return table.eos
            bits = table.eos
        if last == "" and (state.subject if state.first else state.stated):
            bits |= table.stop
        named = state.subject or not state.first
        if missing == 0 and named:
            return bits or table.stop
        carried, worn, others = self._rooted(state)
        roots = carried if state.verb == "carrying" else worn if state.verb == "worn" else carried | worn | others
        persons = decided.persons if not named or last == "the" else 0
        if state.verb or (self._complete and self._gender & missing):
            persons = 0
        roots |= persons
        if last in _ARTICLES:
            return bits | (roots & table.vowels if last == "an" else roots & ~table.vowels)
        if not roots:
            return bits
        if last == "":
            bits |= table.comma | table.joint
        if self._closing(state, self.place.length):
            if not self._complete and bits & (table.stop | table.eos):
                return bits & (table.stop | table.eos)
            return bits | roots
        free = table.free & ~table.bits.get(last, 0)
        bits |= free if last == "" else free & ~table.joint
        if not roots & ~table.vowels:
            bits &= ~table.bits.get("a", 0)
        if not roots & table.vowels:
            bits &= ~table.bits.get("an", 0)
        if missing != self._gender:
            bits |= table.pronouns.get(decided.gender, 0)
        if not state.verb:
            bits |= (table.carry if carried else 0) | (table.wear if worn else 0)
        return bits | roots

    def _closing(self, state: State, length: int) -> bool:
        """Whether what is left of the limit is needed for what is still to be said."""
        if length < self._relaxed:
            return False
        return length + self._reserve * (self._decided.required & ~state.said).bit_count() + 10 >= self._limit

    def _rooted(self, state: State) -> Roots:
        """First words of the phrases that may be said now, whatever verb waits. They stay the same for many words."""
        key = state.said, state.regions, state.slim, state.region in ("", "upper")
        if key not in self._roots:
            self._roots[key] = self._find_roots(*key)
        return self._roots[key]

    def _find_roots(self, said: int, regions: frozenset[str], slim: bool, on_upper: bool) -> Roots:
        decided, found = self._decided, {"carrying": 0, "worn": 0, "": 0}
        for told in decided.facts:
            if not told.fresh & said and (on_upper or not told.on_upper):
                found[told.kind] |= told.first
        for region in () if slim else REGIONS:
            if region not in regions:
                bits = 0
                if self._complete_before(region, said):
                    for facts, first in decided.nouns[region].items():
                        if facts or self._with_later(region, said):
                            bits |= first
                for _, _, fact, first in decided.adjectives[region]:  # the first before its noun: all of them fit
                    if not fact & said:
                        bits |= first
                found["worn" if region in WORN else ""] |= bits
        return Roots(found["carrying"], found["worn"], found[""])

    def _after_adjective(self, state: State) -> int:
        bits = 0
        for region in state.candidates:
            for slot, value, fact, first in self._decided.adjectives[region]:
                if self._takes(state, region, slot, value, fact):
                    bits |= first
            if not state.after_and and self._complete_before(region, state.said | self._waiting(state, region)):
                for first in self._decided.nouns[region].values():
                    bits |= first
        if state.color_last and any(self._more_colors(state, region) for region in state.candidates):
            bits |= self._table.joint
        return bits

    # What words do --------------------------------------------------------------------------------------------------

    def _step(self, state: State, item: str | Phrase) -> State | None:
        """The state after one more item, or None where it says what it must not."""
        if isinstance(item, str):
            return self._word(state, item)
        told = self._decided.told.get(item.words)
        if told is None or (state.slim and item.part != "fact"):
            return None
        if item.part == "adjective":
            return self._adjective(state, told)
        return self._noun(state, told) if item.part == "noun" else self._fact(state, told)

    def _word(self, state: State, word: str) -> State | None:
        if word in self._table.content:
            return None
        if state.pending:
            candidates = tuple(region for region in state.candidates if self._more_colors(state, region))
            if word != "and" or not state.color_last or not candidates:
                return None
            return state._replace(candidates=candidates, color_last=False, after_and=True, last=word)
        said = state.said
        if word in PRONOUNS:
            if PRONOUNS[word] != self._decided.gender:
                return None
            said |= self._gender
        if word == ".":
            return State(said, state.regions, subject=state.subject, first=False)
        verb = "carrying" if word in CARRY else "worn" if word in WEAR else state.verb
        # As ``_replace``, which takes five times as long.
        return State(said, state.regions, state.pending, state.candidates, word, state.color_last, state.after_and,
                     state.region, state.stated, state.subject, verb, state.first,
                     state.slim and word not in BREAKS)  # fmt: skip

    def _adjective(self, state: State, told: Told) -> State | None:
        slot, value = told.phrase.facts[0]
        candidates = tuple([
            region for region, fact in told.fills.items()
            if fact & self._decided.all and (not state.pending or region in state.candidates)
            and region not in state.regions and _expected(state.verb, (region,))
            and self._takes(state, region, slot, value, fact)
        ])  # fmt: skip
        if not candidates:
            return None
        return state._replace(pending=(*state.pending, (slot, value)), candidates=candidates, last="",
                       color_last=slot == "color", after_and=False)  # fmt: skip

    def _noun(self, state: State, told: Told) -> State | None:
        region = told.phrase.region
        if region in state.regions or state.after_and or not _expected(state.verb, (region,)):
            return None
        if state.pending and region not in state.candidates:
            return None
        if not (told.facts or state.pending or self._with_later(region, state.said)):
            return None
        said = state.said | self._waiting(state, region)
        if not self._complete_before(region, said):
            return None
        return State(said | told.facts, state.regions | {region}, last="", region=region, stated=True,
                     subject=state.subject, first=state.first)  # fmt: skip

    def _fact(self, state: State, told: Told) -> State | None:
        if state.pending:
            return None
        if told.facts:
            if told.fresh & state.said or not _expected(state.verb, told.groups):
                return None
            if told.on_upper and state.region not in ("", "upper"):
                return None
        elif state.verb:
            return None
        slim = len(told.phrase.words) == 1 and told.groups == {"body"}
        return state._replace(said=state.said | told.facts, last="", verb="", slim=slim,
                              stated=state.stated or bool(told.facts),
                              subject=state.subject or told.phrase.region == "person")  # fmt: skip

    def _takes(self, state: State, region: str, slot: str, value: str, fact: int) -> bool:
        """Whether a noun of ``region`` may take one more adjective, which states ``fact``, after the pending ones."""
        if fact & state.said or not self._decided.nouns[region]:
            return False
        colors = [said for of, said in state.pending if of == "color"]
        if slot == "color":
            return value not in colors and (state.after_and if colors else not state.after_and)
        if state.after_and or any(of == slot for of, _ in state.pending):
            return False
        return not (self._complete and colors and len(colors) < self._decided.colors[region])

    def _more_colors(self, state: State, region: str) -> bool:
        return sum(slot == "color" for slot, _ in state.pending) < self._decided.colors[region]

    def _waiting(self, state: State, region: str) -> int:
        return sum(self._decided.pair[f"{region}.{slot}", value] for slot, value in state.pending)

    def _with_later(self, region: str, said: int) -> bool:
        """Whether "a top" may come bare because something will follow it ("with a logo")."""
        return region == "upper" and any(told.on_upper and not told.facts & said for told in self._decided.facts)

    def _complete_before(self, region: str, said: int) -> bool:
        """Whether everything that can only stand before the noun was said."""
        return not (self._complete and self._decided.before[region] & ~said)


def masks(sets: Sequence[int], vocabulary: int) -> NDArray[np.bool_]:
    """Sets of words as :meth:`Constraint.allowed` gives them -> ``bool [T, V]``."""
    width = vocabulary // 8 + 1
    packed = np.frombuffer(b"".join(bits.to_bytes(width, "little") for bits in sets), np.uint8)
    return np.unpackbits(packed.reshape(-1, width), axis=1, count=vocabulary, bitorder="little").view(np.bool_)


def _expected(verb: str, groups: Sequence[str] | frozenset[str]) -> bool:
    """Whether a verb that waits for its object may take one of these groups or regions."""
    if not verb:
        return True
    return any(group in WORN if verb == "worn" else group == "carrying" for group in groups)
