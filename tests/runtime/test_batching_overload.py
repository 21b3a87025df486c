"""The batch engine when there is too much, too late or no more: every request ends, once, and is counted."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
from gate import SOON, Gate, adds_up, busy, wait_for

from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import (
    BatchSettings,
    ClosedError,
    NotAnsweredError,
    Priority,
    QueueFullError,
    RequestTimeoutError,
    ShedError,
)


def test_full_and_refused() -> None:
    gate = Gate()
    engine, _ = busy(gate, queue=2, when_full="refuse")
    kept = [engine.submit(number) for number in range(2)]
    with pytest.raises(QueueFullError, match="2 requests wait already"):
        engine.submit("one too many")
    gate.open()
    engine.close()
    assert [future.result(0)[1] for future in kept] == [0, 1]
    assert engine.snapshot().ended["refused"] == 1
    assert adds_up(engine.snapshot())


def test_full_and_blocked_until_there_is_room_or_patience_ends() -> None:
    gate = Gate()
    engine, _ = busy(gate, queue=1, batch=1, patience_s=0.03)
    engine.submit("waits")
    with pytest.raises(QueueFullError):
        engine.submit("gives up")
    gate.open()
    engine.close()
    gate = Gate()
    engine, _ = busy(gate, queue=1, batch=1, patience_s=SOON)
    engine.submit("waits")
    blocked: list[Future[Any]] = []
    thread = threading.Thread(target=lambda: blocked.append(engine.submit("blocked")))
    thread.start()
    time.sleep(0.02)
    assert thread.is_alive()
    gate.open()
    thread.join(SOON)
    assert blocked[0].result(SOON) == ("did", "blocked")
    engine.close()


def test_full_and_updates_shed() -> None:
    gate = Gate()
    engine, _ = busy(gate, queue=3, when_full="shed", patience_s=0.0)
    update = [engine.submit(name, priority=Priority.TRACK_UPDATE, key=name[:1]) for name in ("a1", "b1")]
    track = engine.submit("c", priority=Priority.NEW_TRACK)
    newer = engine.submit("b2", priority=Priority.TRACK_UPDATE, key="b")
    with pytest.raises(ShedError):
        update[1].result(0)
    assert not update[0].done(), "a newer update replaces the one of its own track"
    reid = engine.submit("d", priority=Priority.REID_REQUEST)
    with pytest.raises(ShedError):
        update[0].result(0)
    other = engine.submit("e", priority=Priority.NEW_TRACK)
    with pytest.raises(ShedError):
        newer.result(0)
    with pytest.raises(ShedError, match="before an update"):
        engine.submit("a2", priority=Priority.TRACK_UPDATE, key="a")
    with pytest.raises(QueueFullError):
        engine.submit("f", priority=Priority.NEW_TRACK)
    with pytest.raises(QueueFullError):
        engine.submit("g", priority=Priority.BACKFILL)
    gate.open()
    engine.close()
    assert [future.result(0)[1] for future in (track, reid, other)] == ["c", "d", "e"]
    assert gate.batches[1] == ["d", "c", "e"]
    ended = engine.snapshot().ended
    assert (ended["shed"], ended["refused"], ended["answered"]) == (4, 2, 4)
    assert adds_up(engine.snapshot())


def test_no_update_is_shed_for_a_backfill() -> None:
    gate = Gate()
    engine, _ = busy(gate, queue=1, when_full="shed", patience_s=0.0)
    update = engine.submit("update", priority=Priority.TRACK_UPDATE)
    with pytest.raises(QueueFullError):
        engine.submit("backfill", priority=Priority.BACKFILL)
    gate.open()
    engine.close()
    assert update.result(0) == ("did", "update")


def test_cancelled_requests_leave_the_queue_and_make_room() -> None:
    gate = Gate()
    engine, first = busy(gate, queue=1, when_full="refuse")
    assert engine.submit("unwanted").cancel()
    kept = engine.submit("kept")
    assert not first.cancel(), "it runs already"
    gate.open()
    engine.close()
    assert first.result(0) == ("did", "first")
    assert kept.result(0) == ("did", "kept")
    assert gate.batches == [["first"], ["kept"]]
    assert engine.snapshot().ended["cancelled"] == 1
    assert adds_up(engine.snapshot())


def test_timeouts_of_what_waits_and_of_what_runs() -> None:
    gate = Gate()
    engine: BatchEngine[str, Any] = BatchEngine([gate], BatchSettings(timeout_s=0.03))
    runs = engine.submit("runs")
    gate.wait_until_busy()
    waits, patient = engine.submit("waits", timeout_s=0.01), engine.submit("patient", timeout_s=SOON)
    for future in (waits, runs):
        with pytest.raises(RequestTimeoutError, match="no answer after"):
            future.result(SOON)
    gate.open()
    engine.close()
    assert patient.result(0) == ("did", "patient")
    assert gate.batches == [["runs"], ["patient"]]
    snapshot = engine.snapshot()
    assert (snapshot.ended["timed_out"], snapshot.ended["answered"], snapshot.late) == (2, 1, 1)
    assert adds_up(snapshot)


def test_closing_drains_or_abandons_but_never_forgets() -> None:
    gate = Gate()
    engine, first = busy(gate, batch=2)
    waiting = [engine.submit(number) for number in range(5)]
    closing = threading.Thread(target=engine.close)
    closing.start()
    wait_for(lambda: engine._closed)
    with pytest.raises(ClosedError):
        engine.submit("too late")
    gate.open()
    closing.join(SOON)
    assert [future.result(0)[1] for future in (first, *waiting)] == ["first", 0, 1, 2, 3, 4]

    gate = Gate()
    engine, first = busy(gate)
    waiting = [engine.submit(number) for number in range(5)]
    closing = threading.Thread(target=engine.close, kwargs={"drain": False})
    closing.start()
    for future in waiting:
        with pytest.raises(ClosedError):
            future.result(SOON)
    assert not first.done(), "what runs is finished"
    gate.open()
    closing.join(SOON)
    assert first.result(0) == ("did", "first")
    assert engine.snapshot().ended["abandoned"] == 5
    assert adds_up(engine.snapshot())
    engine.close()


def test_closing_in_time_even_if_the_work_hangs() -> None:
    gate = Gate()
    engine, first = busy(gate)
    waiting = engine.submit("waits")
    engine.close(timeout_s=0.02)
    for future in (first, waiting):
        with pytest.raises(ClosedError):
            future.result(0)
    gate.open()
    wait_for(lambda: engine.snapshot().late == 1)
    assert adds_up(engine.snapshot())


def test_blocked_callers_hear_of_the_closing() -> None:
    gate = Gate()
    engine, _ = busy(gate, queue=1)
    engine.submit("waits")
    heard: list[Exception] = []

    def caller() -> None:
        try:
            engine.submit("blocked")
        except NotAnsweredError as error:
            heard.append(error)

    thread = threading.Thread(target=caller)
    thread.start()
    time.sleep(0.01)
    closing = threading.Thread(target=engine.close)
    closing.start()
    thread.join(SOON)
    gate.open()
    closing.join(SOON)
    assert isinstance(heard[0], ClosedError)


def test_an_error_inside_the_with_block_abandons() -> None:
    gate = Gate()
    asked: list[Future[Any]] = []

    def fail() -> None:
        with BatchEngine[str, Any]([gate]) as engine:
            asked.append(engine.submit("runs"))
            gate.wait_until_busy()
            asked.append(engine.submit("waits"))
            gate.open()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert asked[0].result(0) == ("did", "runs")
    assert asked[1].done(), "answered before the error came, or abandoned"


def test_a_program_that_forgets_to_close_still_ends() -> None:
    code = """
import atexit, time
from personvlm.runtime.batching import BatchEngine
futures = []
atexit.register(lambda: print(sum(future.done() for future in futures)))
engine = BatchEngine([lambda items: [time.sleep(0.05) or item for item in items]])
futures += [engine.submit(number) for number in range(100)]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "100\n", "")


def test_nothing_is_lost_under_fire() -> None:
    """Four callers, two workers, poison, cancels, timeouts and a queue that overflows: every future ends, once."""
    asked: list[Future[int]] = []
    raised = []

    def work(items: list[int]) -> list[int]:
        time.sleep(0.0005)
        if any(item % 37 == 0 for item in items):
            raise ValueError("poison")
        return [-item for item in items]

    engine = BatchEngine[int, int]([work, work], BatchSettings(batch=8, queue=16, when_full="shed", patience_s=0.001))

    def caller(seed: int) -> None:
        rng = random.Random(seed)
        for number in range(1 + seed, 1_200, 4):
            try:
                future = engine.submit(number, priority=rng.choice(list(Priority)), key=rng.randrange(3),
                                       timeout_s=rng.choice([None, 0.002, 5.0]))  # fmt: skip
            except NotAnsweredError as error:
                raised.append(error)
                continue
            asked.append(future)
            if rng.random() < 0.1:
                future.cancel()

    threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    engine.close(timeout_s=SOON)
    snapshot = engine.snapshot()
    assert len(asked) + len(raised) == snapshot.submitted == sum(snapshot.ended.values()) == 1_199
    assert all(future.done() for future in asked)
    answered = [future.result() for future in asked if not future.cancelled() and future.exception() is None]
    assert len(answered) == len(set(answered)) == snapshot.ended["answered"] > 0
    assert all(answer < 0 and answer % 37 for answer in answered)
    with pytest.raises(CancelledError):
        next(future for future in asked if future.cancelled()).result()


def test_of_ten_thousand_requests_with_one_percent_of_poison_exactly_the_poison_fails() -> None:
    """Issue 5, acceptance 4, for the engine alone; with a model in test_batching_promises."""
    poison = set(random.Random(9).sample(range(10_000), 100))

    def work(items: list[int]) -> list[int]:
        bad = poison & set(items)
        if bad:
            raise ValueError(f"item {min(bad)} is poison")
        return [item * item for item in items]

    with BatchEngine[int, int]([work, work], BatchSettings(batch=16)) as engine:
        outcomes = list(engine.outcomes(range(10_000)))
        snapshot = engine.snapshot()
    for item, outcome in enumerate(outcomes):
        if item in poison:
            assert str(outcome) == f"item {item} is poison"
        else:
            assert outcome == item * item
    assert (snapshot.ended["answered"], snapshot.ended["failed"], snapshot.submitted) == (9_900, 100, 10_000)
