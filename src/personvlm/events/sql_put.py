"""Putting events into the SQL queue: what is there already, what is superseded, what is shed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from personvlm.events.polling import chunks, left_by_bytes
from personvlm.events.port import PutResult, is_update
from personvlm.events.sql_statements import Statements
from personvlm.runtime.batching_queue import Priority
from personvlm.schema.events import DescribeRequest

Item = tuple[DescribeRequest, bytes]


@dataclass(frozen=True)
class _Rival:
    """An update of a person that waits."""

    row: int
    revision: int
    final: bool


class Putting:
    """One put, inside a transaction.

    Attributes:
        counts: what to add to the counters when all is done.
        left: pictures of what was superseded or shed, to be deleted when all is committed.
    """

    def __init__(self, sql: Statements, connection: sa.Connection, depth: int, now: Mapping[str, float]) -> None:
        self._sql, self._connection, self._depth, self._now = sql, connection, depth, now
        self.counts: Counter[str] = Counter()
        self.left: dict[str, str] = {}

    def put(self, items: Sequence[Item]) -> list[PutResult]:
        """Results of the items up to the first that finds no room."""
        queued = int(self._connection.scalar(self._sql.depth) or 0)
        results: list[PutResult] = []
        for some in self._groups(items):
            # Where all find room they go together, else one by one.
            parts = [some] if queued + self.counts["depth"] + len(some) <= self._depth else [[one] for one in some]
            for part in parts:
                done = self._part(part, queued)
                if done is None:
                    return results
                results += done
        return results

    def _groups(self, items: Sequence[Item]) -> list[list[Item]]:
        """Consecutive items of different people and events: what one of them does is no matter to the others."""
        groups: list[list[Item]] = []
        people: set[str] = set()
        for some in chunks(items):
            groups.append([])
            people.clear()
            for item in some:
                person = item[0].person
                if person in people:
                    groups.append([])
                    people.clear()
                people |= {person, item[0].event_id}
                groups[-1].append(item)
        return [group for group in groups if group]

    def _part(self, items: Sequence[Item], queued: int) -> list[PutResult] | None:
        tight = queued + self.counts["depth"] + len(items) > self._depth
        # Nothing older waits of somebody who is new. Without rivals the insert itself tells what was there.
        rivals = self._rivals({item.person for item, _ in items if item.revision > 1 or is_update(item)})
        known = set(self._connection.scalars(self._sql.known, {"ids": [item.event_id for item, _ in items]})) \
            if rivals or tight else set()  # fmt: skip
        results: list[PutResult] = []
        rows, dropped = [], []
        for request, message in items:
            if request.event_id in known:
                results.append("duplicate")
                continue
            mine = rivals.get(request.person, [])
            if is_update(request) and any(rival.revision > request.revision for rival in mine):
                self.counts.update(("accepted", "superseded"))
                results.append("superseded")
                continue
            dropped += [rival.row for rival in mine if rival.revision < request.revision and not rival.final]
            rows.append(_values(request, message))
            results.append("accepted")
        if dropped:
            gone = self._drop(dropped)
            self.counts.update(superseded=gone, depth=-gone)
        if rows and tight and queued + self.counts["depth"] + len(rows) > self._depth:  # then there is only one item
            made = self._make_room(items[0][0])
            if made is not None:
                return made or None
        if rows:
            put = set(self._connection.scalars(self._sql.insert, [{**row, **self._now} for row in rows]))
            self.counts.update(accepted=len(put), depth=len(put))
            # Somebody else may have put the same event at this very moment.
            results = ["duplicate" if result == "accepted" and item.event_id not in put else result
                       for (item, _), result in zip(items, results, strict=True)]  # fmt: skip
        return results

    def _rivals(self, people: set[str]) -> dict[str, list[_Rival]]:
        found: dict[str, list[_Rival]] = {}
        if people:
            for row in self._connection.execute(self._sql.rivals, {"people": list(people)}):
                found.setdefault(row.person, []).append(_Rival(row.id, row.revision, row.final))
        return found

    def _make_room(self, request: DescribeRequest) -> list[PutResult] | None:
        """None where there is room now; else what becomes of the event, nothing where it must wait."""
        victim = self._connection.scalar(self._sql.victim)
        if victim is None and is_update(request):
            self.counts.update(("accepted", "shed"))
            return ["shed"]
        if victim is None or request.trigger == "backfill":
            return []
        self._drop([victim])
        self.counts.update(shed=1, depth=-1)
        return None

    def _drop(self, rows: Sequence[int]) -> int:
        messages = self._connection.scalars(self._sql.drop, {"rows": rows}).all()
        for message in messages:
            self.left |= left_by_bytes(bytes(message))
        return len(messages)


def _values(request: DescribeRequest, message: bytes) -> dict[str, Any]:
    return {"event_id": request.event_id, "person": request.person, "camera": request.camera,
            "lane": int(Priority.of(request.trigger)), "revision": request.revision, "final": request.final,
            "message": message}  # fmt: skip
