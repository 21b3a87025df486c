"""Offered load is what it says it is, late senders hide nothing, and a limit is found by trying."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.bench_load import arrivals, largest, offer, quantiles, saturate

pytestmark = pytest.mark.alone

Observe = Callable[[Timing], None]


def sleeping(seconds: float = 0.02, each: float = 0.002, poison: int | None = None, **settings: Any) -> Any:
    """Makes engines whose work costs ``seconds`` a batch and ``each`` an item, of time but not of the processor."""

    def work(items: list[int]) -> list[int]:
        if poison in items:
            raise ValueError("poison")
        time.sleep(seconds + each * len(items))
        return items

    return lambda observe: BatchEngine[int, int]([work], BatchSettings(**settings), observe=observe)


def test_arrivals_are_poisson() -> None:
    times = np.array(arrivals(200.0, 50.0, seed=4))
    assert len(times) == 10_000
    gaps = np.diff(times)
    assert (gaps > 0).all()
    assert gaps.mean() == pytest.approx(1 / 200, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 200, rel=0.05), "exponential gaps: deviation and mean are equal"
    assert arrivals(200.0, 50.0, seed=4) == times.tolist()
    assert arrivals(200.0, 50.0, seed=5) != times.tolist()


def test_quantiles_are_values_that_occurred() -> None:
    assert quantiles([]) == {}
    assert quantiles(range(1, 101)) == {"p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0}
    assert quantiles([3.0]) == {"p50": 3.0, "p90": 3.0, "p99": 3.0, "max": 3.0}


@given(st.integers(0, 50_000), st.integers(1, 5_000))
def test_the_limit_is_found(limit: int, guess: int) -> None:
    asked = []

    def fits(number: int) -> bool:
        asked.append(number)
        return number <= limit

    assert largest(fits, guess, fraction=0.0) == limit
    asked.clear()
    assert 0.975 * limit - 1 <= largest(fits, guess) <= limit
    assert len(asked) < 40


def test_the_limit_may_lie_beyond_what_is_tried() -> None:
    assert largest(lambda number: True, 3, most=100) in (99, 100)


def test_a_lone_request_waits_less_than_two_milliseconds() -> None:
    load = offer(sleeping(0.001, 0.0), range(10), [0.03 * count for count in range(1, 21)])
    assert load.answered == 20
    assert load.wait_ms["p50"] < 2.0
    assert load.mean_batch < 1.2


def test_at_80_percent_of_capacity_the_wait_is_bounded() -> None:
    """Issue 5, acceptance 4, with work that sleeps; the real thing is in tests/accept."""
    make = sleeping(batch=16, queue=1_000, when_full="refuse")
    capacity = saturate(make, range(16), 1.0)
    assert capacity["per_s"] == pytest.approx(16 / 0.052, rel=0.25)
    assert capacity["batch_ms"] == pytest.approx(52, rel=0.25)
    load = offer(make, range(16), arrivals(0.8 * capacity["per_s"], 3.0, seed=1))
    assert load.answered == load.sent
    assert load.per_s == pytest.approx(load.offered, rel=0.1)
    assert load.wait_ms["p99"] <= 50 + capacity["batch_ms"]
    assert 2 < load.mean_batch <= 16


def test_overload_shows_and_is_given_up() -> None:
    make = sleeping(batch=4, queue=10_000)  # 4 / 0.028 = 143 a second
    load = offer(make, range(4), arrivals(1_000.0, 5.0, seed=2), give_up_s=0.1)
    assert load.gave_up
    assert load.seconds < 3
    assert load.sent == load.answered + load.failed + load.not_answered
    assert load.not_answered > 0
    assert load.total_ms["p99"] > load.total_ms["p50"]


def test_refused_and_failed_requests_are_counted() -> None:
    load = offer(sleeping(batch=2, queue=2, when_full="refuse", poison=3), range(4), arrivals(500.0, 0.5, seed=3))
    assert load.sent == 250
    assert load.failed > 0
    assert load.not_answered > 0
    assert load.answered + load.failed + load.not_answered == 250


def test_time_counts_from_when_a_request_was_due() -> None:
    def slow_to_finish(_: int) -> None:
        time.sleep(0.01)

    load = offer(sleeping(0.0, 0.0), range(3), [0.0001] * 20, finish=slow_to_finish)
    assert load.total_ms["max"] >= 200, "the last of 20 that were due at once"
    assert load.total_ms["p50"] >= 90
