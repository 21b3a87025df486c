"""A queue in this process's memory: for tests, and where nothing has to outlive the process."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, decode
from personvlm.events.polling import Left, PollingQueue, left_by, run_out
from personvlm.events.port import (
    COUNTERS,
    LANES,
    Capabilities,
    Choose,
    DeadLetter,
    Lease,
    PutResult,
    QueueSettings,
    QueueStats,
    is_update,
)
from personvlm.runtime.batching_queue import Priority
from personvlm.schema.events import DescribeRequest


@dataclass(eq=False)
class _Row:
    """An event. ``token`` is None while it waits; ``due`` is when it may be claimed, or when its lease ends."""

    request: DescribeRequest
    payload: bytes
    number: int
    put_at: float
    due: float
    attempts: int = 0
    token: int | None = None
    dead: bool = False
    reason: str | None = None
    died_at: float = 0.0

    @property
    def order(self) -> tuple[int, float, int]:
        return Priority.of(self.request.trigger), self.due, self.number

    @property
    def letter(self) -> DeadLetter:
        return DeadLetter(self.request.event_id, self.reason or "", self.payload, self.attempts, self.died_at)

    @property
    def replaceable(self) -> bool:
        return not self.dead and self.token is None and self.request.trigger == "track_update"


class MemoryQueue(PollingQueue):
    """See :class:`personvlm.events.port.Queue`. ``clock`` gives seconds since the epoch."""

    capabilities = Capabilities(counts=True)

    def __init__(self, settings: QueueSettings | None = None, blobs: Blobs | None = None, *,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        super().__init__(settings, blobs)
        self._clock = clock
        self._changed = threading.Condition()
        self._rows: dict[str, _Row] = {}
        self._numbers = itertools.count(1)
        self._counts: Counter[str] = Counter()
        self._left: dict[str, str] = {}  # pictures of what was superseded or shed

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)

    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        results: list[PutResult] = []
        with self._changed:
            for request, payload in items:
                result = self._accept(request, payload)
                if result is None:
                    break
                results.append(result)
            left, self._left = self._left, {}
            self._changed.notify_all()
        self._unshelve(left)
        return results

    def _accept(self, request: DescribeRequest, payload: bytes) -> PutResult | None:
        if request.event_id in self._rows:
            return "duplicate"
        same = [row for row in self._rows.values() if row.replaceable and row.request.person == request.person]
        if is_update(request) and any(row.request.revision > request.revision for row in same):
            self._counts.update(("accepted", "superseded"))
            return "superseded"
        for row in same:
            if row.request.revision < request.revision and is_update(row.request):
                self._left |= left_by(row.request)
                self._drop(row, "superseded")
        if sum(not row.dead for row in self._rows.values()) >= self.settings.depth:
            waiting = (row for row in self._rows.values() if row.replaceable and is_update(row.request))
            victims = sorted(waiting, key=lambda row: row.order)
            if not victims and is_update(request):
                self._counts.update(("accepted", "shed"))
                return "shed"
            if not victims or request.trigger == "backfill":
                return None
            self._left |= left_by(victims[0].request)
            self._drop(victims[0], "shed")
        now = self._clock()
        self._rows[request.event_id] = _Row(request, payload, next(self._numbers), now, now)
        self._counts["accepted"] += 1
        return "accepted"

    def _drop(self, row: _Row, why: str) -> None:
        del self._rows[row.request.event_id]
        self._counts[why] += 1

    def _claim(self, count: int) -> list[Lease]:
        leases: list[Lease] = []
        with self._changed:
            now = self._clock()
            due = sorted((row for row in self._rows.values() if not row.dead and row.due <= now), key=lambda r: r.order)
            for row in due:
                if len(leases) >= count:
                    break
                if row.attempts >= self.settings.attempts:
                    self._bury(row, run_out(row.attempts, row.reason))
                    continue
                row.attempts += 1
                row.token, row.due = next(self._numbers), now + self.settings.lease_s
                leases.append(Lease(decode(row.payload), row.attempts, (row, row.token)))
        return leases

    def _bury(self, row: _Row, reason: str) -> None:
        row.dead, row.token, row.reason, row.died_at = True, None, reason, self._clock()

    def _each(self, leases: Sequence[Lease], act: Callable[[_Row], None]) -> list[bool]:
        """``act`` on what is still ours."""
        held = []
        with self._changed:
            for lease in leases:
                row, token = lease.token
                held.append(row.token == token and self._rows.get(row.request.event_id) is row)
                if held[-1]:
                    act(row)
            self._changed.notify_all()
        return held

    def _ack(self, leases: Sequence[Lease], connection: Any) -> list[bool]:
        return self._each(leases, lambda row: self._drop(row, "acked"))

    def _used(self, left: Left) -> Collection[str]:
        with self._changed:
            return {name for row in self._rows.values() for name in left_by(row.request)}

    def nack(self, leases: Sequence[Lease], reason: str, *, dead: bool = False) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""

        def fail(row: _Row) -> None:
            if dead or row.attempts >= self.settings.attempts:
                self._bury(row, reason)
            else:
                row.token, row.reason = None, reason
                row.due = self._clock() + self.settings.backoff(row.attempts)

        return self._each(leases, fail)

    def release(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""

        def free(row: _Row) -> None:
            row.token, row.due, row.attempts = None, row.put_at, row.attempts - 1

        return self._each(leases, free)

    def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""

        def longer(row: _Row) -> None:
            row.due = self._clock() + self.settings.lease_s

        return self._each(leases, longer)

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """See :class:`personvlm.events.port.Queue`."""
        with self._changed:
            rows = sorted((row for row in self._rows.values() if row.dead), key=lambda row: (row.died_at, row.number))
            return [row.letter for row in rows[:limit]]

    def replay(self, event_ids: Collection[str] | None = None) -> int:
        """See :class:`personvlm.events.port.Queue`."""
        with self._changed:
            rows = [row for row in self._rows.values()
                    if row.dead and (event_ids is None or row.request.event_id in event_ids)]  # fmt: skip
            for row in rows:
                row.request = decode(row.payload)
                row.dead, row.attempts, row.reason, row.due = False, 0, None, self._clock()
            self._changed.notify_all()
        return len(rows)

    def _time(self) -> float:
        return self._clock()

    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        with self._changed:
            return self._erased([row for row in self._rows.values() if row.dead and chosen(row.letter)])

    def erase(self, people: Collection[str]) -> int:
        """See :class:`personvlm.events.port.Queue`."""
        with self._changed:
            rows = [row for row in self._rows.values() if row.request.person in people]
            self._delete({name for row in rows for name in left_by(row.request)})
            return self._erased(rows)

    def _erased(self, rows: Sequence[_Row]) -> int:
        for row in rows:
            self._drop(row, "erased")
        return len(rows)

    def stats(self) -> QueueStats:
        """See :class:`personvlm.events.port.Queue`."""
        with self._changed:
            now = self._clock()
            alive = [row for row in self._rows.values() if not row.dead]
            # A lease that has run out waits for whoever comes.
            waiting = [row for row in alive if row.token is None or row.due <= now]
            by = Counter(row.request.trigger for row in waiting)
            return QueueStats(
                waiting={lane: by[lane] for lane in LANES}, leased=len(alive) - len(waiting),
                dead=len(self._rows) - len(alive), oldest_s=max((now - row.put_at for row in waiting), default=0.0),
                **{name: self._counts[name] for name in COUNTERS},
            )  # fmt: skip

    def close(self) -> None:
        """See :class:`personvlm.events.port.Queue`."""


def check_memory(url: str) -> None:
    """``memory:`` has nothing after it.

    Raises:
        InputError: there is something.
    """
    if url.rstrip("/") != "memory:":
        raise InputError(f"{url}: a queue in memory is named memory: alone")
