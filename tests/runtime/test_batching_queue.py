"""The order in which requests leave, who is shed, and how a failure is isolated. No threads, no clock."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvlm.base.errors import InputError
from personvlm.runtime.batching_metrics import BOUNDS_MS, Histogram
from personvlm.runtime.batching_queue import BatchSettings, Priority, Request, RequestQueue
from personvlm.runtime.batching_work import Deadlines, isolated


def queue(*priorities: Priority, **settings: object) -> RequestQueue[str, str]:
    """Requests 0, 1, 2 … of these priorities, submitted a tenth of a second apart."""
    made: RequestQueue[str, str] = RequestQueue(BatchSettings(**settings))  # type: ignore[arg-type]
    for number, priority in enumerate(priorities):
        made.add(Request(f"item {number}", priority, f"key {number % 2}", number, number / 10))
    return made


def numbers(requests: Sequence[Request[str, str]]) -> list[int]:
    return [request.number for request in requests]


def test_urgent_first_and_first_come_first_served_within() -> None:
    waiting = queue(Priority.BACKFILL, Priority.TRACK_UPDATE, Priority.NEW_TRACK, Priority.REID_REQUEST,
                    Priority.TRACK_UPDATE, Priority.REID_REQUEST)  # fmt: skip
    assert numbers(waiting.take(3)) == [3, 5, 2]
    assert waiting.lengths() == {"reid_request": 0, "new_track": 0, "track_update": 2, "backfill": 1}
    assert numbers(waiting.take(9)) == [1, 4, 0]
    assert len(waiting) == 0


@pytest.mark.parametrize("trigger", ["reid_request", "new_track", "track_update", "backfill"])
def test_every_trigger_has_a_priority(trigger: str) -> None:
    assert Priority.of(trigger).name == trigger.upper()  # type: ignore[arg-type]


def test_when_a_batch_leaves() -> None:
    assert queue().due_in(5.0) is None
    one = queue(Priority.NEW_TRACK, eager=False, window_ms=50)
    assert one.due_in(0.0) == pytest.approx(0.05)
    assert one.due_in(0.03) == pytest.approx(0.02)
    assert one.due_in(0.06) == 0.0, "the oldest has waited the window"
    assert queue(*[Priority.BACKFILL] * 2, eager=False, batch=2).due_in(0.0) == 0.0, "it is full"
    assert queue(Priority.NEW_TRACK).due_in(0.0) == 0.0, "a worker is idle"


def test_the_window_is_that_of_the_oldest_whatever_its_priority() -> None:
    waiting = queue(Priority.BACKFILL, Priority.REID_REQUEST, eager=False)
    assert waiting.oldest() == 0.0
    waiting.take(1)
    assert waiting.oldest() == 0.0, "the re-ID request left, the backfill is still the oldest"


def test_who_is_shed() -> None:
    waiting = queue(Priority.NEW_TRACK, Priority.TRACK_UPDATE, Priority.TRACK_UPDATE, Priority.BACKFILL)
    for key, number in (("key 0", 2), ("key 1", 1), ("another", 1), (None, 1)):
        victim = waiting.victim(key)
        assert victim is not None
        assert victim.number == number
    assert len(waiting) == 4, "choosing takes nothing out"
    assert queue(Priority.NEW_TRACK, Priority.BACKFILL).victim("key 0") is None, "nothing but updates is shed"


def test_taking_one_out() -> None:
    waiting = queue(*[Priority.NEW_TRACK] * 3, queue=3)
    assert waiting.full
    first = waiting.take(1)[0]
    assert not waiting.full
    assert not waiting.remove(first)
    waiting.add(first)
    assert waiting.remove(first)
    assert numbers(waiting.take(3)) == [1, 2]


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"queue": 0}, {"window_ms": -1.0}, {"when_full": "drop"},
                                   {"preparers": -1}])  # fmt: skip
def test_settings_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        BatchSettings(**wrong)  # type: ignore[arg-type]


@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=5))))
def test_only_what_is_poisoned_fails(case: tuple[int, set[int]]) -> None:
    count, poison = case
    calls = 0

    def work(items: list[int]) -> list[int]:
        nonlocal calls
        calls += 1
        if poison & set(items):
            raise ValueError(f"poison in {items}")
        return [item + 1000 for item in items]

    found = {index: (answer, error) for index, answer, error in isolated(work, list(range(count)))}
    assert sorted(found) == list(range(count))
    for index, (answer, error) in found.items():
        if index in poison:
            assert str(error) == f"poison in [{index}]"
        else:
            assert (answer, error) == (index + 1000, None)
    assert calls <= 1 + 2 * len(poison) * math.ceil(math.log2(count) if count > 1 else 0)


def test_work_that_loses_answers_is_caught() -> None:
    outcomes = list(isolated(lambda items: items[:1], [1, 2]))
    assert [(index, answer, error) for index, answer, error in outcomes] == [(0, 1, None), (1, 2, None)]
    ((_, _, error),) = isolated(lambda items: [], [1])
    assert "0 answers for 1 items" in str(error)


def test_deadlines_come_in_their_order_and_stop() -> None:
    seen: list[str] = []
    both = threading.Event()

    def expired(name: str) -> None:
        seen.append(name)
        if len(seen) == 2:
            both.set()

    deadlines: Deadlines[str] = Deadlines(expired)
    deadlines.add(1e12, "never")
    deadlines.add(0.0002, "second")
    deadlines.add(0.0001, "first")
    assert both.wait(5)
    deadlines.stop()
    assert sorted(seen) == ["first", "second"]


def test_histogram() -> None:
    times = Histogram()
    assert times.mean_ms == 0.0
    for ms in (0.5, 1.0, 1.5, 9_999.0):
        times.add(ms)
    assert (times.count, times.longest_ms, times.mean_ms) == (4, 9_999.0, 2_500.5)
    assert [times.buckets[0], times.buckets[1], times.buckets[-1], sum(times.buckets)] == [2, 1, 1, 4]
    assert len(times.buckets) == len(BOUNDS_MS) + 1
    kept = times.copy()
    times.add(1.0)
    assert (kept.count, sum(kept.buckets)) == (4, 4)
