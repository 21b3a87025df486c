"""Nothing is lost and nothing is stored twice, while workers are killed and servers restart.

The full size is run by `make accept`; a twentieth of it with every run of the suite.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_worker
import pytest
import sqlalchemy as sa

import services
from personvlm.events import Queue, QueueDownError, QueueFullError, open_queue
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.store import Store
from personvlm.store.tables import descriptions, tracks

LIFE: tuple[Any, ...] = ("new_track", "track_update", "track_update", "reid_request", "track_update")
PARTS = 50
SETTINGS = "lease_s=3&backoff_s=0.1&backoff_cap_s=0.4&attempts=5"


def events(count: int, poison: float) -> list[DescribeRequest]:
    """``count`` events of people who are seen, updated twice, asked about, and leave."""
    made: list[DescribeRequest] = []
    track = 0
    while len(made) < count:
        track += 1
        bad = poison and track % max(1, round(1 / poison / 5)) == 0  # one of a person's five events
        for revision, trigger in enumerate(LIFE, 1):
            crop = Crop(data=(b"poison" if bad and revision == 1 else b"fine") + bytes(2000))
            made.append(DescribeRequest.build("gate", track, trigger, 1000.0 + track + revision / 10, crop,
                                              first_seen=1000.0 + track, revision=revision,
                                              final=revision == len(LIFE)))  # fmt: skip
    made = made[:count]
    # People come one after the other and stay: some updates wait long enough to be superseded, some do not.
    stay = count / len(LIFE) / 8
    return sorted(made, key=lambda each: (each.track_id + stay * each.revision, each.track_id))


class Workers:
    """Worker processes, of which one is killed now and then and replaced."""

    def __init__(self, queue_url: str, store_url: str, count: int, kill_every: float, milliseconds: float) -> None:
        # Processes of their own, that need not import everything again each time.
        self._context: Any = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["personvlm.events.worker", "personvlm.events.redis_streams",
                                              "personvlm.events.rabbitmq", "personvlm.events.sql",
                                              "psycopg"])  # fmt: skip
        self._arguments = (queue_url, store_url, milliseconds)
        self._running = [self._start() for _ in range(count)]
        self.killed = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill, args=(kill_every,), daemon=True)
        self._thread.start()

    def _start(self) -> tuple[Any, Any]:
        begun = self._context.Event()
        process = self._context.Process(target=fake_worker.main, args=(*self._arguments, begun), daemon=True)
        process.start()
        return process, begun

    def _kill(self, every: float) -> None:
        while not self._over.wait(every):
            at_work = [one for one in self._running if one[1].is_set()]
            if at_work:  # the one that has worked longest
                self._running.remove(at_work[0])
                os.kill(at_work[0][0].pid, signal.SIGKILL)
                at_work[0][0].join()
                self.killed += 1
                self._running.append(self._start())

    def calm(self) -> None:
        """Kill no more."""
        self._over.set()
        self._thread.join()

    def stop(self) -> list[int]:
        """End in order; their exit statuses."""
        self.calm()
        for process, begun in self._running:
            begun.wait(60)
            process.terminate()
        for process, _ in self._running:
            process.join(60)
        statuses = [process.exitcode for process, _ in self._running]
        for process, _ in self._running:
            process.kill()
        return statuses


def again(act: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What a producer does while the queue is down or full."""
    end = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (QueueDownError, QueueFullError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def run(queue_url: str, store_url: str, put: list[DescribeRequest], *, kill_every: float, milliseconds: float,
        restarts: list[Callable[[], None]]) -> tuple[Queue, set[str], int]:  # fmt: skip
    """Put everything while four workers are at it; returns when nothing is queued any more."""
    Store.open(store_url).close()
    queue: Queue = again(lambda: open_queue(queue_url))
    workers = Workers(queue_url, store_url, 4, kill_every, milliseconds)
    accepted: set[str] = set()
    try:
        part = max(1, len(put) // PARTS)
        moments = {round((number + 1) * PARTS / (len(restarts) + 1)): act for number, act in enumerate(restarts)}
        for number, start in enumerate(range(0, len(put), part)):
            some = put[start : start + part]
            results = again(lambda some=some: queue.put(some, wait_s=5.0))  # type: ignore[misc]
            assert len(results) == len(some)
            accepted.update(each.event_id for each in some)
            if number in moments:
                moments[number]()
            while again(lambda: queue.stats()).queued > len(put) // 25:  # about as fast as they are described
                time.sleep(0.02)
        end = time.monotonic() + 150
        while not again(lambda: over(queue, store_url, put)) and time.monotonic() < end:
            time.sleep(0.2)
        workers.calm()
    finally:
        statuses = workers.stop()
    assert statuses == [0, 0, 0, 0]
    return queue, accepted, workers.killed


def over(queue: Queue, store_url: str, put: list[DescribeRequest]) -> bool:
    """Nothing is queued. What others hold RabbitMQ does not tell: then, what must be somewhere is stored or dead."""
    if queue.stats().queued:
        return False
    if queue.capabilities.counts:
        return True
    must = {each.event_id for each in put if each.trigger != "track_update" or each.final}
    with contextlib.closing(Store.open(store_url)) as store:
        return must == store.known(list(must), fake_worker.MODEL) | {each.event_id for each in queue.dead(len(put))}


def judge(queue: Queue, store_url: str, put: list[DescribeRequest], accepted: set[str]) -> dict[str, int]:
    """Hold what became of every event against what may become of it."""
    store = Store.open(store_url)
    with store.read() as connection:
        columns = (descriptions.c.event_id, descriptions.c.track, descriptions.c.revision)
        rows = connection.execute(sa.select(*columns)).all()
        latest = {row.id: row.revision for row in connection.execute(sa.select(tracks.c.id, tracks.c.revision))}
    store.close()
    stored = [row.event_id for row in rows]
    dead = {letter.event_id: letter.reason for letter in queue.dead(len(put))}
    by_id = {each.event_id: each for each in put}
    assert accepted == set(by_id)
    assert len(stored) == len(set(stored)), "stored twice"
    poison = {each.event_id for each in put if (each.crop.data or b"").startswith(b"poison")}
    assert set(dead) == poison
    assert all("poison" in reason for reason in dead.values())
    gone = accepted - set(stored) - set(dead)
    told: dict[str, int] = {}
    for event_id in stored:
        told[by_id[event_id].person] = max(told.get(by_id[event_id].person, 0), by_id[event_id].revision)
    for event_id in gone:  # superseded: something newer of the same person is known
        each = by_id[event_id]
        assert each.trigger == "track_update"
        assert not each.final
        assert told[each.person] > each.revision
    # The latest revision that was described is the one that holds.
    of_track: dict[int, int] = {}
    for row in rows:
        of_track[row.track] = max(of_track.get(row.track, 0), row.revision)
    assert latest == of_track
    stats = queue.stats()
    if queue.capabilities.counts:
        assert stats.missing == 0
        assert (stats.accepted, stats.dead, stats.queued) == (len(accepted), len(dead), 0)
        assert len(gone) == stats.superseded + stats.shed
        assert stats.acked == len(stored)
    return {"accepted": len(accepted), "described": len(stored), "dead": len(dead), "superseded": len(gone)}


@contextlib.contextmanager
def setting(adapter: str, folder: Path, small: bool) -> Iterator[tuple[str, str, list[Callable[[], None]]]]:
    """Addresses of a queue and a store, and what is to be restarted midway."""
    restarts: list[Callable[[], None]] = []
    store = f"sqlite:///{folder / 'people.db'}"
    with contextlib.ExitStack() as stack:
        if not small and adapter != "sqlite":
            postgres = services.OwnPostgres(folder / "postgres")
            stack.callback(postgres.stop, "immediate")
            store = postgres.url

            def restart_postgres() -> None:
                postgres.stop("immediate")
                time.sleep(1.0)
                postgres.start()

            restarts.append(restart_postgres)
        if adapter in ("sqlite", "postgresql"):
            queue = f"{store}?{SETTINGS}"
        elif adapter == "redis":
            redis = services.OwnRedis(folder / "redis")
            stack.callback(redis.stop)

            def restart_redis() -> None:
                redis.stop(signal.SIGKILL)
                time.sleep(0.5)
                redis.start()

            restarts.append(restart_redis)
            queue = f"{redis.url}?{SETTINGS}"
        elif small:
            queue = f"{services.rabbitmq_url()}?queue={services.unique()}&{SETTINGS}"
        else:
            rabbit = services.OwnRabbit(folder / "rabbit")
            stack.callback(rabbit.stop, signal.SIGKILL)

            def restart_rabbit() -> None:
                rabbit.stop()
                rabbit.start()

            restarts.append(restart_rabbit)
            queue = f"{rabbit.url}?{SETTINGS}"
        yield queue, store, restarts


def conserve(adapter: str, folder: Path, count: int, poison: float, small: bool) -> None:
    with setting(adapter, folder, small) as (queue_url, store_url, restarts):
        put = events(count, poison)
        began = time.monotonic()
        queue, accepted, killed = run(queue_url, store_url, put, kill_every=1.0 if small else 2.0, milliseconds=4.0,
                                      restarts=restarts)  # fmt: skip
        seconds = time.monotonic() - began
        counts = judge(queue, store_url, put, accepted)
        print(f"\n{adapter}: {counts}, {killed} workers killed, {len(restarts)} servers restarted, {seconds:.0f} s")
        assert killed >= (1 if small else 3)
        if small and adapter == "rabbitmq":
            drop: Any = queue
            drop.drop()
        queue.close()


@pytest.mark.parametrize("adapter", ["sqlite", "redis", "rabbitmq"])
def test_nothing_is_lost_while_workers_are_killed(adapter: str, tmp_path: Path) -> None:
    conserve(adapter, tmp_path, 500, 0.01, small=True)


@pytest.mark.accept
@pytest.mark.parametrize("poison", [0.0, 0.01])
@pytest.mark.parametrize("adapter", ["sqlite", "postgresql", "redis", "rabbitmq"])
def test_ten_thousand_events_survive_killed_workers_and_restarted_servers(
    adapter: str, poison: float, tmp_path: Path
) -> None:
    conserve(adapter, tmp_path, 10_000, poison, small=False)
