"""What only Redis is asked: entries of other programs, and a server that answers but takes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from queue_harness import FAST, WAIT, claim_all, event, eventually, ids

import services
from personvlm.base.errors import InputError
from personvlm.events import QueueDownError, QueueSettings, open_queue
from personvlm.events.message import encode
from personvlm.events.redis_streams import RedisQueue
from personvlm.store import Blobs

SETTINGS = QueueSettings(**{**FAST, "lease_s": 1.0})  # type: ignore[arg-type]


@pytest.fixture
def queue() -> Iterator[RedisQueue]:
    opened = RedisQueue(f"{services.redis_url()}?queue={services.unique()}", SETTINGS)
    yield opened
    opened.drop()
    opened.close()


def add(queue: RedisQueue, lane: int = 1, **fields: Any) -> None:
    queue._redis.xadd(f"{queue.key}:lane:{lane}", fields)


WHOLE: dict[str, Any] = {"id": "x", "person": "y", "revision": "1", "final": "0", "attempts": "0",
                         "at": "4000000000", "reason": ""}  # fmt: skip


@pytest.mark.parametrize("lane", [1, 2])
@pytest.mark.parametrize("odd", [
    {"mesage": "{...}"}, {"id": "7", "message": "{}"}, WHOLE, {**WHOLE, "message": "{}", "revision": "first"},
    {**WHOLE, "message": "{}", "attempts": "9" * 20}, {**WHOLE, "message": "{}", "at": "nan"},
    {**WHOLE, "message": "{}", "at": "noon"}, {**WHOLE, "message": "{}", "attempts": ""}])  # fmt: skip
def test_an_entry_that_is_no_message_dies_alone_with_what_it_holds(
    queue: RedisQueue, odd: dict[str, str], lane: int
) -> None:
    queue.put([event(1, "reid_request")])
    add(queue, lane, **odd)
    queue.put([event(2, "backfill")])
    assert queue.stats().oldest_s < WAIT
    leases = queue.claim(10)
    assert ids(leases) == [event(1, "reid_request").event_id, event(2, "backfill").event_id]
    [letter] = queue.dead()
    assert letter.reason.startswith("not a message")
    if "message" in odd:
        assert letter.payload == b"{}"
    else:
        assert json.loads(letter.payload) == odd
        assert "without the field message" in letter.reason
    queue.ack(leases)
    assert (queue.stats().accepted, queue.stats().queued, queue.stats().missing) == (3, 0, 0)
    assert (queue.replay(), queue.drop_dead(), queue.stats().missing) == (0, 1, 0)


@pytest.mark.parametrize("state", ["waiting", "leased", "delayed", "again", "dead"])
def test_erasing_reaches_what_other_programs_added(queue: RedisQueue, state: str, tmp_path: Path) -> None:
    blobs = Blobs.open(tmp_path / "blobs")
    queue._blobs = blobs
    crop = event().crop.model_copy(update={"data": None, "reference": blobs.put(b"picture", 4e9)})
    theirs, others = event(1).model_copy(update={"crop": crop}), event(2)
    queue.put_raw(encode(theirs))
    queue.put_raw(encode(others))
    if state != "waiting":
        lease, other = claim_all(queue, 2)
        queue.release([other])
        if state in ("delayed", "dead"):
            queue.nack([lease], "no", dead=state == "dead")
        if state == "again":
            queue.release([lease])
            claim_all(queue, 2)
    assert queue.erase([theirs.person]) == 1
    assert queue.erase([theirs.person]) == 0
    assert list(blobs.references()) == []
    assert [lease.request for lease in claim_all(queue, 1)] == [others]
    assert (queue.stats().erased, queue.stats().queued, queue.stats().dead, queue.stats().missing) == (1, 1, 0, 0)


def test_a_redis_that_takes_nothing_is_down_and_comes_back(tmp_path: Path) -> None:
    server = services.OwnRedis(tmp_path / "redis")
    try:
        url = f"{server.url}?queue=a"
        queue = RedisQueue(url, SETTINGS)
        queue.put([event(1), event(2)])
        leases = queue.claim(1)
        asks: list[Callable[[], Any]] = [
            lambda: queue.put([event(3)]), lambda: open_queue(f"{server.url}?queue=b"), lambda: queue.claim(1),
            lambda: queue.ack(leases), lambda: queue.nack(leases, "no")]  # fmt: skip
        for setting, refusing, refused in (("maxmemory", "1mb", 2), ("min-replicas-to-write", "1", 5)):
            queue._redis.config_set(setting, refusing)
            for ask in asks[:refused]:  # a full one may still be emptied
                with pytest.raises(QueueDownError, match=r"Redis at 127\.0\.0\.1"):
                    ask()
            queue._redis.config_set(setting, "0")
        assert queue.ack(leases) == [True]
        assert ids(queue.claim(5)) == [event(2).event_id]
        assert queue.stats().missing == 0
        with pytest.raises(InputError, match="DB index"):
            open_queue(f"redis://127.0.0.1:{server.port}/999")
        queue.close()
    finally:
        server.stop()


@pytest.mark.parametrize("word", ["OOM", "NOREPLICAS", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "LOADING",
                                  "READONLY", "BUSY"])  # fmt: skip
def test_what_a_server_says_that_cannot_now_is_no_defect(queue: RedisQueue, word: str) -> None:
    with pytest.raises(QueueDownError), queue._told():
        raise redis.ResponseError(f"{word} not now")
    with pytest.raises(redis.ResponseError), queue._told():
        raise redis.ResponseError("ERR no such thing")


def test_pictures_of_which_nobody_reads_any_more_are_not_counted_any_more(queue: RedisQueue, tmp_path: Path) -> None:
    queue._blobs = blobs = Blobs.open(tmp_path / "blobs")
    queue.settings = QueueSettings(**{**FAST, "inline": 10})  # type: ignore[arg-type]
    queue.put([event(track, data=b"x" * 11) for track in range(4)])
    assert queue._redis.hlen(f"{queue.key}:pictures") == 4
    one, two, three, _ = claim_all(queue, 4)
    queue.ack([one])
    queue.nack([two, three], "no", dead=True)
    assert queue.drop_dead([two.request.event_id]) == 1
    assert queue.erase([event(3).person, three.request.person]) == 2
    assert eventually(lambda: queue._redis.hlen(f"{queue.key}:pictures") == 0)
    assert list(blobs.references()) == []
