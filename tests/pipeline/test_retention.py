"""Who was too long ago is forgotten wherever a copy lies: dead letters hold pictures of people nobody described."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import services
from personvlm.base.errors import InputError
from personvlm.events import Queue, QueueSettings, open_queue
from personvlm.pipeline.retention import sweep
from personvlm.schema.events import Crop, DescribeRequest

pytest.importorskip("sqlalchemy", reason="needs the service extra")

from personvlm.store import Store

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "people.db") as opened:
        yield opened


@pytest.fixture(params=["in the store", "redis", "rabbitmq"])
def address(request: pytest.FixtureRequest, store: Store) -> Iterator[str]:
    if request.param == "in the store":
        yield str(store.engine.url)
        return
    url = services.redis_url() if request.param == "redis" else services.rabbitmq_url()
    url = f"{url}?queue={services.unique()}"
    yield url
    queue: Any = open_queue(url)
    queue.drop()
    queue.close()


def dead(queue: Queue, *requests: DescribeRequest) -> None:
    queue.put(requests)
    leases: list[Any] = []
    end = time.monotonic() + 30
    while len(leases) < len(requests) and time.monotonic() < end:
        leases += queue.claim(9, 0.2)
    queue.nack(leases, "no luck", dead=True)
    while queue.stats().dead < len(requests) and time.monotonic() < end:
        time.sleep(0.02)


def request(camera: str, days_ago: float) -> DescribeRequest:
    return DescribeRequest.build(camera, 1, "new_track", time.time() - days_ago * DAY, Crop(data=b"a face"))


def test_dead_letters_go_when_their_camera_says_so(store: Store, address: str) -> None:
    with contextlib.closing(open_queue(address, QueueSettings(inline=0), store.blobs, store=store)) as queue:
        asked = [request("week", 8), request("week", 6), request("faces", 3), request("bare", 2), request("ever", 90)]
        dead(queue, *asked)
        store.keep("week", days=7)
        store.keep("faces", days=30, crop_days=2)
        store.keep("bare", crops=False)
        assert store.blobs is not None
        assert len(list(store.blobs.references())) == 5
        done = sweep(store, address)
        assert done.dead == 3
        left = {asked[1].event_id, asked[4].event_id}
        assert {letter.event_id for letter in queue.dead()} == left, "one that died today is kept for a month"
        assert len(list(store.blobs.references())) == 2
        [entry] = store.audited()
        assert (entry.actor, entry.action, entry.detail["dropped"]) == ("retention", "drop dead letters", 3)
        assert sweep(store, queue, dead_days=1e-9).dead == 1
        assert {letter.event_id for letter in queue.dead()} == {asked[1].event_id}
        assert sweep(store, queue).dead == 0
        assert len(store.audited()) == 2


def test_what_is_no_message_goes_with_time(store: Store) -> None:
    from personvlm.store.tables import queue_events

    with store.begin() as connection:
        for name, died in (("old", time.time() - 31 * DAY), ("new", time.time())):
            connection.execute(queue_events.insert().values(
                event_id=name, person=name, camera="", lane=1, revision=1, final=False, due=0.0, put_at=0.0,
                message=b"\x80pickle", dead=True, reason="not a message", died_at=died))  # fmt: skip
    assert sweep(store).dead == 1, "of the queue in the store's own database, without being told of it"
    with contextlib.closing(open_queue(str(store.engine.url))) as queue:
        assert [letter.event_id for letter in queue.dead()] == ["new"]
    with pytest.raises(InputError, match="more than 0 days"):
        sweep(store, dead_days=0)
