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
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from personvlm.base.errors import InputError

FILE = "draft.json"
_FORMAT = "personvlm.draft"


class Drafter(Protocol):
    """Says what probably follows. It is asked again after every word that the decoder chose otherwise."""

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

    Where a text leaves what was expected, the longest stretch of its last words that also occurs in ``expected`` tells
    where it is; of several the nearest (as "prompt lookup" in ``transformers``, with the expectation as the prompt).
    """

    expected: tuple[int, ...]
    longest: int = 4

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        """See :class:`Drafter`."""
        here = len(words)
        if self.expected[:here] == tuple(words):
            return list(self.expected[here : here + most])
        for length in range(min(self.longest, here), 0, -1):
            last = tuple(words[-length:])
            places = [end for end in range(length, len(self.expected)) if self.expected[end - length : end] == last]
            if places:
                nearest = min(places, key=lambda end: abs(end - here))
                return list(self.expected[nearest : nearest + most])
        return []


@dataclass(frozen=True)
class NgramTable:
    """Drafts the word that most often followed the same last words in a corpus; fewer last words where more are new.

    Attributes:
        order: the longest context is ``order - 1`` words.
        following: context -> the commonest next word.
    """

    order: int
    following: Mapping[tuple[int, ...], int]

    @classmethod
    def count(cls, texts: Iterable[Sequence[int]], order: int = 6, least: int = 2) -> NgramTable:
        """The table of a corpus, the same whatever the order of its texts.

        Args:
            texts: each with ``bos`` and ``eos``.
            order: see :class:`NgramTable`.
            least: contexts that came less often are left out. One whose shorter context says the same is too.
        """
        counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for text in texts:
            for end in range(1, len(text)):
                for length in range(1, min(order - 1, end) + 1):
                    counts[tuple(text[end - length : end])][text[end]] += 1
        best = {context: min(found, key=lambda word: (-found[word], word))
                for context, found in counts.items() if found.total() >= least}  # fmt: skip
        kept = {context: word for context, word in best.items() if best.get(context[1:]) != word}
        return cls(order, dict(sorted(kept.items())))

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        """See :class:`Drafter`. Ends where nothing is known."""
        known = list(words[-self.order :])
        given = len(known)
        while len(known) < given + most:
            for length in range(min(self.order - 1, len(known)), 0, -1):
                word = self.following.get(tuple(known[-length:]))
                if word is not None:
                    known.append(word)
                    break
            else:
                break
        return known[given:]

    def save(self, directory: Path) -> None:
        """Write ``draft.json`` into ``directory``."""
        rows = [[*context, word] for context, word in self.following.items()]
        content = {"format": _FORMAT, "version": 1, "order": self.order, "rows": rows}
        (directory / FILE).write_text(json.dumps(content, separators=(",", ":")) + "\n")

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
            order = int(content["order"])
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise InputError(f"{path}: not a table of drafts ({error}); export the model again") from error
        if any(not 0 <= word < vocabulary for row in following.items() for word in (*row[0], row[1])):
            raise InputError(f"{path}: has words outside the vocabulary of {vocabulary}; export the model again")
        return cls(order, following)
