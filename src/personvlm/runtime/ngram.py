"""Drafts from a table of n-grams: what usually comes next, for a decoder to verify several words at once.

Verified drafting (Leviathan et al., "Fast inference from transformers via speculative decoding", ICML 2023; with
n-grams in place of a small model) changes no greedy output: a draft counts only where the decoder would have said the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personvlm.base.errors import InputError

FILE = "drafts.npz"
_VERSION = 1
_NOTHING = -1


@dataclass(frozen=True)
class NGramTable:
    """The most frequent next id after up to ``order - 1`` ids, and its share.

    Attributes:
        order: length of the longest n-gram.
        vocabulary: ids are below this.
        follow: context (the latest id last) -> the next id and how often it was the next, 0..1. A context that would
            say the same as its own end is left out.

    Example:
        >>> table = NGramTable.from_rows([[0, 5, 6, 7, 1], [0, 5, 6, 8, 1], [0, 5, 6, 7, 1]], vocabulary=9)
        >>> table.draft([0], most=4)
        [5, 6, 7, 1]
    """

    order: int
    vocabulary: int
    follow: Mapping[tuple[int, ...], tuple[int, float]]

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int]], vocabulary: int, order: int = 6, least: int = 2) -> NGramTable:
        """Count the n-grams of rows of ids, each with its beginning and its end.

        Args:
            least: how often a context must occur to be kept; a single id is always kept.
        """
        counts: dict[tuple[int, ...], Counter[int]] = {}
        for row in rows:
            for place in range(1, len(row)):
                for size in range(1, min(order - 1, place) + 1):
                    counts.setdefault(tuple(row[place - size : place]), Counter())[row[place]] += 1
        follow: dict[tuple[int, ...], tuple[int, float]] = {}
        for context in sorted(counts, key=len):
            total = counts[context].total()
            if len(context) > 1 and total < least:
                continue
            word, count = min(counts[context].items(), key=lambda item: (-item[1], item[0]))
            share = round(255 * count / total) / 255
            if _longest(follow, context[1:]) != (word, share):
                follow[context] = (word, share)
        return cls(order, vocabulary, follow)

    def draft(self, text: Sequence[int], most: int, least_share: float = 0.2) -> list[int]:
        """Up to ``most`` ids that may come after ``text``; fewer where they are together less likely than
        ``least_share``, which is about what a further word adds to the cost of a step."""
        context, share = list(text[1 - self.order :]), 1.0
        drafted: list[int] = []
        while len(drafted) < most:
            found = _longest(self.follow, tuple(context))
            if found is None or share * found[1] < least_share:
                break
            share *= found[1]
            drafted.append(found[0])
            context = [*context, found[0]][1 - self.order :]
        return drafted

    def save(self, directory: Path) -> int:
        """Write ``drafts.npz`` into ``directory``; returns its size in bytes."""
        width = self.order - 1
        contexts = np.full((len(self.follow), width), _NOTHING, np.int32)
        for row, context in enumerate(self.follow):
            contexts[row, width - len(context) :] = context
        words, shares = zip(*self.follow.values(), strict=True) if self.follow else ((), ())
        np.savez_compressed(directory / FILE, about=np.array([_VERSION, self.order, self.vocabulary]),
                            contexts=contexts, words=np.array(words, np.int32),
                            shares=np.rint(255 * np.array(shares)).astype(np.uint8))  # fmt: skip
        return (directory / FILE).stat().st_size

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether a folder holds a table."""
        return (directory / FILE).is_file()

    @classmethod
    def load(cls, directory: Path) -> NGramTable:
        """Read ``drafts.npz``; nothing in it is unpickled.

        Raises:
            InputError: the file is absent, damaged, or of another version.
        """
        path = directory / FILE
        try:
            with np.load(path, allow_pickle=False) as arrays:
                version, order, vocabulary = arrays["about"].tolist()
                contexts, words, shares = (arrays[name].tolist() for name in ("contexts", "words", "shares"))
            if version != _VERSION or not all(0 <= word < vocabulary for word in words):
                raise ValueError("of another version, or ids out of range")
        except Exception as error:  # zip, format and key errors have no common base
            raise InputError(f"{path}: not a table of drafts ({error}); make it again, or remove it") from error
        follow = {tuple(index for index in context if index != _NOTHING): (word, share / 255)
                  for context, word, share in zip(contexts, words, shares, strict=True)}  # fmt: skip
        return cls(order, vocabulary, follow)


def _longest(follow: Mapping[tuple[int, ...], tuple[int, float]],
             context: tuple[int, ...]) -> tuple[int, float] | None:  # fmt: skip
    """What the longest known end of ``context`` says."""
    for start in range(len(context)):
        found = follow.get(context[start:])
        if found is not None:
            return found
    return None
