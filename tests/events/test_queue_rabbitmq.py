"""What only RabbitMQ is asked: what other programs publish, with whatever headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from queue_harness import FAST, claim_all, event, eventually

import services
from personvlm.events import QueueDownError, QueueSettings
from personvlm.events.message import encode
from personvlm.events.rabbitmq import RabbitQueue
from personvlm.events.rabbitmq_link import Sent

SETTINGS = QueueSettings(**FAST)  # type: ignore[arg-type]


@pytest.fixture
def queue() -> Iterator[RabbitQueue]:
    opened = RabbitQueue(f"{services.rabbitmq_url()}?queue={services.unique()}", SETTINGS)
    yield opened
    opened.drop()
    opened.close()


def publish(queue: RabbitQueue, to: str, body: bytes, **headers: Any) -> None:
    assert queue._link.call(queue._link.publish([Sent(to, body, headers)])) == [True]


@pytest.mark.parametrize("failures", ["many", [1], -1000, {"a": 1}])
def test_an_event_is_claimed_whatever_its_headers_say(queue: RabbitQueue, failures: Any) -> None:
    publish(queue, "new_track", encode(event(1)), failures=failures)
    [lease] = claim_all(queue, 1)
    assert (lease.request.track_id, lease.attempt) == (1, 1)
    assert queue.ack([lease]) == [True]


@pytest.mark.parametrize("odd", [{"died_at": "noon"}, {"died_at": "nan"}, {"died_at": [1]}, {"attempts": "many"},
                                 {"x-death": "of old age"}])  # fmt: skip
def test_dead_letters_are_listed_whatever_their_headers_say(queue: RabbitQueue, odd: dict[str, Any]) -> None:
    publish(queue, "dead", b"{}", **odd)
    publish(queue, "dead", encode(event(2)), reason="of ours", attempts=3, died_at="1700000000.0")
    assert eventually(lambda: len(queue.dead()) == 2)
    strange, ours = queue.dead()
    assert (strange.payload, strange.attempts) == (b"{}", 0)
    assert (ours.event_id, ours.reason, ours.attempts, ours.died_at) == (event(2).event_id, "of ours", 3, 1.7e9)


def test_erasing_reaches_an_event_that_came_by_the_way_of_another_trigger(queue: RabbitQueue) -> None:
    odd = event(1, "backfill")
    publish(queue, "new_track", encode(odd))
    assert queue.claim(0) == []  # the broker begins to give them ahead
    assert eventually(lambda: len(queue._waiting["new_track"]) == 1)
    assert queue.erase([odd.person]) == 1
    assert queue.claim(1, 0.3) == []


def test_what_is_under_way_when_the_connection_is_closed_is_an_outage_and_no_defect(queue: RabbitQueue) -> None:
    link = queue._link

    async def cut(steps: int) -> None:
        asking = asyncio.ensure_future(link.counts())
        for _ in range(steps):
            await asyncio.sleep(0)
        await link._connection.close()
        await asking

    for steps in (1, 2, 3, 5, 8, 12, 20):  # how far it has come
        link.call(link.ready())
        with pytest.raises(QueueDownError, match=r"RabbitMQ at .+: .+"):
            link.call(cut(steps))
    assert queue.put([event(99)]) == ["accepted"]
