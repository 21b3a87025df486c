from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from queue_harness import event, eventually, update
from sqlalchemy.exc import OperationalError

from personvlm.base.errors import InputError
from personvlm.events import Lease, QueueDownError, QueueSettings
from personvlm.events.memory import MemoryQueue
from personvlm.events.opening import open_queue
from personvlm.events.worker import Worker, WorkerSettings
from personvlm.events.worker_http import WorkerServer
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.schema import Attribute, PersonDescription
from personvlm.schema.events import Described, DescribeRequest
from personvlm.store import Store
from personvlm.store.tables import descriptions, tracks

FAST = QueueSettings(lease_s=30.0, backoff_s=0.05, backoff_cap_s=0.1, attempts=3)
WHAT = {"gender": Attribute(value="male", confidence=0.9)}


def said(request: DescribeRequest) -> PersonDescription:
    return PersonDescription(text=f"The image shows a man, {request.revision}.", attributes=WHAT, model="fake 1")


def describe(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
    """Fails as a whole where a picture is ``poison``, and for good where it is ``garbage``."""
    for request in requests:
        if request.crop.data == b"poison":
            raise ValueError("bad luck")
        if request.crop.data == b"garbage":
            raise InputError("no picture can be read")
    return [said(request) for request in requests]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "people.db", keep_crops=False) as opened:
        yield opened


@contextlib.contextmanager
def working(queue: Any, store: Any, work: Callable[..., Any] = describe, *, batch: int = 8,
            settings: WorkerSettings | None = None, **more: Any) -> Iterator[Worker]:  # fmt: skip
    engine: Any = BatchEngine([work], BatchSettings(batch=batch))
    worker = Worker(queue, store, engine, settings or WorkerSettings(wait_s=0.05), **more)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(100)
        assert not thread.is_alive()


def stored(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.scalars(sa.select(descriptions.c.event_id)))


def test_only_the_culprits_of_a_batch_fail_and_only_the_hopeless_die_at_once(store: Store) -> None:
    queue = MemoryQueue(FAST)
    good = [event(track) for track in range(20)]
    queue.put([*good[:7], event(50, data=b"poison"), *good[7:11], event(51, data=b"garbage"), *good[11:]])
    with working(queue, store) as worker:
        assert eventually(lambda: queue.stats().queued == 0)
    assert sorted(stored(store)) == sorted(each.event_id for each in good)
    letters = {letter.event_id: (letter.reason, letter.attempts) for letter in queue.dead()}
    assert letters == {event(50).event_id: ("ValueError: bad luck", 3),
                       event(51).event_id: ("no picture can be read", 1)}  # fmt: skip
    assert worker.counts == {"claimed": 24, "described": 20, "failed": 3, "dead": 1, "repeated": 0, "late": 0,
                             "released": 0}  # fmt: skip
    assert queue.stats().missing == 0


def test_an_event_that_was_stored_before_is_stored_once_and_observed_once(store: Store) -> None:
    queue = MemoryQueue(FAST)
    seen: list[str] = []
    store.add([Described(request=event(1), description=said(event(1)), described_at=5.0)])
    queue.put([event(1), event(2)])

    def observe(described: Sequence[Described], connection: sa.Connection) -> None:
        assert connection.in_transaction()
        seen.extend(one.request.event_id for one in described)

    with working(queue, store, observe=observe) as worker:
        assert eventually(lambda: queue.stats().acked == 2)
    assert sorted(stored(store)) == sorted([event(1).event_id, event(2).event_id])
    assert seen == [event(2).event_id]
    assert (worker.counts["described"], worker.counts["repeated"]) == (1, 1)


def test_a_lower_revision_that_comes_late_does_not_replace_a_higher_one(store: Store) -> None:
    queue = MemoryQueue(FAST)
    with working(queue, store):
        queue.put([update(1, 5, final=True)])
        assert eventually(lambda: queue.stats().acked == 1)
        queue.put([event(1)])
        assert eventually(lambda: queue.stats().acked == 2)
    latest = store.latest(event(1).person)
    assert latest is not None
    assert latest.request.revision == 5
    with store.read() as connection:
        assert connection.scalar(sa.select(tracks.c.revision)) == 5


def test_a_batch_that_takes_longer_than_a_lease_keeps_it(store: Store) -> None:
    now, extended = [0.0], [0]

    class Watched(MemoryQueue):
        def extend(self, leases: Sequence[Lease]) -> list[bool]:
            done = super().extend(leases)
            extended[0] += any(done)
            return done

    queue = Watched(QueueSettings(lease_s=0.6), clock=lambda: now[0])
    claimed: list[int] = []
    enough = threading.Event()

    def slow(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
        claimed.append(len(requests))
        assert enough.wait(60)
        return describe(requests)

    queue.put([event(1)])
    with working(queue, store, slow) as worker:
        for _ in range(3):  # longer than a lease in all, however slow this machine is
            before = extended[0]
            assert eventually(lambda before=before: extended[0] > before)  # type: ignore[misc]
            now[0] += 0.5
        assert queue.claim(1) == []
        enough.set()
        assert eventually(lambda: queue.stats().acked == 1)
    assert (claimed, worker.counts["late"]) == ([1], 0)


def test_a_batch_that_hangs_is_given_up_and_seen(store: Store) -> None:
    queue = MemoryQueue(QueueSettings(lease_s=0.2, attempts=3))
    over = threading.Event()

    def hang(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
        over.wait(100)
        return describe(requests)

    queue.put([event(1)])
    with working(queue, store, hang, settings=WorkerSettings(wait_s=0.05, hold=3.0, ahead=1)) as worker:
        assert eventually(lambda: not worker.healthy)
        assert eventually(lambda: len(queue.claim(1)) == 1)  # somebody else may have it
        over.set()


def test_stopping_finishes_what_was_claimed_and_claims_no_more(store: Store) -> None:
    queue = MemoryQueue(QueueSettings())
    entered = threading.Event()

    def slow(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
        entered.set()
        time.sleep(0.3)
        return describe(requests)

    queue.put([event(track) for track in range(40)])
    with working(queue, store, slow, settings=WorkerSettings(wait_s=0.05, ahead=8)) as worker:
        entered.wait(60)
        worker.stop()
    stats = queue.stats()
    assert stats.leased == 0
    assert 0 < stats.acked < 40
    assert stats.acked == len(stored(store))
    assert stats.missing == 0


def test_what_is_not_finished_in_time_is_given_back_at_once(store: Store) -> None:
    queue = MemoryQueue(QueueSettings(lease_s=60.0))
    entered, over = threading.Event(), threading.Event()

    def hang(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
        entered.set()
        over.wait(100)
        return describe(requests)

    queue.put([event(1), event(2)])
    with working(queue, store, hang, settings=WorkerSettings(wait_s=0.05, drain_s=0.2)) as worker:
        entered.wait(60)
        worker.stop()
        assert eventually(lambda: len(queue.claim(2, 1.0)) == 2)
        over.set()
    assert queue.stats().missing == 0


class Failing:
    """Something that fails as often as it is told to, and then is what it stands for."""

    def __init__(self, real: Any, names: tuple[str, ...], error: Callable[[], Exception]) -> None:
        self._real, self._names, self._error = real, names, error
        self.failures = 3

    def __getattr__(self, name: str) -> Any:
        if name in self._names and self.failures > 0:
            self.failures -= 1
            raise self._error()
        return getattr(self._real, name)


def test_a_store_that_is_down_delays_and_loses_nothing(store: Store) -> None:
    queue = MemoryQueue(FAST)
    down: Any = Failing(store, ("begin",), lambda: OperationalError("SELECT", {}, ConnectionError("gone")))
    queue.put([event(track) for track in range(5)])
    with working(queue, down) as worker:
        assert eventually(lambda: worker.store_down is not None)
        assert not worker.ready
        assert eventually(lambda: queue.stats().acked == 5)
        assert eventually(lambda: worker.ready)
    assert len(stored(store)) == 5
    assert queue.stats().dead == 0


def test_a_queue_that_is_down_delays_and_loses_nothing(store: Store) -> None:
    queue = MemoryQueue(FAST)
    down: Any = Failing(queue, ("claim", "ack", "nack"), lambda: QueueDownError("gone"))
    queue.put([event(track) for track in range(5)] + [event(9, data=b"garbage")])
    with working(down, store) as worker:
        assert eventually(lambda: worker.queue_down is not None)
        assert eventually(lambda: queue.stats().queued == 0)
    assert (queue.stats().acked, queue.stats().dead) == (5, 1)
    assert worker.counts["described"] + worker.counts["repeated"] >= 5
    assert len(stored(store)) == 5


def test_what_the_store_refuses_fails_alone(store: Store) -> None:
    queue = MemoryQueue(FAST)

    class Picky:
        engine, begin = store.engine, staticmethod(store.begin)

        @staticmethod
        def add(described: Sequence[Described], connection: Any) -> list[bool]:
            if any(one.request.track_id == 3 for one in described):
                raise InputError("no blob 'until/1'")
            return store.add(described, connection)

    picky: Any = Picky()
    queue.put([event(track) for track in range(6)])
    with working(queue, picky):
        assert eventually(lambda: queue.stats().queued == 0)
    assert [letter.reason for letter in queue.dead()] == ["no blob 'until/1'"]
    assert len(stored(store)) == 5


def test_in_one_database_storing_and_acknowledging_are_one_transaction(store: Store) -> None:
    queue: Any = open_queue(f"{store.engine.url.database}?lease_s=30&backoff_s=0.05", store=store)
    assert queue.engine is store.engine
    real, failures = queue.ack, [True, True]

    def ack(leases: Sequence[Lease], connection: Any = None) -> list[bool]:
        assert connection is not None
        held: list[bool] = real(leases, connection)
        if failures:
            failures.pop()
            assert stored(store) == []  # nobody sees it yet
            raise QueueDownError("the process is as good as dead")
        return held

    queue.ack = ack
    queue.put([event(1), event(2)])
    with working(queue, store) as worker:
        assert eventually(lambda: queue.stats().acked == 2)
    assert (worker.counts["described"], worker.counts["repeated"]) == (2, 0)  # what was rolled back was new again
    assert queue.stats().missing == 0


def test_those_who_watch_see_health_and_counters(store: Store) -> None:
    queue = MemoryQueue(FAST)
    down: Any = Failing(queue, ("claim",), lambda: QueueDownError("gone"))
    down.failures = 0
    queue.put([event(1), event(2, data=b"garbage")])

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    with working(down, store) as worker, contextlib.closing(WorkerServer(worker, 0, "127.0.0.1")) as server:
        assert eventually(lambda: queue.stats().queued == 0)
        assert get("/healthz")[0] == get("/readyz")[0] == 200
        text = get("/metrics")[1]
        assert 'personvlm_worker_events_total{outcome="described"} 1.0' in text
        assert 'personvlm_worker_events_total{outcome="dead"} 1.0' in text
        assert "personvlm_queue_dead 1.0" in text
        assert 'personvlm_queue_events_total{outcome="accepted"} 2.0' in text
        assert "personvlm_worker_batch_seconds_count" in text
        assert get("/else")[0] == 404
        down.failures = 1000
        assert eventually(lambda: get("/readyz")[0] == 503)
        assert json.loads(get("/readyz")[1])["queue"] == "gone"
        assert get("/healthz")[0] == 200
        down.failures = 0
        assert eventually(lambda: get("/readyz")[0] == 200, 10.0)


@pytest.mark.parametrize("together", [True, False])
def test_what_is_described_is_in_the_cache_and_a_cache_that_is_away_stops_nobody(
    tmp_path: Path, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import services
    from personvlm.store import hot
    from personvlm.store.hot import HotCache, people, with_cache
    from personvlm.store.reading import Filters

    monkeypatch.setattr(hot, "WHOLE_S", 3600)
    redis, gate = services.OwnRedis(tmp_path / "redis"), Filters(cameras=("gate",))
    try:
        with with_cache(Store.open(tmp_path / "people.db", keep_crops=False), redis.url) as store:
            queue = open_queue(str(store.engine.url), FAST, store=store) if together else MemoryQueue(FAST)
            people(store, gate)
            queue.put([event(1), event(2, time=101.0)])
            with working(queue, store) as worker:
                assert eventually(lambda: queue.stats().acked == 2)
                cache = HotCache(redis.url)

                def copied() -> list[str]:
                    held = cache.latest("gate")
                    return [] if held is None else [one.description.text for one in held.items]

                assert eventually(lambda: copied() == ["The image shows a man, 1."] * 2)  # after it is committed
                redis.stop()
                queue.put([event(3, time=102.0), update(1, 3)])
                assert eventually(lambda: queue.stats().acked == 4)
            assert (worker.counts["described"], worker.store_down) == (4, None)
            assert {one.request.revision for one in people(store, gate).items} == {1, 3}
    finally:
        redis.stop()
