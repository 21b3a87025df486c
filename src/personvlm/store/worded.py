"""Who has the words of a question in the text, among those whom filters allow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from personvlm.store import texts
from personvlm.store.query import Query
from personvlm.store.segments import Part

Worded = dict[int, dict[str, float]]
"""tracks.id -> what of the question's words and phrases the text has, each with its weight."""

FEW = 3000
"""People, to whom filters leave a search, who are looked at one by one for words."""
_PAGES, _ENOUGH = (150, 1000, 2000, 4000, 4000), 150


def worded(connection: sa.Connection, query: Query, parts: list[Part],
           masks: list[NDArray[np.bool_]]) -> Worded:  # fmt: skip
    """Whose text has something of the question's words and phrases.

    Those who have everything come first; where they are few, those who have something follow, the newest first.
    """
    wanted = [(" ".join(phrase), phrase, True) for phrase in query.phrases]
    wanted += [(word, (word,), False) for word in query.words]
    allowed = _Allowed(parts, masks)
    found: Worded = {}
    each: dict[str, list[int]] = {}
    for name, words, phrase in wanted:
        each[name] = allowed.page(connection, words, phrase)
        weight = 1.0 / math.log2(2 + len(each[name]))  # what few have tells more
        for number in each[name]:
            found.setdefault(number, {})[name] = weight
    if len(wanted) > 1 and not query.phrases:
        for number in allowed.page(connection, query.words, False):
            for name in query.words:
                found.setdefault(number, {}).setdefault(name, 1.0 / math.log2(2 + len(each[name])))
    order = sorted(found, key=lambda number: (-sum(found[number].values()), -number))
    return {number: found[number] for number in order[: 2 * _ENOUGH]}


class _Allowed:
    """Who passes the filters, by number, for what full text finds."""

    def __init__(self, parts: list[Part], masks: list[NDArray[np.bool_]]) -> None:
        there = [(part, mask) for part, mask in zip(parts, masks, strict=True) if mask.any()]
        self._count = sum(int(np.count_nonzero(mask)) for _, mask in there)
        ends = [int(part.numbers[place]) for part, mask in there
                for place in (mask.argmax(), len(mask) - 1 - mask[::-1].argmax())]  # fmt: skip
        self._low, self._high = min(ends, default=0), max(ends, default=-1)
        self._passes = np.zeros(self._high - self._low + 1, np.bool_)
        for part, mask in there:
            if part.first is None:
                self._passes[part.numbers[mask] - self._low] = True
            else:
                start, end = max(self._low, part.first), min(self._high + 1, part.first + len(mask))
                self._passes[start - self._low : end - self._low] |= mask[start - part.first : end - part.first]

    def page(self, connection: sa.Connection, words: Sequence[str], phrase: bool) -> list[int]:
        """The newest people who pass and have ``words`` in their text: about :data:`_ENOUGH`, if there are
        among the first ten thousand whose text fits."""
        if not self._count:
            return []
        if self._count <= FEW:
            few = (np.flatnonzero(self._passes) + self._low).tolist()
            chosen = texts.those(connection, words, few, phrase=phrase)
            if chosen is not None:
                return chosen[:_ENOUGH]
        sizes, share = list(_PAGES), self._count / len(self._passes)
        while len(sizes) > 1 and sizes[0] * share < _ENOUGH:
            sizes[:2] = [sizes[0] + sizes[1]]
        found: list[int] = []
        below = self._high + 1
        for size in sizes:
            some = np.array(texts.find(connection, words, phrase=phrase, lowest=self._low, below=below, limit=size),
                            np.int64)  # fmt: skip
            found += some[self._passes[some - self._low]].tolist()
            if len(some) != size or len(found) >= _ENOUGH:
                break
            below = int(some[-1])
        return found[:_ENOUGH]
