"""Guessing how a text goes on, so that the decoder can check many words in one run instead of making one a run.

A draft decides nothing. The decoder reads the drafted words in one run, which gives its own choice at every place; what
it would have chosen itself is kept, the first word that it would not is replaced by its own, and the rest is thrown
away (Stern et al., "Blockwise Parallel Decoding", NeurIPS 2018; Leviathan et al., ICML 2023, for the greedy case). The
words are those of decoding one by one, whatever the draft says; only the time depends on it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from personvlm.base.errors import InputError

FILE = "draft.json"
_FORMAT = "personvlm.draft"
_ALIKE = 0.15
"""Shares that differ by no more are taken for the same."""


class Drafter(Protocol):
    """Says what probably follows. It is asked again after every word that the decoder chose otherwise.

    :class:`Lookup` is one, :class:`NgramTable` another.
    """

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        """At most ``most`` words (token ids) that may follow ``words``, which begin with ``bos``; none is fine."""


def accepted(draft: Sequence[int], chosen: Sequence[int]) -> int:
    """How many words of ``draft`` the decoder chose too, counted from the first.

    ``chosen[i]`` is the decoder's choice after the known words and ``draft[:i]``; it has one word more than ``draft``,
    so that ``chosen[: accepted + 1]`` is what a run of the decoder adds to a text.

    Example:
        >>> accepted([5, 6, 7], [5, 6, 9, 4])
        2
    """
    for place, (guess, choice) in enumerate(zip(draft, chosen, strict=False)):
        if guess != choice:
            return place
    return len(draft)


@dataclass(frozen=True)
class Lookup:
    """Drafts from one expected text: what follows there after the same last words.

    Two words that changed places ("white and black") are taken for just that. Where a text leaves what was expected
    otherwise, the longest stretch of its last words that also occurs in ``expected`` tells where it is; of several the
    nearest (as "prompt lookup" in ``transformers``, with the expectation as the prompt).
    """

    expected: tuple[int, ...]
    longest: int = 4
    reach: int = 4

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        """See :class:`Drafter`."""
        here, expected = len(words), self._rearranged(words)
        if expected[:here] == list(words):
            return expected[here : here + most]
        for length in range(min(self.longest, here), 0, -1):
            last = list(words[-length:])
            places = [end for end in range(length, len(expected)) if expected[end - length : end] == last]
            if places:
                nearest = min(places, key=lambda end: abs(end - here))
                return expected[nearest : nearest + most]
        return []

    def _rearranged(self, words: Sequence[int]) -> list[int]:
        """What is expected, with the words that changed places where ``words`` have them."""
        expected = list(self.expected)
        for place, word in enumerate(words):
            if expected[place : place + 1] != [word]:
                if word not in expected[place + 1 : place + self.reach]:
                    break
                other = expected.index(word, place + 1)
                expected[place], expected[other] = word, expected[place]
        return expected


@dataclass(frozen=True)
class NgramTable:
    """Drafts the word that most often followed the same last words in a corpus; fewer last words where more are new.

    Attributes:
        order: the longest context is ``order - 1`` words.
        following: context -> the commonest next word.
        shares: context -> how often that word was the next, 0..1; 1 where it is not there.
        sure: a draft ends where its words, the first excepted, would together be less likely than this. A large
            decoder reads two words in the time of one, but each further word costs it a seventh of a run.
    """

    order: int
    following: Mapping[tuple[int, ...], int]
    shares: Mapping[tuple[int, ...], float] = field(default_factory=dict)
    sure: float = 0.0

    @classmethod
    def count(cls, texts: Iterable[Sequence[int]], order: int = 6, least: int = 2, sure: float = 0.0) -> NgramTable:
        """The table of a corpus, the same whatever the order of its texts.

        Args:
            texts: each with ``bos`` and ``eos``.
            order: see :class:`NgramTable`.
            least: contexts that came less often are left out. One whose shorter context says the same is too.
            sure: see :class:`NgramTable`; 0 leaves the shares out.
        """
        counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for text in texts:
            for end in range(1, len(text)):
                for length in range(1, min(order - 1, end) + 1):
                    counts[tuple(text[end - length : end])][text[end]] += 1
        best = {context: min(found, key=lambda word: (-found[word], word))
                for context, found in counts.items() if found.total() >= least}  # fmt: skip
        shares = {context: round(counts[context][word] / counts[context].total(), 2)
                  for context, word in best.items()} if sure > 0 else {}  # fmt: skip
        kept = sorted(context for context, word in best.items() if best.get(context[1:]) != word
                      or abs(shares.get(context, 1.0) - shares.get(context[1:], 1.0)) > _ALIKE)  # fmt: skip
        return cls(order, {context: best[context] for context in kept},
                   {context: shares[context] for context in kept if shares.get(context, 1.0) < 1.0}, sure)  # fmt: skip

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        """See :class:`Drafter`. Ends where nothing is known."""
        known = list(words[-self.order :])
        given, likely = len(known), 1.0
        while len(known) < given + most:
            for length in range(min(self.order - 1, len(known)), 0, -1):
                context = tuple(known[-length:])
                word = self.following.get(context)
                if word is not None:
                    break
            else:
                break
            likely *= self.shares.get(context, 1.0)
            if likely < self.sure and len(known) > given:
                break
            known.append(word)
        return known[given:]

    def save(self, directory: Path) -> None:
        """Write ``draft.json`` into ``directory``."""
        rows = [[*context, word] for context, word in self.following.items()]
        content: dict[str, Any] = {"format": _FORMAT, "version": 1, "order": self.order, "rows": rows}
        if self.sure > 0:
            content |= {"sure": self.sure, "shares": [self.shares.get(context, 1.0) for context in self.following]}
        (directory / FILE).write_text(json.dumps(content, separators=(",", ":")) + "\n")

    @classmethod
    def beside(cls, directory: Path, vocabulary: int) -> NgramTable | None:
        """:meth:`load`, where ``directory`` holds a table."""
        return cls.load(directory, vocabulary) if (directory / FILE).is_file() else None

    @classmethod
    def load(cls, directory: Path, vocabulary: int) -> NgramTable:
        """Read ``draft.json`` from ``directory``, made for a vocabulary of that many words.

        Raises:
            InputError: the file is absent, damaged, or made for another vocabulary.
        """
        path = directory / FILE
        try:
            content = json.loads(path.read_text())
            if content["format"] != _FORMAT or content["version"] != 1:
                raise ValueError("another format")
            following = {tuple(map(int, row[:-1])): int(row[-1]) for row in content["rows"]}
            order, sure = int(content["order"]), float(content.get("sure", 0.0))
            given = content.get("shares", [1.0] * len(following))
            shares = {context: float(share) for context, share in zip(following, given, strict=True) if share != 1.0}
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise InputError(f"{path}: not a table of drafts ({error}); export the model again") from error
        if any(not 0 <= word < vocabulary for row in following.items() for word in (*row[0], row[1])):
            raise InputError(f"{path}: has words outside the vocabulary of {vocabulary}; export the model again")
        return cls(order, following, shares, sure)
