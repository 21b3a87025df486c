"""How probable it is that somebody fits a question: from the probabilities that the describer gave, term by term.

Values of one group that exclude each other add up; others, and alternatives, count as independent, and so do terms.
Where nothing is known of a value, somebody has it with probability :data:`UNKNOWN`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.store.codes import Terms, coarse, decode
from personvlm.store.query import Term, Wanted
from personvlm.store.segments import MODEL, VECTORS, Part, Row, model_number

UNKNOWN = 0.02
"""Probability of a value that nothing is known about."""

ALIKE = (-6.41, 15.66)
"""Log odds that two appearances are one person's: bias and weight of their cosine
(:class:`personvlm.video.identity.Likeness`, prior even)."""

RARE = 1 / 36
"""Odds, before their looks are compared, that two of those who fit a question best are one person. Chosen with
:data:`HEARD` on PETA's validation split."""

HEARD = 0.5
"""What somebody who looks the same has to say of a person, as a share of what that person's own picture has."""

_STRANGERS = 0.01
"""Below this probability of being the same person nobody has a say."""

_CERTAIN = 1e-5
"""So near to 0 or 1 is only what somebody has put right (the ends of what :mod:`.codes` can hold)."""

_SPARSE = 4
"""One in so many, or fewer: then they are taken out of the columns first."""

_ROUNDED = 1e-5
"""More than single precision loses of a probability."""

_LEAST = np.float32(1e-4)
"""Of a term, where people are judged coarsely: the product of nine of them is still a number."""

Floats = NDArray[np.float32]
Read = Callable[[int, float], Floats]
"""Gives the probabilities of a column times a share; the array may be written to."""


@dataclass(frozen=True)
class Looks:
    """An appearance that is looked for: an embedding, L2-normalised, and the model that made it."""

    vector: tuple[float, ...]
    model: str


class Judge:
    """Judges people by terms, coarsely over columns and exactly over codes.

    Attributes:
        names: the columns that are needed.
    """

    def __init__(self, terms: Iterable[Term], numbers: Terms, looks: Looks | None = None) -> None:
        self._terms = tuple(terms)
        self._ids = numbers.ids
        self._looks = looks
        table = np.where(np.isnan(coarse()), UNKNOWN, coarse()).astype(np.float32)
        self._tables: dict[float, Floats] = {1.0: table}
        self._first: dict[tuple[float, float], int] = {}
        ordered = [(term, self._column(term)) for term in self._terms]
        self._ordered = sorted(ordered, key=lambda pair: pair[1] is None)  # what is quickly told comes first
        self._direct = (np.maximum(table, _LEAST), np.maximum(1.0 - table, _LEAST))
        wanted = (one for term in self._terms for each in term.alternatives for one in each)
        pairs = dict.fromkeys((one.group, value) for one in wanted for value in one.counted)
        self.names: list[int] = [self._ids[pair] for pair in pairs if pair in self._ids]
        if looks is not None:
            self.names += [MODEL, VECTORS]

    def coarsely(self, part: Part, allowed: NDArray[np.bool_], floor: float = 0.0) -> Floats:
        """Probability ``[n]`` that each person of ``part`` fits, from one byte per column.

        Args:
            allowed: ``[n]``, who is asked about; the others get 0.
            floor: who comes to less may get 0, which saves looking at the terms that are left.
        """

        def read(number: int, share: float) -> Floats:
            if share not in self._tables:
                self._tables[share] = self._tables[1.0] * np.float32(share)
            return self._tables[share].take(part[number])

        size, places = len(part.numbers), None
        if floor > 0:
            rough = 2.0 ** math.floor(math.log2(floor))  # few of them: their codes are worked out once
            for term in self._terms:
                may = self._may(term, part, rough)
                allowed = allowed if may is None else allowed & may
        if np.count_nonzero(allowed) * _SPARSE <= size:
            places = np.flatnonzero(allowed)
            part = part.at(places)
        total: Floats | None = None
        for term, single in self._ordered:
            if total is not None and floor > 0 and len(total) == len(part.numbers):
                left = total >= floor
                if np.count_nonzero(left) * _SPARSE <= len(left):
                    few = np.flatnonzero(left)
                    part, total, places = part.at(few), total[few], few if places is None else places[few]
            if single is not None:
                p = self._direct[term.absent].take(part[single])
            else:
                p = _fits(term, self._ids, read)
                if term.absent:
                    np.subtract(1.0, p, out=p)
                np.maximum(p, _LEAST, out=p)
            total = p if total is None else np.multiply(total, p, out=total if len(total) > 1 else None)
        if self._looks is not None:
            same = np.maximum(self._alike(part), _LEAST)
            total = same if total is None else total * same
        if total is None or len(total) != len(part.numbers):  # nothing is asked, or nothing that anybody has
            total = np.full(len(part.numbers), 1.0 if total is None else float(total[0]), np.float32)
        if places is None:
            return np.multiply(total, allowed, out=total)
        scattered = np.zeros(size, np.float32)
        scattered[places] = total
        return scattered

    def _may(self, term: Term, part: Part, floor: float) -> NDArray[np.bool_] | None:
        """Who may come to ``floor`` for one term, and a few others, by comparing codes, which takes a tenth of the time
        that looking probabilities up does; None: everybody may.

        What is made of several values is at most their sum, and at least each of them.
        """
        if term.absent:
            if any(len(each) != 1 for each in term.alternatives):
                return None
            columns = [column for (wanted,) in term.alternatives for column in _shares(wanted, self._ids)]
            above = [self._from(part, number, share, 1.0 - floor + _ROUNDED) for number, share in columns]
            return ~functools.reduce(np.logical_or, above) if above else None
        some: NDArray[np.bool_] | None = None
        for each in term.alternatives:
            every: NDArray[np.bool_] | None = None
            for wanted in each:
                columns = _shares(wanted, self._ids)
                least = (floor - _ROUNDED) / len(term.alternatives) / max(1, len(columns))
                if least <= UNKNOWN:  # which is what somebody is given of whom nothing is known
                    return None
                found = [self._from(part, number, share, least) for number, share in columns]
                holds = functools.reduce(np.logical_or, found) if found else np.zeros(len(part.numbers), np.bool_)
                every = holds if every is None else every & holds
            if every is None:
                return None
            some = every if some is None else some | every
        return some

    def _from(self, part: Part, number: int, share: float, least: float) -> NDArray[np.bool_]:
        """Who has at least ``least`` from a column times a share; nobody of whom it knows nothing."""
        key = (share, least)
        if key not in self._first:
            self._first[key] = 1 + int(np.searchsorted(self._tables[1.0][1:] * share, least))
        first = self._first[key]
        found: NDArray[np.bool_] = part[number] >= first if first < 256 else np.zeros(len(part.numbers), np.bool_)
        return found

    def _column(self, term: Term) -> int | None:
        """The column that decides a term alone."""
        if len(term.alternatives) != 1 or len(term.alternatives[0]) != 1:
            return None
        counted = term.alternatives[0][0].counted
        if len(counted) != 1 or next(iter(counted.values())) != 1.0:
            return None
        return self._ids.get((term.alternatives[0][0].group, next(iter(counted))))

    def _alike(self, part: Part) -> Floats:
        assert self._looks is not None
        vectors = part[VECTORS]
        asked = np.asarray(self._looks.vector, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != len(asked):
            return np.zeros(len(part.numbers), np.float32)
        cosine = vectors.astype(np.float32) @ (asked / 127.0)
        same = np.asarray(part[MODEL] == model_number(self._looks.model))
        return np.where(same, alike(cosine), 0.0).astype(np.float32)

    def exactly(self, codes: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Probability ``[n, terms]`` of each term, from codes ``[n, size]``."""
        p = decode(codes)
        p = np.where(np.isnan(p), UNKNOWN, p).astype(np.float32)
        columns = []
        for term in self._terms:
            fits = _fits(term, self._ids, lambda number, share: np.multiply(p[:, number], share, dtype=np.float32))
            columns.append(np.broadcast_to(1.0 - fits if term.absent else fits, len(codes)))
        return np.stack(columns, 1).astype(np.float64) if columns else np.zeros((len(codes), 0))


def alike(cosine: Floats, odds: float = 1.0) -> Floats:
    """Probability that two appearances with this cosine are one person's, by the odds that held before."""
    return np.asarray(1.0 / (1.0 + np.exp(-(math.log(odds) + ALIKE[0] + ALIKE[1] * cosine))), np.float32)


def steadied(probability: NDArray[np.float64], rows: Sequence[Row]) -> NDArray[np.float64]:
    """What the pictures of some people tell of each, together with what those of people who look the same tell.

    A describer errs differently on two pictures of one person. Log odds are averaged, with weights: 1 for one's own,
    :data:`HEARD` times the probability of being the same person for others'. What is certain, as what somebody has put
    right, stays as it is; so does who looks like nobody.

    Args:
        probability: ``[n, terms]``, of each by itself.
        rows: of the same n people.
    """
    width = max((len(row.vector) for row in rows if row.vector is not None), default=0)
    seen = np.array([row.vector is not None and len(row.vector) == width > 0 for row in rows])
    vectors = np.zeros((len(rows), width), np.float32)
    vectors[seen] = [row.vector for row, there in zip(rows, seen, strict=True) if there]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    models = np.where(seen, [row.model for row in rows], -1 - np.arange(len(rows)))  # only those of one compare
    same = alike(vectors @ vectors.T, RARE).astype(np.float64)
    weight = np.where((models[:, None] == models[None]) & (same >= _STRANGERS), HEARD * same, 0.0)
    np.fill_diagonal(weight, 1.0)
    p = np.clip(probability, 1e-6, 1.0 - 1e-6)
    odds = weight @ np.log(p / (1.0 - p)) / weight.sum(1, keepdims=True)
    stays = (weight.sum(1, keepdims=True) <= 1.0) | (np.abs(probability - 0.5) > 0.5 - _CERTAIN)
    together = np.round(1.0 / (1.0 + np.exp(-odds)), 9)  # equals stay equal, whatever the order of sums
    return np.where(stays, probability, together)


def _fits(term: Term, ids: Mapping[tuple[str, str], int], read: Read) -> Floats:
    """Probability ``[n]`` (``[1]``: of everybody) that what a term names holds, whether that is wanted or not."""
    fails: Floats | None = None
    for each in term.alternatives:
        holds: Floats | None = None
        for wanted in each:
            p = _one(wanted, ids, read)
            holds = p if holds is None else holds * p
        if holds is None:
            continue
        if len(term.alternatives) == 1:
            return holds
        fails = 1.0 - holds if fails is None else fails * (1.0 - holds)
    return np.zeros(1, np.float32) if fails is None else 1.0 - fails


def _one(wanted: Wanted, ids: Mapping[tuple[str, str], int], read: Read) -> Floats:
    shares = _shares(wanted, ids)
    if not shares:
        return np.full(1, UNKNOWN, np.float32)
    total = read(*shares[0])
    if wanted.adds_up:
        for each in shares[1:]:
            np.add(total, read(*each), out=total)
        return np.minimum(total, np.float32(1.0), out=total)
    if len(shares) == 1:
        return total
    np.subtract(np.float32(1.0), total, out=total)
    for each in shares[1:]:
        other = read(*each)
        total *= np.subtract(np.float32(1.0), other, out=other)
    return np.subtract(np.float32(1.0), total, out=total)


def _shares(wanted: Wanted, ids: Mapping[tuple[str, str], int]) -> list[tuple[int, float]]:
    """The columns that count for what is wanted, and how much each does."""
    return [(ids[wanted.group, value], share) for value, share in wanted.counted.items()
            if (wanted.group, value) in ids]  # fmt: skip
