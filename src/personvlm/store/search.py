"""Plain words in, ranked people out, with the reason per term.

First who may be meant at all (camera, time, identity), then how probable it is that each of them fits: over columns
in memory, coarsely, for everybody, and exactly for the best of them. What only the text can tell breaks ties, where
probabilities that differ by less than :data:`TIE` count as equal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.schema import GROUP, Described
from personvlm.store import reading
from personvlm.store.codes import Terms
from personvlm.store.judge import Judge, Looks, alike, steadied
from personvlm.store.query import Query, Term
from personvlm.store.query_parser import parse_query
from personvlm.store.reading import EVERYBODY, Filters
from personvlm.store.segments import (
    CAMERA,
    FIRST_SEEN,
    LAST_SEEN,
    Part,
    Row,
    Segments,
    as_part,
    codes_of,
    model_number,
    read_rows,
    with_vectors,
)
from personvlm.store.tables import cameras, tracks
from personvlm.store.worded import FEW, Worded, worded

TIE = 0.05
"""Step of probability within which the text decides."""

LIKELY = 0.5
"""From this probability on somebody is counted, in :attr:`Results.likely` and in facets."""

_CANDIDATES, _COMPARED, _SPARE = 150, 100, 20


@dataclass(frozen=True)
class Reason:
    """Why somebody fits one term, or not: its probability, and what the description asserts of its groups."""

    term: str
    probability: float
    said: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """One person who may be meant.

    Attributes:
        described: what holds of the person, without scores.
        probability: that the person fits all terms (and looks alike, where an appearance was given).
        reasons: term by term.
        words: which of the question's words and phrases the text has.
        alike: probability of being the person whose appearance was given; None where none was.
    """

    described: Described
    probability: float
    reasons: tuple[Reason, ...]
    words: tuple[str, ...] = ()
    alike: float | None = None


@dataclass(frozen=True)
class Results:
    """What was found.

    Attributes:
        query: the question as it was understood.
        hits: the best first.
        likely: how many people fit with probability .5 or more; None where only the text was asked.
        facets: group -> value -> how many of those are likely to have it; "camera" counts cameras.
        seconds: that it took.
    """

    query: Query
    hits: tuple[Hit, ...]
    likely: int | None
    facets: Mapping[str, Mapping[str, int]]
    seconds: float


def search(connection: sa.Connection, segments: Segments, numbers: Terms, query: Query | str = "", *,
           filters: Filters = EVERYBODY, looks: Looks | None = None, limit: int = 20, offset: int = 0,
           facets: Sequence[str] = ()) -> Results:  # fmt: skip
    """See :meth:`personvlm.store.store.Store.search`."""
    began = time.perf_counter()
    if limit < 1 or offset < 0:
        raise InputError(f"limit {limit} and offset {offset}: at least one person, from the first on")
    for name in facets:
        if name != "camera" and name not in GROUP:
            raise InputError(f"{name!r} is no facet; legal: camera, {', '.join(GROUP)}")
    asked = parse_query(query) if isinstance(query, str) else query
    judge = Judge(asked.terms, numbers, looks)
    facet_names = [number for name in facets for number in numbers.groups.get(name, {}).values()]
    parts = _parts(connection, segments, filters, [*judge.names, *facet_names])
    where = _where(connection, filters)
    masks = [_mask(part, filters, where) for part in parts]
    spoken, only_text = asked.has_words, asked.has_words and not asked.terms and looks is None
    # Who is judged alone must fill the pages asked for, or those compared could change places between two pages.
    best = _Best(max(_CANDIDATES, _COMPARED + offset + limit, 2 * (offset + limit)))
    counts: dict[str, dict[int, int]] = {name: {} for name in facets}
    found: Worded | None = None
    likely = 0
    if only_text:
        found = worded(connection, asked, parts, masks)
        there = np.array(list(found), np.int64)
        for part, mask in zip(parts, masks, strict=True) if facets else ():
            _count(counts, part, mask & np.isin(part.numbers, there), numbers)
    else:
        scores = []
        for part, mask in zip(parts, masks, strict=True):
            score = judge.coarsely(part, mask, min(LIKELY, best.floor))
            best.add(part.numbers, score)
            scores.append(score)
            fits = score >= LIKELY
            likely += int(np.count_nonzero(fits))
            _count(counts, part, fits, numbers)
        if spoken:
            found = _worded(connection, asked, parts, masks, scores, best, offset + limit)
    candidates = list(dict.fromkeys((*best.numbers(), *(found or ()))))
    hits = _hits(connection, candidates, judge, asked, found, numbers, looks, offset, limit)
    named = _named(connection, counts, numbers)
    return Results(asked, hits, None if only_text else likely, named, time.perf_counter() - began)


def _parts(connection: sa.Connection, segments: Segments, filters: Filters, names: Sequence[int]) -> list[Part]:
    if filters.people is None:
        return segments.parts(connection, names, filters.since, filters.until)
    few = list(connection.scalars(sa.select(tracks.c.id).where(tracks.c.person.in_(filters.people))))
    rows = read_rows(connection, few)
    return [as_part(rows)] if rows else []


def _where(connection: sa.Connection, filters: Filters) -> NDArray[np.int32] | None:
    if not filters.cameras:
        return None
    query = sa.select(cameras.c.name, cameras.c.id).where(cameras.c.name.in_(filters.cameras))
    known = {row.name: row.id for row in connection.execute(query)}
    for name in filters.cameras:
        if name not in known:
            raise InputError(f"no camera {name!r} in this store; `personvlm tracks --cameras` lists them")
    return np.array(sorted(known.values()), np.int32)


def _mask(part: Part, filters: Filters, where: NDArray[np.int32] | None) -> NDArray[np.bool_]:
    camera = part[CAMERA]
    mask = np.asarray(camera > 0)
    if part.live is not None:
        mask &= part.live
    if where is not None:
        mask &= camera == where[0] if len(where) == 1 else np.isin(camera, where)
    if filters.since is not None:
        mask &= part[LAST_SEEN] >= filters.since
    if filters.until is not None:
        mask &= part[FIRST_SEEN] <= filters.until
    return mask


class _Best:
    """The people of the highest scores, ``most`` of them; scores of 0 are nobody's.

    Attributes:
        floor: nobody with less can be among them any more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers, self._scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
        self.floor = 0.0

    def add(self, numbers: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take the best of one part; of equals those that came first."""
        places = np.flatnonzero(scores > self.floor)
        if len(places) > self._most:
            places = places[np.argpartition(scores[places], -self._most)[-self._most :]]
        self._numbers = np.concatenate([self._numbers, numbers[places]])
        self._scores = np.concatenate([self._scores, scores[places]])
        if len(self._scores) > self._most:
            self._cut()

    def _cut(self) -> None:
        order = np.lexsort((-self._numbers, -self._scores))[: self._most]
        self._numbers, self._scores = self._numbers[order], self._scores[order]
        if len(order) == self._most:
            self.floor = float(self._scores[-1])

    def reached(self, place: int) -> float:
        """What the person in this place, from 1 on, comes to; 0 where there are fewer."""
        self._cut()
        return float(self._scores[place - 1]) if place <= len(self._scores) else 0.0

    def numbers(self) -> list[int]:
        """tracks.id of the best, the best first."""
        self._cut()
        return [int(number) for number in self._numbers]


def _worded(connection: sa.Connection, asked: Query, parts: list[Part], masks: list[NDArray[np.bool_]],
            scores: list[NDArray[np.float32]], best: _Best, shown: int) -> Worded:  # fmt: skip
    """Whose text has something of what is asked, where people are judged too; those who can come among the first
    ``shown``, as each is a row to be read."""
    if sum(int(np.count_nonzero(mask)) for mask in masks) <= FEW:  # then each text is looked at, too
        least = max(0.0, best.reached(shown) // TIE - 1) * TIE  # a step less: these are coarse
        masks = [mask & (score >= least) for mask, score in zip(masks, scores, strict=True)]
    found = worded(connection, asked, parts, masks)
    there = np.array(sorted(found), np.int64)
    p = dict(pair for part, score in zip(parts, scores, strict=True) for pair in part.among(there, score))

    def place(number: int) -> tuple[float, ...]:
        return -(p.get(number, 0.0) // TIE), -sum(found[number].values()), -p.get(number, 0.0), -number

    return {number: found[number] for number in sorted(found, key=place)[: 2 * shown + _SPARE]}


def _hits(connection: sa.Connection, candidates: list[int], judge: Judge, query: Query,
          found: Worded | None, numbers: Terms, looks: Looks | None, offset: int,
          limit: int) -> tuple[Hit, ...]:  # fmt: skip
    """The candidates judged exactly, in their order, and the asked part of them with words."""
    rows = read_rows(connection, candidates, vectors=looks is not None)
    there = [number for number in candidates if number in rows]
    if not there:
        return ()
    listed = [rows[number] for number in there]
    per_term = judge.exactly(codes_of(listed, numbers.size))
    if query.terms and looks is None:
        best = np.lexsort((-np.array(there), -per_term.prod(1)))[:_COMPARED]
        compared = {there[place]: listed[place] for place in best}
        per_term[best] = steadied(per_term[best], with_vectors(connection, compared))
    same = None if looks is None else np.array([_alike(row, looks) for row in listed])
    p = per_term.prod(1) if same is None else per_term.prod(1) * same
    text = np.array([sum((found or {}).get(number, {}).values()) for number in there])
    first = p if found is None else np.floor(p / TIE)
    order = np.lexsort((-np.array(there), -np.array([row.last_seen for row in listed]), -p, -text, -first))
    if found is not None and not query.terms and looks is None:
        order = order[text[order] > 0]
    shown = order[offset : offset + limit].tolist()
    people = reading.by_tracks(connection, numbers, [there[place] for place in shown], scores=False)
    return tuple(
        Hit(people[there[place]], float(p[place]),
            tuple(Reason(str(term), float(per_term[place, index]), _said(term, people[there[place]]))
                  for index, term in enumerate(query.terms)),
            tuple((found or {}).get(there[place], {})), None if same is None else float(same[place]))
        for place in shown if there[place] in people
    )  # fmt: skip


def _said(term: Term, described: Described) -> tuple[str, ...]:
    groups = dict.fromkeys(wanted.group for each in term.alternatives for wanted in each)
    asserted = described.description.attributes
    return tuple(value for group in groups if group in asserted for value in asserted[group].values)


def _alike(row: Row, looks: Looks) -> float:
    if row.vector is None or len(row.vector) != len(looks.vector) or row.model != model_number(looks.model):
        return 0.0
    vector = row.vector.astype(np.float32)
    cosine = float(vector @ np.asarray(looks.vector, np.float32)) / max(1e-9, float(np.linalg.norm(vector)))
    return float(alike(np.array([cosine], np.float32))[0])


def _count(counts: dict[str, dict[int, int]], part: Part, fits: NDArray[np.bool_], numbers: Terms) -> None:
    """Add the people of ``part`` who fit to the facets."""
    if not counts or not fits.any():
        return
    places = np.flatnonzero(fits)
    for name, counted in counts.items():
        if name == "camera":
            for camera, people in zip(*np.unique(part[CAMERA][places], return_counts=True), strict=True):
                counted[int(camera)] = counted.get(int(camera), 0) + int(people)
            continue
        for number in numbers.groups.get(name, {}).values():
            if number in part.columns:
                people = int(np.count_nonzero(part.columns[number][places] >= 128))  # the code of probability .5
                counted[number] = counted.get(number, 0) + people


def _named(connection: sa.Connection, counts: dict[str, dict[int, int]],
           numbers: Terms) -> dict[str, dict[str, int]]:  # fmt: skip
    values = {number: value for (_, value), number in numbers.ids.items()}
    names: dict[int, str] = {}
    if counts.get("camera"):
        names = {row.id: row.name for row in connection.execute(sa.select(cameras.c.id, cameras.c.name))}
    return {
        facet: {(names if facet == "camera" else values)[number]: people
                for number, people in sorted(counted.items(), key=lambda item: -item[1]) if people}
        for facet, counted in counts.items()
    }  # fmt: skip
