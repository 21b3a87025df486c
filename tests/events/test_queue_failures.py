"""What every queue promises where something fails: see test_queue_contract."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from queue_harness import WAIT, Harness, claim_all, event, eventually, ids, update

from personvlm.store.tables import queue_counts, queue_events


def test_a_failed_event_waits_out_its_backoff_and_dies_with_its_reason_after_its_attempts(harness: Harness) -> None:
    queue = harness.open(backoff_s=0.4, backoff_cap_s=0.4, jitter=0.25)
    queue.put([event()])
    attempts = []
    for number in range(3):
        [lease] = queue.claim(1, WAIT)
        attempts.append(lease.attempt)
        began = time.monotonic()
        assert queue.nack([lease], f"failure {number}") == [True]
        assert queue.nack([lease], "again") == [False]
        if number == 0:
            assert eventually(lambda: sum(queue.stats().waiting.values()) == 1)
            [lease] = queue.claim(1, WAIT)
            assert time.monotonic() - began > 0.25
            queue.release([lease])
    assert attempts == [1, 2, 3]
    assert eventually(lambda: queue.stats().dead == 1)
    [letter] = queue.dead()
    assert (letter.event_id, letter.reason, letter.attempts) == (event().event_id, "failure 2", 3)
    assert b'"gate"' in letter.payload
    assert queue.claim(1, 0.1) == []
    assert queue.stats().missing == 0


def test_hopeless_events_die_at_once(harness: Harness) -> None:
    queue = harness.open()
    queue.put([event(1), event(2)])
    one, two = claim_all(queue, 2)
    assert queue.nack([one], "not a picture", dead=True) == [True]
    assert queue.ack([two]) == [True]
    assert [(letter.event_id, letter.reason) for letter in queue.dead()] == [(one.request.event_id, "not a picture")]


def test_what_a_dead_worker_held_goes_to_another_one(harness: Harness) -> None:
    queue, other = harness.open(lease_s=2.0), harness.open(lease_s=2.0)
    queue.put([event(1), event(2)])
    lost = claim_all(queue, 2)
    assert other.claim(2) == []
    harness.abandon(queue)
    found = claim_all(other, 2)
    assert ids(found) == ids(lost)
    assert {lease.attempt for lease in found} == {2 if queue.capabilities.leases else 1}
    if queue.capabilities.leases:
        assert queue.ack(lost) == [False, False]
        assert queue.nack(lost, "late") == [False, False]
        assert queue.extend(lost) == [False, False]
    assert other.ack(found) == [True, True]
    assert other.stats().queued == 0
    assert other.stats().missing == 0 or not other.capabilities.counts


def test_an_event_that_kills_its_workers_dies(harness: Harness) -> None:
    queue = harness.open(lease_s=0.25)
    queue.put([event()])
    taken = 0
    while (leases := queue.claim(1, 1.0)) and taken < 30:
        taken += 1
        harness.abandon(queue)
        queue = harness.open(lease_s=0.25) if not queue.capabilities.leases else queue
        assert leases[0].request == event()
    assert taken == 3 or (taken < 30 and not queue.capabilities.leases)
    assert eventually(lambda: len(queue.dead()) == 1)
    assert "never finished" in queue.dead()[0].reason


def test_a_lease_is_as_long_as_it_is_extended(harness: Harness) -> None:
    queue, other = harness.open(lease_s=2.0), harness.open(lease_s=2.0)
    queue.put([event()])
    [lease] = queue.claim(1, WAIT)
    for _ in range(4):
        time.sleep(0.6)
        assert queue.extend([lease]) == [True]
        assert other.claim(1) == []
    assert queue.ack([lease]) == [True]


def test_what_is_given_back_is_there_at_once_and_lost_no_attempt(harness: Harness) -> None:
    queue = harness.open(lease_s=30.0)
    queue.put([event()])
    [lease] = queue.claim(1, WAIT)
    assert queue.release([lease]) == [True]
    assert queue.release([lease]) == [False]
    [again] = queue.claim(1, WAIT)
    assert again.request == lease.request
    assert again.attempt == 1 or not queue.capabilities.leases


def test_dead_letters_are_replayed_with_all_their_attempts(harness: Harness) -> None:
    queue = harness.open()
    queue.put([event(1), event(2), event(3)])
    queue.nack(claim_all(queue, 3), "no", dead=True)
    assert eventually(lambda: queue.stats().dead == 3)
    assert queue.replay(["unknown"]) == 0
    assert queue.replay([event(2).event_id]) == 1
    [lease] = queue.claim(5, WAIT)
    assert (lease.request, lease.attempt) == (event(2), 1)
    queue.ack([lease])
    assert queue.stats().dead == 2
    assert queue.replay() == 2
    assert sorted(ids(claim_all(queue, 2))) == sorted([event(1).event_id, event(3).event_id])
    assert queue.dead() == []
    assert queue.stats().missing == 0


def test_two_who_replay_at_the_same_time_count_once(harness: Harness) -> None:
    if harness.adapter != "postgresql":
        pytest.skip("only there two transactions write at the same time")
    queue: Any = harness.open()
    queue.put([event(1), event(2)])
    queue.nack(claim_all(queue, 2), "no", dead=True)
    replayed: list[int] = []
    threads = [threading.Thread(target=lambda: replayed.append(queue.replay())) for _ in range(2)]
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                      "AND wait_event_type = 'Lock'")  # fmt: skip
    with queue.engine.begin() as connection:
        connection.execute(sa.select(queue_events.c.id).with_for_update())
        for thread in threads:
            thread.start()
        with queue.engine.connect() as watching:
            assert eventually(lambda: watching.scalar(waiting) == 2)  # both have seen two dead letters
    for thread in threads:
        thread.join(WAIT)
    assert sorted(replayed) == [0, 2]
    with queue.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.sum(queue_counts.c.depth))) == 2
    assert (queue.stats().queued, queue.stats().missing) == (2, 0)


def test_erasing_a_person_takes_out_all_their_events(harness: Harness) -> None:
    queue = harness.open()
    assert event(1).person == update(1, 3).person != event(2).person
    queue.put([event(1), event(2)])
    queue.nack(claim_all(queue, 2), "no", dead=True)
    queue.put([update(1, 3), update(2, 3)])
    assert eventually(lambda: (queue.stats().dead, queue.stats().waiting["track_update"]) == (2, 2))
    assert queue.erase([event(1).person]) == 2
    assert [letter.event_id for letter in queue.dead()] == [event(2).event_id]
    assert [lease.request for lease in claim_all(queue, 1)] == [update(2, 3)]
    assert queue.claim(1, 0.1) == []
    assert (queue.stats().erased, queue.stats().missing) == (2, 0)


def test_bytes_that_are_no_message_die_alone_and_keep_their_payload(harness: Harness) -> None:
    queue = harness.open()
    if harness.adapter == "memory":
        pytest.skip("nobody else can reach it")
    queue.put([event()])
    for payload in (b"\x80\x04pickle", b'{"version": 2, "event_id": "x"}'):
        harness.inject(payload)
    assert ids(claim_all(queue, 1)) == [event().event_id]
    assert eventually(lambda: not queue.claim(5) and len(queue.dead()) == 2)
    letters = {letter.payload: letter.reason for letter in queue.dead()}
    assert letters[b"\x80\x04pickle"].startswith("not a message")
    assert "version 1" in letters[b'{"version": 2, "event_id": "x"}']
    assert queue.stats().missing == 0
