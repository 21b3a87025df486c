"""Events of which nobody has thought: they fail alone, and no thread of a worker ends of them in silence."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from queue_harness import event, eventually

from personvlm.events import Lease, QueueSettings
from personvlm.events.memory import MemoryQueue
from personvlm.events.message import decode, encode
from personvlm.events.worker import Worker, WorkerSettings
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.schema import PersonDescription
from personvlm.schema.events import Described, DescribeRequest
from personvlm.store import Store

FAST = QueueSettings(lease_s=30.0, backoff_s=0.05, backoff_cap_s=0.1, attempts=2)


def describe(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
    return [PersonDescription(text="The image shows a man.", attributes={}, model="fake 1") for _ in requests]


def work(queue: Any, store: Store, work: Any = describe, **more: Any) -> Worker:
    engine: Any = BatchEngine([work], BatchSettings(batch=16))
    worker = Worker(queue, store, engine, WorkerSettings(wait_s=0.05, drain_s=1.0), **more)
    thread = threading.Thread(target=worker.run, kwargs={"until_empty": True})
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return worker


class Unchecked(MemoryQueue):
    """Gives a worker events as no message could bring them."""

    def __init__(self, odd: dict[str, Any]) -> None:
        super().__init__(FAST)
        self._odd = odd

    def claim(self, count: int, wait_s: float = 0.0) -> list[Lease]:
        return [Lease(each.request.model_copy(update=self._odd), each.attempt, each.token)
                if each.request.track_id == 3 else each for each in super().claim(count, wait_s)]  # fmt: skip


@pytest.mark.parametrize("odd", [{"track_id": 2**70}, {"revision": 2**70}])
def test_what_the_database_cannot_take_fails_alone(tmp_path: Path, odd: dict[str, Any]) -> None:
    queue = Unchecked(odd)
    queue.put([event(track) for track in range(7)])
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        worker = work(queue, store)
        assert (worker.counts["described"], worker.counts["failed"]) == (6, 2)
        assert [store.latest(event(track).person) is not None for track in range(7)] == [t != 3 for t in range(7)]
    [letter] = queue.dead()
    assert letter.reason.startswith("OverflowError")
    assert queue.stats().missing == 0


def test_what_those_who_watch_stumble_over_fails_alone(tmp_path: Path) -> None:
    queue = MemoryQueue(FAST)
    queue.put([event(track) for track in range(7)])

    def observe(described: Sequence[Described], connection: sa.Connection) -> None:
        if any(one.request.track_id == 3 for one in described):
            raise KeyError("a rule that nobody tried")

    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        assert work(queue, store, observe=observe).counts["described"] == 6
        assert store.latest(event(3).person) is None
    assert [letter.reason for letter in queue.dead()] == ["KeyError: 'a rule that nobody tried'"]


@pytest.mark.parametrize("when", [-1e308, 5e-324, 1e308])
def test_a_camera_whose_clock_stands_anywhere_is_described_once(tmp_path: Path, when: float) -> None:
    queue = Unchecked({"frame_time": when})
    queue.put([event(track) for track in range(7)])
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        worker = work(queue, store)
    assert (worker.counts["described"], worker.counts["repeated"], queue.stats().acked) == (7, 0, 7)


@pytest.mark.parametrize("odd", ["\0", "zz"])
def test_an_event_with_a_broken_trace_context_costs_no_other_an_attempt(tmp_path: Path, odd: str) -> None:
    class Foreign(MemoryQueue):
        """Events as another program sends them."""

        def claim(self, count: int, wait_s: float = 0.0) -> list[Lease]:
            foreign = decode(encode(event(3).model_copy(update={"traceparent": odd})))
            return [Lease(foreign, each.attempt, each.token) if each.request.track_id == 3 else each
                    for each in super().claim(count, wait_s)]  # fmt: skip

    queue = Foreign(QueueSettings(lease_s=1.0, attempts=2))
    queue.put([event(track) for track in range(7)])
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        worker = work(queue, store)
    assert (worker.counts["claimed"], worker.counts["described"], worker.counts["repeated"]) == (7, 7, 0)


def test_leases_are_extended_whatever_happened_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    extended: list[int] = []
    enough = threading.Event()

    class Odd(MemoryQueue):
        def extend(self, leases: Sequence[Lease]) -> list[bool]:
            extended.append(len(leases))
            if len(extended) == 1:
                raise sqlite3.ProgrammingError("nobody has thought of this")
            return super().extend(leases)

    def slow(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
        assert enough.wait(60)
        return describe(requests)

    queue = Odd(QueueSettings(lease_s=0.3))
    queue.put([event(1)])
    threading.Thread(target=lambda: (eventually(lambda: len(extended) > 2), enough.set())).start()
    with Store.open(tmp_path / "people.db", keep_crops=False) as store, caplog.at_level(logging.ERROR):
        work(queue, store, slow)
    assert len(extended) > 2
    assert "1 leases could not be extended" in caplog.text
