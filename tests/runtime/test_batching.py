"""The batch engine with work that does not work: what leaves when, in which order, and who is told what."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import time
from typing import Any

import pytest
from gate import SOON, Gate, adds_up, busy, wait_for

from personvlm.base.errors import InputError
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import (
    BatchSettings,
    ClosedError,
    Priority,
    QueueFullError,
)

pytestmark = pytest.mark.alone


def test_a_lone_request_leaves_at_once() -> None:
    gate = Gate(open_=True)
    with BatchEngine[str, Any]([gate], BatchSettings(window_ms=60_000)) as engine:
        assert engine.submit("a").result(SOON) == ("did", "a")
    assert gate.batches == [["a"]]


def test_what_comes_while_the_worker_is_busy_leaves_together_the_urgent_first() -> None:
    gate = Gate()
    engine, _ = busy(gate, batch=3)
    order = (Priority.BACKFILL, Priority.TRACK_UPDATE, Priority.NEW_TRACK, Priority.REID_REQUEST)
    asked = [engine.submit(priority.name, priority=priority) for priority in order]
    assert engine.snapshot().queued == {"reid_request": 1, "new_track": 1, "track_update": 1, "backfill": 1}
    assert engine.snapshot().oldest_ms > 0
    gate.open()
    engine.close()
    assert gate.batches == [["first"], ["REID_REQUEST", "NEW_TRACK", "TRACK_UPDATE"], ["BACKFILL"]]
    assert [future.result(0)[1] for future in asked] == [priority.name for priority in order]
    assert engine.snapshot().batch_sizes == {1: 2, 3: 1}
    assert engine.snapshot().mean_batch == pytest.approx(5 / 3)


def test_without_eagerness_a_batch_waits_for_company_but_no_longer_than_the_window() -> None:
    gate = Gate(open_=True)
    with BatchEngine[int, Any]([gate], BatchSettings(batch=2, window_ms=60_000, eager=False)) as engine:
        one = engine.submit(1)
        time.sleep(0.02)
        assert not one.done()
        engine.submit(2).result(SOON)
        assert gate.batches == [[1, 2]], "it was full"
    with BatchEngine[int, Any]([gate], BatchSettings(batch=9, window_ms=20, eager=False)) as engine:
        start = time.perf_counter()
        engine.submit(3).result(SOON)
        assert time.perf_counter() - start >= 0.02
        last = engine.submit(4)
    assert last.result(0) == ("did", 4), "closing waits for no window"


def test_every_idle_worker_takes_a_batch() -> None:
    gates = [Gate(), Gate()]
    with BatchEngine[int, Any](gates, BatchSettings(batch=1)) as engine:
        asked = [engine.submit(number) for number in range(2)]
        for gate in gates:
            gate.wait_until_busy()
        assert engine.snapshot().running == 2
        for gate in gates:
            gate.open()
        assert [future.result(SOON)[1] for future in asked] == [0, 1]


def test_bad_items_fail_alone_in_preparation_and_in_work() -> None:
    def prepare(item: int) -> int:
        if item == 3:
            raise InputError("3: not a picture")
        return 10 * item

    def work(items: list[int]) -> list[int]:
        if 50 in items:
            raise MemoryError("poison")
        return items

    with BatchEngine([work], BatchSettings(batch=8), prepare=prepare) as engine:
        outcomes = list(engine.outcomes(range(8)))
        assert [each for each in outcomes if not isinstance(each, Exception)] == [0, 10, 20, 40, 60, 70]
        assert str(outcomes[3]) == "3: not a picture"
        assert isinstance(outcomes[5], MemoryError)
        with pytest.raises(InputError, match="3: not a picture"):
            list(engine.map(range(8)))
    assert engine.snapshot().ended["failed"] >= 3


def test_map_keeps_the_order_reads_no_further_than_it_must_and_cancels_what_nobody_reads() -> None:
    read = []

    def endless() -> Any:
        for number in itertools.count():
            read.append(number)
            yield number

    def work(items: list[int]) -> list[int]:
        time.sleep(random.Random(sum(items)).random() / 500)  # so that two workers finish out of order
        return [item + 1 for item in items]

    with BatchEngine[int, int]([work, work], BatchSettings(batch=4)) as engine:
        answers = engine.map(endless())
        assert [next(answers) for _ in range(200)] == list(range(1, 201))
        answers.close()  # type: ignore[attr-defined]
        assert len(read) <= 200 + 2 * 2 * 4
    assert adds_up(engine.snapshot())


def test_coroutines_wait_for_room_and_can_be_cancelled() -> None:
    gate = Gate()

    async def scene() -> list[Any]:
        engine, _ = busy(gate, queue=2, batch=1, patience_s=SOON)
        tasks = [asyncio.create_task(engine.submit_async(number)) for number in range(5)]
        await asyncio.sleep(0.02)
        assert sum(engine.snapshot().queued.values()) == 2, "three wait for room without blocking the loop"
        tasks[0].cancel()
        tasks[4].cancel()
        await asyncio.sleep(0.02)
        assert engine.snapshot().ended["cancelled"] == 1, "one was queued, the other had not come in"
        gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        engine.close()
        assert adds_up(engine.snapshot())
        return results

    results = asyncio.run(scene())
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False, False, False, True]
    assert results[1:4] == [("did", 1), ("did", 2), ("did", 3)]


def test_coroutines_are_refused_and_told_of_failures() -> None:
    def work(items: list[int]) -> list[int]:
        raise ValueError("broken")

    async def scene() -> None:
        with BatchEngine[int, int]([work]) as engine, pytest.raises(ValueError, match="broken"):
            await engine.submit_async(1)
        gate = Gate()
        engine, _ = busy(gate, queue=1, when_full="refuse")
        engine.submit(1)
        with pytest.raises(QueueFullError):
            await engine.submit_async(2)
        gate.open()
        engine.close()

    asyncio.run(scene())


def test_preparers_work_ahead() -> None:
    gate, seen = Gate(), []

    def prepare(item: str) -> str:
        seen.append(threading.current_thread().name.split("_")[0])
        if item == "bad":
            raise InputError("bad: not a picture")
        return item.upper()

    engine: BatchEngine[str, Any] = BatchEngine([gate], BatchSettings(preparers=1), prepare=prepare)
    first = engine.submit("first")
    gate.wait_until_busy()
    asked = [engine.submit(name) for name in ("a", "bad", "b")]
    wait_for(lambda: len(seen) == 4)  # while the worker is busy
    gate.open()
    engine.close()
    assert set(seen[1:]) == {"prepare"}
    assert [future.result(0)[1] for future in (first, asked[0], asked[2])] == ["FIRST", "A", "B"]
    with pytest.raises(InputError, match="bad"):
        asked[1].result(0)


def test_an_observer_sees_times_and_cannot_break_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Timing] = []

    def observe(timing: Timing) -> None:
        seen.append(timing)
        raise ZeroDivisionError

    with BatchEngine[int, int]([lambda items: items], observe=observe) as engine:
        assert list(engine.map(range(5))) == list(range(5))
        engine.time_stage("mine", 0.004)
    assert len(seen) == 5
    assert all(timing.submitted <= timing.started <= timing.ended and timing.batch >= 1 for timing in seen)
    assert "observer" in caplog.text
    stages = engine.snapshot().stages
    assert (stages["queue"].count, stages["mine"].total_ms) == (5, 4.0)
    assert stages["batch"].count == sum(engine.snapshot().batch_sizes.values())


def test_no_workers_no_engine() -> None:
    with pytest.raises(InputError, match="at least one worker"):
        BatchEngine([])


def test_a_callback_can_neither_end_a_worker_nor_wait_for_it(caplog: pytest.LogCaptureFixture) -> None:
    go = threading.Event()
    engine = BatchEngine([lambda items: [go.wait(10), *items][1:]], BatchSettings(batch=1))
    first, second, third = (engine.submit(number) for number in range(3))
    first.add_done_callback(lambda _: sys.exit())
    second.add_done_callback(lambda _: engine.close())
    go.set()
    assert [each.result(10) for each in (first, second, third)] == [0, 1, 2], "closing answers what waits"
    assert "wanted to end the thread" in caplog.text
    with pytest.raises(ClosedError):
        engine.submit(3)
    engine.close()


def test_an_endless_window_waits_for_a_full_batch() -> None:
    with BatchEngine([lambda items: items], BatchSettings(batch=2, eager=False, window_ms=float("inf"))) as engine:
        first = engine.submit(1)
        with pytest.raises(TimeoutError):
            first.result(0.1)
        assert [engine.submit(2).result(10), first.result(10)] == [2, 1]
