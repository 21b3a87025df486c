"""Pictures that went to the blob store for a message go when the message goes, and not before."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from queue_harness import WAIT, Harness, claim_all, event, eventually, update

from personvlm.base.errors import InputError
from personvlm.events import Queue, QueueDownError, QueueFullError, open_queue
from personvlm.events.describing import EventEngine
from personvlm.events.message import fetch
from personvlm.events.worker import Worker, WorkerSettings
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.schema import PersonDescription
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.store import BlobMissingError, Blobs, Store

LARGE = b"x" * 2000


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(tmp_path / "blobs")


def laid(blobs: Blobs) -> set[str]:
    return set(blobs.references())


def large(track: int, **more: Any) -> DescribeRequest:
    return event(track, data=LARGE, **more)


def newer(track: int, revision: int, **more: Any) -> DescribeRequest:
    return update(track, revision, data=LARGE, **more)


def test_they_go_when_it_is_acknowledged_and_stay_while_it_waits_is_leased_or_dead(
    harness: Harness, blobs: Blobs
) -> None:
    queue = harness.open(blobs=blobs, inline=1000)
    queue.put([large(1), large(2), event(3)])
    assert len(laid(blobs)) == 2
    one, two, three = sorted(claim_all(queue, 3), key=lambda lease: lease.request.track_id)
    queue.nack([two], "no", dead=True)
    assert len(laid(blobs)) == 2
    assert queue.ack([one, three]) == [True, True]
    assert laid(blobs) == {two.request.crop.reference}
    assert queue.ack([one]) == [False]
    assert eventually(lambda: queue.stats().dead == 1)
    queue.replay()
    [lease] = queue.claim(1, WAIT)
    assert fetch(lease.request, blobs).crop.data == LARGE
    queue.ack([lease])
    assert laid(blobs) == set()


def test_the_same_event_again_leaves_nothing_and_takes_nothing_away(harness: Harness, blobs: Blobs) -> None:
    queue = harness.open(blobs=blobs, inline=1000)
    if not queue.capabilities.deduplicates:
        queue.put([large(1), large(1)])
        queue.ack(claim_all(queue, 2))  # it is described twice
        assert laid(blobs) == set()
        return
    queue.put([large(1)])
    there = laid(blobs)
    assert queue.put([large(1), large(1)]) == ["duplicate", "duplicate"]
    assert laid(blobs) == there
    queue.put([queue.shelve(large(1))])
    assert laid(blobs) == there
    [lease] = claim_all(queue, 1)
    assert queue.put([large(1), lease.request]) == ["duplicate", "duplicate"]  # the very same picture, too
    queue.nack([lease], "no", dead=True)
    assert queue.put([large(1), lease.request]) == ["duplicate", "duplicate"]
    assert laid(blobs) == there


def test_what_is_superseded_leaves_nothing(harness: Harness, blobs: Blobs) -> None:
    queue = harness.open(blobs=blobs, inline=1000)
    results = queue.put([newer(1, 3), newer(1, 4), newer(1, 2)])
    if queue.capabilities.coalesces:
        assert results == ["accepted", "accepted", "superseded"]
        assert len(laid(blobs)) == 1
    [lease] = claim_all(queue, 1)
    assert fetch(lease.request, blobs).crop.data == LARGE
    while lease.request.revision < 4:  # the broker had not sent all of them
        queue.ack([lease])
        [lease] = claim_all(queue, 1)
    assert queue.ack([lease]) == [True]
    assert eventually(lambda: not queue.ack(queue.claim(9)) and not laid(blobs))


def test_what_is_shed_or_refused_leaves_nothing(harness: Harness, blobs: Blobs) -> None:
    queue = harness.open(blobs=blobs, inline=1000, depth=2)
    if not queue.capabilities.sheds:
        results = [queue.put([newer(track, 2)])[0] for track in range(60)]
        assert len(laid(blobs)) == results.count("accepted") < 60
        return
    queue.put([newer(1, 2), large(2)])
    assert queue.put([large(3)]) == ["accepted"]  # instead of the update
    assert len(laid(blobs)) == 2
    assert queue.put([newer(4, 2)]) == ["shed"]
    shelved = queue.shelve(large(5))
    with pytest.raises(QueueFullError):
        queue.put([newer(6, 2), shelved, large(7)])
    assert len(laid(blobs)) == 3
    queue.ack(claim_all(queue, 2))
    assert queue.put([shelved]) == ["accepted"]
    [lease] = claim_all(queue, 1)
    assert fetch(lease.request, blobs).crop.data == LARGE


def test_what_cannot_be_put_leaves_nothing(harness: Harness, blobs: Blobs) -> None:
    queue = harness.open(blobs=blobs, inline=1000)
    for bad in (large(2**70), DescribeRequest.build("gate", 1, "new_track", 1.0, Crop())):
        with pytest.raises(InputError):
            queue.put([large(1), bad])
        assert laid(blobs) == set()
    assert queue.stats().queued == 0


@pytest.mark.parametrize("ends", ["acknowledged", "dropped", "superseded"])
def test_a_picture_of_two_messages_goes_with_the_second(harness: Harness, blobs: Blobs, ends: str) -> None:
    queue = harness.open(blobs=blobs, inline=1000)
    if ends != "acknowledged" and not queue.capabilities.coalesces:
        pytest.skip("what it does not hold, it cannot know")
    [there] = queue.shelve(large(1)).crops
    first = event(1) if ends != "superseded" else update(1, 2)
    queue.put([first.model_copy(update={"crop": there})])
    if ends == "dropped":
        queue.nack(claim_all(queue, 1), "no", dead=True)
    queue.put([update(1, 3, final=True).model_copy(update={"crop": there})])
    leases = claim_all(queue, 1 if ends != "acknowledged" else 2)
    if ends == "dropped":
        assert queue.drop_dead() == 1
    elif ends == "acknowledged":
        queue.ack([leases.pop()])
    assert fetch(leases[0].request, blobs).crop.data == LARGE
    queue.ack(leases)
    assert laid(blobs) == set()


def test_a_place_that_does_not_answer_stops_nobody(harness: Harness, blobs: Blobs) -> None:
    class Away:
        put, get = blobs.put, blobs.get

        def delete(self, reference: str) -> None:
            raise RuntimeError("no route to the bucket")

    queue = harness.open(blobs=Away(), inline=1000)
    queue.put([large(1)])
    assert queue.ack(claim_all(queue, 1)) == [True]
    assert len(laid(blobs)) == 1  # until it expires


def describe(requests: Sequence[DescribeRequest]) -> list[PersonDescription]:
    return [PersonDescription(text="The image shows a man.", attributes={}, model="fake 1") for _ in requests]


def work(queue: Queue, store: Store) -> Worker:
    engine: Any = BatchEngine([describe], BatchSettings(batch=8), prepare=lambda one: fetch(one, store.blobs))
    worker = Worker(queue, store, engine, WorkerSettings(wait_s=0.05))
    thread = threading.Thread(target=worker.run, kwargs={"until_empty": True})
    thread.start()
    thread.join(100)
    assert not thread.is_alive()
    return worker


def test_in_one_database_they_go_once_both_are_committed(tmp_path: Path) -> None:
    with Store.open(tmp_path / "people.db") as store:
        blobs = store.blobs
        assert blobs is not None
        queue: Any = open_queue(f"{tmp_path / 'people.db'}?inline=1000&backoff_s=0", blobs=blobs, store=store)
        assert queue.engine is store.engine
        queue.put([large(1), newer(1, 2)])
        real, failures, seen = queue.ack, [True], set[str]()

        def ack(leases: Any, connection: Any = None) -> list[bool]:
            held: list[bool] = real(leases, connection)
            seen.update(name for name in laid(blobs) if name.startswith("until/"))
            if failures:
                raise QueueDownError(f"{failures.pop()}: the process is as good as dead")
            return held

        queue.ack = ack
        assert work(queue, store).counts["described"] == 2
        assert len(seen) == 2
        assert sorted(laid(blobs)) == sorted(
            Blobs.reference(f"{one.event_id}-0") for one in (large(1), newer(1, 2)))  # fmt: skip
        assert store.erase([large(1).person]).counts["pictures"] == 2
        assert laid(blobs) == set()


@pytest.mark.parametrize("apart", [False, True])
def test_an_event_that_comes_again_when_its_picture_is_gone_was_stored_and_is_no_dead_letter(
    tmp_path: Path, apart: bool
) -> None:
    with Store.open(tmp_path / "people.db") as store:
        where = tmp_path / ("queue.db" if apart else "people.db")
        queue = open_queue(f"{where}?inline=1000", blobs=store.blobs, store=store)
        shelved = queue.shelve(large(1))
        queue.put([shelved])
        assert work(queue, store).counts["described"] == 1
        assert queue.put([shelved]) == ["accepted"]  # by somebody who did not hear that it had been accepted
        queue.put([event(2).model_copy(update={"crop": shelved.crop})])
        counts = work(queue, store).counts
        assert (counts["repeated"], counts["dead"], counts["late"]) == (1, 1, 0)
        assert [letter.event_id for letter in queue.dead()] == [event(2).event_id]
        queue.close()


def test_the_engine_of_events_says_that_a_picture_is_gone(blobs: Blobs) -> None:
    """What the worker tells a picture that went with the first of two deliveries by."""
    gone = event(1).model_copy(update={"crop": Crop(reference=Blobs.reference("gone", 1.0))})
    model: Any = SimpleNamespace(describer=None)
    with EventEngine(model, blobs) as engine, pytest.raises(BlobMissingError):
        engine.submit(gone).result(WAIT)
