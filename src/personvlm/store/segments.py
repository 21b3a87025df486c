"""What search reads: for every 16,384 people one small array per value of the vocabulary, and for the latest, rows.

Segment ``s`` holds the people whose ``tracks.id >> 14`` is ``s``, one element each; column ``n >= 0`` is the first
byte of their probabilities of term ``n`` (see :mod:`personvlm.store.codes`), the negative ones stand below. A query
reads a few columns and no rows. Arrays are kept in memory until the version of their segment changes, which is asked
in the same snapshot, so that several processes may write. Who is in ``search_recent`` is read row by row instead.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from personvlm.store.bulk import among, chunks
from personvlm.store.tables import search_columns, search_recent, search_segments

BITS = 14
SIZE = 1 << BITS
RUN = 8
"""Segments that are looked at in one go: a call of numpy costs as much as a few thousand people."""

CAMERA, FIRST_SEEN, LAST_SEEN, MODEL, VECTORS = -1, -2, -3, -4, -5
"""Columns that are no terms: cameras.id (0: nobody), times, :func:`model_number`, embeddings times 127."""

DTYPES: dict[int, np.dtype[Any]] = {
    CAMERA: np.dtype("<i4"), FIRST_SEEN: np.dtype("<f8"), LAST_SEEN: np.dtype("<f8"), MODEL: np.dtype("<u4"),
    VECTORS: np.dtype("i1"),
}  # fmt: skip
_CODES = np.dtype("u1")
_ALWAYS = (CAMERA, FIRST_SEEN, LAST_SEEN)

Array = NDArray[Any]


def model_number(name: str) -> int:
    """A number for the model that made an embedding: only those of one model can be compared."""
    return zlib.crc32(name.encode()) or 1


def dtype(name: int) -> np.dtype[Any]:
    """Of the elements of a column."""
    return _CODES if name >= 0 else DTYPES[name]


@dataclass
class Part:
    """Some people as columns.

    Attributes:
        numbers: tracks.id ``int64 [n]``.
        columns: name -> array ``[n]`` (:data:`VECTORS`: ``[n, E]``); a name that is missing is 0 everywhere.
        live: ``bool [n]``, who is to be looked at; None is everybody.
        first: the lowest number, where these are all numbers from there on; None where they are single people.
        places: where they stand in the arrays of ``columns``; None: these hold nobody else.
    """

    numbers: NDArray[np.int64]
    columns: dict[int, Array]
    live: NDArray[np.bool_] | None = None
    first: int | None = None
    places: NDArray[np.int64] | None = None

    def __getitem__(self, name: int) -> Array:
        found = self.columns.get(name)
        if found is None:
            return np.zeros(len(self.numbers), dtype(name))
        return found if self.places is None else found.take(self.places, 0)

    def at(self, places: NDArray[np.int64]) -> Part:
        """Those at ``places`` alone."""
        return Part(self.numbers[places], self.columns,
                    places=places if self.places is None else self.places[places])  # fmt: skip

    def among(self, wanted: NDArray[np.int64], values: Array) -> Iterator[tuple[int, Any]]:
        """Number and value of those in ``wanted``, sorted, who are here and live; ``values`` has one per person."""
        if self.first is None:
            places = np.flatnonzero(np.isin(self.numbers, wanted))
        else:
            low, high = np.searchsorted(wanted, (self.first, self.first + len(self.numbers)))
            places = wanted[low:high] - self.first
        if self.live is not None:
            places = places[self.live[places]]
        return zip(self.numbers[places].tolist(), values[places].tolist(), strict=True)


@dataclass(frozen=True)
class Row:
    """One person as search sees it."""

    stamp: float
    camera: int
    first_seen: float
    last_seen: float
    codes: NDArray[np.uint16]
    model: int
    vector: NDArray[np.float16] | None


class _Run(NamedTuple):
    """A column of segments that follow each other, as one array."""

    first: int
    versions: tuple[int, ...]
    array: Array | None


def _runs(segments: Sequence[int]) -> list[range]:
    """Segments, the newest first, as runs of those that follow each other, at most :data:`RUN` in each."""
    runs: list[range] = []
    for segment in segments:
        last = runs[-1] if runs else range(0)
        if last.start == segment + 1 and last.start % RUN:
            runs[-1] = range(segment, last.stop)
        else:
            runs.append(range(segment, segment + 1))
    return runs


@dataclass
class Segments:
    """The arrays of one store in memory: about 190 bytes per person for queries about everything, and 128 more for
    looking for similar people. Threads may share it."""

    _columns: dict[tuple[int, int], tuple[int, Array | None]] = field(default_factory=dict)
    _runs: dict[tuple[int, int], _Run] = field(default_factory=dict)
    _recent: tuple[dict[int, Row], Part | None] = field(default_factory=lambda: ({}, None))

    def parts(self, connection: sa.Connection, names: Collection[int], since: float | None = None,
              until: float | None = None) -> list[Part]:  # fmt: skip
        """Everybody who was there between the times, and possibly others; the newest part first.

        Args:
            connection: a snapshot (:func:`personvlm.store.database.reading`).
            names: the columns that are needed; camera and times come in any case.
        """
        recent, part = self._recent_people(connection)
        query = sa.select(search_segments).order_by(search_segments.c.segment.desc())
        if since is not None:
            query = query.where(search_segments.c.last_seen >= since)
        if until is not None:
            query = query.where(search_segments.c.first_seen <= until)
        heads = connection.execute(query).all()
        wanted = [*_ALWAYS, *dict.fromkeys(names)]
        versions = {head.segment: head.version for head in heads}
        self._load(connection, versions, wanted)
        parts = [] if part is None else [part]
        overridden = np.array(sorted(recent), np.int64)
        for run in _runs(list(versions)):
            columns = {}
            for name in wanted:
                array = self._joined(run, tuple(versions[segment] for segment in run), name)
                if array is not None:
                    columns[name] = array
            first = run.start << BITS
            numbers = np.arange(first, run.stop << BITS, dtype=np.int64)
            part = Part(numbers, columns, first=first)
            low, high = np.searchsorted(overridden, (first, run.stop << BITS))
            if high > low:
                part.live = np.ones(len(numbers), bool)
                part.live[overridden[low:high] - first] = False
            parts.append(part)
        return parts

    def _joined(self, run: range, versions: tuple[int, ...], name: int) -> Array | None:
        """A column of several segments, one after the other; None where none of them has it. It takes no more memory:
        the arrays of the segments become parts of it."""
        key = (run.start // RUN, name)
        known = self._runs.get(key)
        if known is not None:
            begin = run.start - known.first
            if begin >= 0 and known.versions[begin : begin + len(run)] == versions:
                return None if known.array is None else known.array[begin << BITS : begin + len(run) << BITS]
        arrays = [self._columns[segment, name][1] for segment in run]
        shape = next((array.shape for array in arrays if array is not None), None)
        joined = None
        if shape is not None:
            joined = np.concatenate([np.zeros(shape, dtype(name)) if array is None else array for array in arrays])
            for place, (segment, version) in enumerate(zip(run, versions, strict=True)):
                self._columns[segment, name] = (version, joined[place << BITS : place + 1 << BITS])
        self._runs[key] = _Run(run.start, versions, joined)
        return joined

    def _load(self, connection: sa.Connection, versions: dict[int, int], names: Sequence[int]) -> None:
        """Read the columns that are not in memory, or are there in another version."""
        missing: dict[tuple[int, ...], list[int]] = {}
        for segment, version in versions.items():
            lacking = tuple(name for name in names if self._columns.get((segment, name), (None,))[0] != version)
            if lacking:
                missing.setdefault(lacking, []).append(segment)
        table = search_columns.c
        for lacking, segments in missing.items():
            found: dict[tuple[int, int], Array] = {}
            for some in chunks(segments, 64):
                query = sa.select(table.segment, table.name, table.data)
                for row in connection.execute(query.where(table.segment.in_(some), table.name.in_(lacking))):
                    array = np.frombuffer(row.data, dtype(row.name))
                    found[row.segment, row.name] = array.reshape(SIZE, -1) if row.name == VECTORS else array
            for segment in segments:
                for name in lacking:
                    self._columns[segment, name] = (versions[segment], found.get((segment, name)))

    def _recent_people(self, connection: sa.Connection) -> tuple[dict[int, Row], Part | None]:
        """As rows and as columns; both are made anew when anybody came, changed or was folded in."""
        query = sa.select(search_recent.c.track, search_recent.c.stamp)
        stamps = {row.track: row.stamp for row in connection.execute(query)}
        before = self._recent  # one tuple, so that threads with other snapshots do not mix rows and columns
        known = {number: row for number, row in before[0].items() if stamps.get(number) == row.stamp}
        if len(known) == len(stamps) == len(before[0]):
            return before
        known |= read_rows(connection, [number for number in stamps if number not in known], stamps)
        self._recent = now = (known, as_part(known) if known else None)
        return now


_ROWS = ("SELECT tracks.id, camera, first_seen, last_seen, scores{columns} FROM tracks "
         "JOIN descriptions ON descriptions.id = tracks.description{join} WHERE tracks.id {{these}}")  # fmt: skip
_WITH_VECTORS = " LEFT JOIN embeddings ON embeddings.track = tracks.id"


def read_rows(connection: sa.Connection, numbers: Iterable[int], stamps: dict[int, float] | None = None,
              vectors: bool = True) -> dict[int, Row]:  # fmt: skip
    """tracks.id -> the person as it is in the tables now; who is not there is missing."""
    statement = _ROWS.format(columns=", embeddings.model, vector", join=_WITH_VECTORS) if vectors else \
        _ROWS.format(columns=", NULL, NULL", join="")  # fmt: skip
    found = {}
    for part in chunks(numbers):
        for number, camera, first, last, scores, model, vector in among(connection, statement, part):
            found[number] = Row(
                (stamps or {}).get(number, 0.0), camera, first, last,
                np.frombuffer(scores or b"", "<u2"), 0 if model is None else model_number(model),
                None if vector is None else np.frombuffer(vector, "<f2"),
            )  # fmt: skip
    return found


def with_vectors(connection: sa.Connection, rows: Mapping[int, Row]) -> list[Row]:
    """The same people with their appearances, in their order."""
    found = {track: (model, vector) for part in chunks(rows) for track, model, vector in
             among(connection, "SELECT track, model, vector FROM embeddings WHERE track {these}", part)}  # fmt: skip
    return [row if number not in found else
            replace(row, model=model_number(found[number][0]), vector=np.frombuffer(found[number][1], "<f2"))
            for number, row in rows.items()]  # fmt: skip


def as_part(rows: dict[int, Row]) -> Part:
    """People as columns, terms by their first byte."""
    order = sorted(rows, reverse=True)
    listed = [rows[number] for number in order]
    columns: dict[int, Array] = {
        CAMERA: np.array([row.camera for row in listed], DTYPES[CAMERA]),
        FIRST_SEEN: np.array([row.first_seen for row in listed], DTYPES[FIRST_SEEN]),
        LAST_SEEN: np.array([row.last_seen for row in listed], DTYPES[LAST_SEEN]),
    }
    coarse = np.ascontiguousarray((codes_of(listed, max(len(row.codes) for row in listed)) >> 8).T.astype(_CODES))
    columns.update(enumerate(coarse))
    columns[MODEL] = np.array([row.model for row in listed], DTYPES[MODEL])
    width = max((len(row.vector) for row in listed if row.vector is not None), default=0)
    columns[VECTORS] = packed_vectors([row.vector for row in listed], width)
    return Part(np.array(order, np.int64), columns)


def codes_of(rows: Sequence[Row], size: int) -> NDArray[np.uint16]:
    """Codes ``[n, size]``: what a row does not have, because the vocabulary grew, is unknown."""
    if all(len(row.codes) == size for row in rows):
        return np.stack([row.codes for row in rows]) if rows else np.zeros((0, size), np.uint16)
    matrix = np.zeros((len(rows), size), np.uint16)
    for place, row in enumerate(rows):
        matrix[place, : min(size, len(row.codes))] = row.codes[:size]
    return matrix


def packed_vectors(vectors: Sequence[NDArray[np.float16] | None], width: int) -> NDArray[np.int8]:
    """Embeddings times 127 ``int8 [n, width]``; one of another width, or none, is 0."""
    matrix = np.zeros((len(vectors), width), np.int8)
    for place, vector in enumerate(vectors):
        if vector is not None and len(vector) == width:
            matrix[place] = np.rint(np.clip(vector.astype(np.float32), -1, 1) * 127)
    return matrix
