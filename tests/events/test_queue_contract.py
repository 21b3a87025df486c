"""What every queue promises. Where an engine cannot do a thing, its adapter says so, and what happens instead is
tested."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from queue_harness import FAST, WAIT, Harness, claim_all, event, eventually, ids, update

from personvlm.base.errors import InputError
from personvlm.events import Lease, Queue, QueueFullError, QueueSettings
from personvlm.events.message import fetch
from personvlm.schema.events import Crop


def test_an_event_comes_out_as_it_went_in_and_is_gone_once_acknowledged(harness: Harness) -> None:
    queue = harness.open()
    one = event(7, "track_update", 101.5, revision=3, final=True, data=bytes(range(256)),
                others=(Crop(data=b"second", box=(1.0, 2.0, 3.5, 4.0), time=101.25, score=0.25),))  # fmt: skip
    assert queue.put([one]) == ["accepted"]
    [lease] = queue.claim(10, WAIT)
    assert (lease.request, lease.attempt) == (one, 1)
    assert queue.claim(10) == []
    assert queue.stats().leased == 1
    assert queue.ack([lease]) == [True]
    assert queue.ack([lease]) == [False]
    stats = queue.stats()
    assert (stats.accepted, stats.acked, stats.queued, stats.missing) == (1, 1, 0, 0)


def test_reid_overtakes_new_overtakes_updates_overtake_backfill_and_the_oldest_goes_first(harness: Harness) -> None:
    queue = harness.open()
    triggers = ("backfill", "track_update", "new_track", "reid_request")
    put = [event(10 * place + number, trigger, 100.0 + number)
           for number in range(3) for place, trigger in enumerate(triggers)]  # fmt: skip
    assert queue.put(put) == ["accepted"] * 12
    eventually(lambda: sum(queue.stats().waiting.values()) == 12)
    leases = claim_all(queue, 12)
    expected = [each for trigger in reversed(triggers) for each in put if each.trigger == trigger]
    assert sorted(ids(leases)) == sorted(each.event_id for each in expected)
    if queue.capabilities.deduplicates:  # an engine that pushes cannot be asked before everything has arrived
        assert ids(leases) == [each.event_id for each in expected]


def test_putting_an_event_twice_changes_nothing(harness: Harness) -> None:
    queue = harness.open()
    if not queue.capabilities.deduplicates:
        queue.put([event(), event()])
        assert len(set(ids(claim_all(queue, 2)))) == 1  # described twice, stored once: the store knows the id
        return
    assert queue.put([event(), event()]) == ["accepted", "duplicate"]
    [lease] = queue.claim(5, WAIT)
    assert queue.put([event()]) == ["duplicate"]
    queue.nack([lease], "broken", dead=True)
    assert queue.put([event()]) == ["duplicate"]
    assert (queue.stats().accepted, queue.stats().dead, queue.stats().missing) == (1, 1, 0)


def test_a_newer_update_replaces_the_one_that_waits_but_nothing_else(harness: Harness) -> None:
    queue = harness.open()
    put = [event(1), update(1, 2), update(2, 2), update(1, 3), update(1, 4, final=True), event(1, "reid_request", 9.0)]
    queue.put(put)
    left = [put[0], put[2], put[4], put[5]]
    stale = {put[1].event_id, put[3].event_id}
    if queue.capabilities.coalesces:
        assert ids(claim_all(queue, 4)) == [put[5].event_id, put[0].event_id, put[2].event_id, put[4].event_id]
        assert queue.claim(1) == []
        assert (queue.stats().superseded, queue.stats().missing) == (2, 0)
    else:  # it happens among those that a process holds
        leases = claim_all(queue, 4)
        assert {each.event_id for each in left} <= set(ids(leases)) | stale
        queue.ack(leases)
        assert eventually(lambda: queue.stats().queued == 0 or bool(queue.ack(queue.claim(9))))
        assert queue.stats().acked + queue.stats().superseded == 6


def test_an_update_older_than_the_one_that_waits_is_superseded_at_once(harness: Harness) -> None:
    queue = harness.open()
    results = queue.put([update(1, 5), update(1, 4), update(2, 5, final=True), update(2, 4)])
    if queue.capabilities.coalesces:
        assert results == ["accepted", "superseded", "accepted", "superseded"]
        assert ids(claim_all(queue, 2)) == [update(1, 5).event_id, update(2, 5).event_id]
        assert (queue.stats().accepted, queue.stats().superseded, queue.stats().missing) == (4, 2, 0)
    else:
        assert results == ["accepted"] * 4


def test_what_somebody_works_on_is_not_superseded(harness: Harness) -> None:
    queue = harness.open()
    queue.put([update(1, 2)])
    [lease] = queue.claim(1, WAIT)
    assert queue.put([update(1, 3)]) == ["accepted"]
    assert queue.ack([lease]) == [True]
    assert ids(queue.claim(5, WAIT)) == [update(1, 3).event_id]
    assert queue.stats().superseded == 0


def test_a_full_queue_sheds_the_oldest_update_and_refuses_what_may_not_be_shed(harness: Harness) -> None:
    queue = harness.open(depth=4)
    if not queue.capabilities.sheds:
        results = [queue.put([update(track, 2)])[0] for track in range(60)]
        assert set(results) == {"accepted", "shed"}

        def overfill() -> None:  # one by one: it takes the broker a moment to refuse
            for track in range(500):
                queue.put([event(track, time=200.0)])

        with pytest.raises(QueueFullError):
            overfill()
        return
    queue.put([update(1, 2), update(2, 2), update(3, 2, final=True), event(4)])
    assert queue.put([update(5, 2)]) == ["accepted"]  # instead of the update of 1
    with pytest.raises(QueueFullError):
        queue.put([event(6, "backfill")])
    assert queue.put([event(7), event(8, "reid_request")]) == ["accepted", "accepted"]  # instead of 2 and 5
    assert queue.put([update(9, 2)]) == ["shed"]
    with pytest.raises(QueueFullError, match="4 events"):
        queue.put([event(10)])
    with pytest.raises(QueueFullError):
        queue.put([update(11, 2, final=True)])
    stats = queue.stats()
    assert (stats.queued, stats.shed, stats.accepted, stats.missing) == (4, 4, 8, 0)
    assert {lease.request.track_id for lease in claim_all(queue, 4)} == {3, 4, 7, 8}


def test_putting_waits_for_room(harness: Harness) -> None:
    queue = harness.open(depth=2)
    if not queue.capabilities.sheds:
        pytest.skip("its depth is approximate: tested above")
    queue.put([event(1), event(2)])
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.extend(queue.put([event(3), event(4)], wait_s=20.0)))
    thread.start()
    time.sleep(0.1)
    assert results == []
    queue.ack(claim_all(queue, 2))
    thread.join(WAIT)
    assert results == ["accepted", "accepted"]


def test_large_pictures_go_by_reference(harness: Harness) -> None:
    kept: dict[str, bytes] = {}

    class Shelf:
        def put(self, data: bytes, expires: float | None = None) -> str:
            assert expires is not None
            assert expires > time.time()
            kept[f"b{len(kept)}"] = data
            return f"b{len(kept) - 1}"

        def get(self, reference: str) -> bytes:
            return kept[reference]

    queue = harness.open(blobs=Shelf(), inline=1000)
    one = event(1, data=b"x" * 900, others=(Crop(data=b"y" * 200), Crop(data=b"z" * 100)))
    queue.put([one])
    [lease] = queue.claim(1, WAIT)
    assert kept == {"b0": b"y" * 200}
    assert [crop.reference for crop in lease.request.crops] == [None, "b0", None]
    assert [crop.data for crop in fetch(lease.request, Shelf()).crops] == [crop.data for crop in one.crops]


def test_large_pictures_are_refused_where_there_is_no_blob_store(harness: Harness) -> None:
    queue = harness.open(inline=1000)
    with pytest.raises(InputError, match="--blobs"):
        queue.put([event(1, data=b"x" * 1001)])
    assert queue.stats().queued == 0


def test_many_claimers_get_everything_once(harness: Harness) -> None:
    queues = [harness.open(lease_s=30.0) for _ in range(3)]
    queues[0].put([event(track) for track in range(240)])
    taken: list[str] = []

    def work(queue: Queue) -> None:
        while leases := queue.claim(7, 0.5):
            taken.extend(ids(leases))
            assert all(queue.ack(leases))

    threads = [threading.Thread(target=work, args=(queue,)) for queue in queues for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == sorted(event(track).event_id for track in range(240))
    assert queues[0].stats().queued == 0


def test_a_queue_outlives_who_opened_it(harness: Harness) -> None:
    if harness.adapter == "memory":
        pytest.skip("it is in memory")
    queue = harness.open()
    queue.put([event(1), event(2)])
    [lease] = queue.claim(1, WAIT)
    queue.ack([lease])
    queue.close()
    again = harness.open()
    assert eventually(lambda: sum(again.stats().waiting.values()) == 1)
    if again.capabilities.counts:
        assert (again.stats().accepted, again.stats().acked, again.stats().missing) == (2, 1, 0)


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_whatever_is_done(harness: Harness, seed: int) -> None:
    """Conservation over random operations: accepted is the sum of everything that can become of an event."""
    queue = harness.open(depth=12, lease_s=0.05, backoff_s=0.01, backoff_cap_s=0.02)
    if not queue.capabilities.counts:
        pytest.skip("tests/accept/test_conservation.py counts by event")
    rng = random.Random(seed)
    held: list[Lease] = []
    replayed = 0
    for step in range(150):
        what = rng.random()
        if what < 0.5:
            track, trigger = rng.randrange(8), rng.choice(("new_track", "track_update", "track_update", "reid_request"))
            some = event(track, trigger, rng.randrange(60) / 2, revision=rng.randrange(1, 9), final=rng.random() < 0.1)
            try:
                queue.put([some])
            except QueueFullError:
                held += queue.claim(4)
        elif what < 0.7:
            held += queue.claim(rng.randrange(1, 4))
        elif what < 0.95 and held:
            some_lease = held.pop(rng.randrange(len(held)))
            act = rng.choice((queue.ack, queue.ack, queue.release, queue.extend))
            if rng.random() < 0.4:
                queue.nack([some_lease], "unlucky", dead=rng.random() < 0.2)
            else:
                act([some_lease])
        elif step % 10 == 0:
            replayed += queue.replay()
        assert queue.stats().missing == 0, f"after step {step}"
        assert queue.stats().queued <= 12 + replayed
    stats = queue.stats()
    assert min(stats.acked, stats.superseded) > 0


def test_dead_letters_are_dropped_for_good_by_id_by_age_or_by_what_they_say(harness: Harness) -> None:
    queue = harness.open()
    queue.put([event(track) for track in range(6)])
    queue.nack(claim_all(queue, 5), "no", dead=True)
    assert eventually(lambda: queue.stats().dead == 5)
    dead = [letter.event_id for letter in queue.dead()]
    [waiting] = {event(track).event_id for track in range(6)} - set(dead)
    assert queue.drop_dead(["unknown", waiting]) == 0, "what is not dead stays"
    assert queue.drop_dead([]) == 0
    assert queue.drop_dead(older_s=3600.0) == 0
    assert queue.drop_dead(dead[:2]) == 2
    assert queue.drop_dead(choose=lambda letter: letter.event_id == dead[2] and letter.reason == "no") == 1
    assert sorted(letter.event_id for letter in queue.dead()) == sorted(dead[3:])
    time.sleep(0.3)
    queue.nack(claim_all(queue, 1), "later", dead=True)
    assert eventually(lambda: queue.stats().dead == 3)
    newest = max(queue.dead(), key=lambda letter: letter.died_at)
    assert newest.event_id == waiting
    assert queue.drop_dead(older_s=time.time() - newest.died_at + 0.15) == 2
    assert [letter.event_id for letter in queue.dead()] == [waiting]
    assert queue.drop_dead() == 1
    assert (queue.dead(), queue.stats().dead, queue.replay()) == ([], 0, 0)
    stats = queue.stats()
    assert (stats.erased, stats.missing, stats.queued) == (6, 0, 0)
    assert queue.put([event(0)]) == ["accepted"], "what was dropped may come again"


def test_pictures_that_only_a_dead_letter_has_go_with_it(harness: Harness, tmp_path: Path) -> None:
    from personvlm.store.blobs import Blobs

    blobs = Blobs.open(tmp_path / "crops")
    kept = blobs.put(b"of the store", name="kept")
    queue = harness.open(blobs=blobs, inline=0)
    queue.put([event(1, data=b"first"), event(2, data=b"second"), event(3, data=b"third"),
               event(4).model_copy(update={"crop": Crop(reference=kept)})])  # fmt: skip
    queue.nack(claim_all(queue, 4), "no", dead=True)
    assert eventually(lambda: queue.stats().dead == 4)
    assert queue.drop_dead([event(1).event_id, event(4).event_id]) == 2
    assert queue.erase([event(2).person]) == 1
    [left] = [reference for reference in blobs.references() if reference != kept]
    assert (blobs.get(left), blobs.get(kept)) == (b"third", b"of the store")


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"lease_s": 0}, {"attempts": 0}, {"jitter": 2}, {"backoff_s": 9.0, "backoff_cap_s": 1.0}):
        with pytest.raises(InputError):
            QueueSettings(**{**FAST, **wrong})
