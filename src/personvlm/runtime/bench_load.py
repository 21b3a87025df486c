"""Load on a batch engine: open loop (arrivals do not wait for answers) and saturation; and the search for a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import NotAnsweredError

Make = Callable[[Callable[[Timing], None]], BatchEngine[Any, Any]]
"""A fresh batch engine that reports to an observer."""


@dataclass(frozen=True)
class Load:
    """What became of an offered load. Times in milliseconds; quantiles are keyed ``p50``, ``p90``, ``p99``, ``max``.

    Attributes:
        offered: arrivals per second that were scheduled.
        seconds: from the first arrival to the last answer.
        sent, answered, failed, not_answered: requests; the last are those refused, shed, or late.
        per_s: answers per second.
        wait_ms: from submitting to leaving the queue.
        total_ms: from the scheduled arrival to the answer, so that a sender who is late hides nothing.
        lag_ms: how late requests were sent: large values say that the sender could not keep up.
        mean_batch: requests per batch.
        gave_up: sending stopped early, because what was unanswered grew past ``give_up_s`` of arrivals.
    """

    offered: float
    seconds: float
    sent: int
    answered: int
    failed: int
    not_answered: int
    per_s: float
    wait_ms: dict[str, float]
    total_ms: dict[str, float]
    lag_ms: dict[str, float]
    mean_batch: float
    gave_up: bool

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)


def quantiles(values: ArrayLike) -> dict[str, float]:
    """``p50``, ``p90``, ``p99`` and ``max``, by the nearest value that is not below; nothing for no values."""
    array = np.asarray(values, np.float64)
    if array.size == 0:
        return {}
    cuts = np.quantile(array, [0.5, 0.9, 0.99, 1.0], method="higher")
    return {name: round(float(cut), 3) for name, cut in zip(("p50", "p90", "p99", "max"), cuts, strict=True)}


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Poisson arrivals: seconds from the start, exponential gaps of mean ``1 / rate``."""
    rng = np.random.default_rng(seed)
    times: list[float] = np.cumsum(rng.exponential(1 / rate, max(1, round(rate * seconds)))).tolist()
    return times


def offer(make: Make, items: Sequence[Any], times: Sequence[float], *, finish: Callable[[Any], object] = lambda _: None,
          give_up_s: float | None = None) -> Load:  # fmt: skip
    """Send one request at each of ``times`` (seconds from now, ascending), cycling through ``items``.

    Args:
        finish: done with each answer before it counts as given, for example turning it into JSON.
        give_up_s: stop sending once more is unanswered than arrives in this time (and 100 requests).
    """
    timings: list[Timing] = []
    totals: list[float] = []
    lags: list[float] = []
    failures: list[BaseException] = []
    ended = 0

    def answered(scheduled: float, future: Future[Any]) -> None:
        nonlocal ended
        error = future.exception()
        if error is None:
            finish(future.result())
            totals.append(1000 * (time.perf_counter() - scheduled))
        else:
            failures.append(error)
        ended += 1

    rate = len(times) / times[-1]
    most = None if give_up_s is None else 100 + give_up_s * rate
    sent, gave_up = 0, False
    engine = make(timings.append)
    with engine:
        start = time.perf_counter() + 0.01
        for at in times:
            scheduled = start + at
            while (left := scheduled - time.perf_counter()) > 0:
                time.sleep(left)
            lags.append(1000 * (time.perf_counter() - scheduled))
            sent += 1
            try:
                future = engine.submit(items[sent % len(items)])
            except NotAnsweredError as error:
                failures.append(error)
                ended += 1
            else:
                future.add_done_callback(partial(answered, scheduled))
            if most is not None and sent - ended > most:
                gave_up = True
                engine.close(drain=False)
                break
    seconds = time.perf_counter() - start
    lost = sum(isinstance(error, NotAnsweredError) for error in failures)
    return Load(
        offered=round(rate, 3), seconds=round(seconds, 3), sent=sent, answered=len(totals),
        failed=len(failures) - lost, not_answered=lost, per_s=round(len(totals) / seconds, 3),
        wait_ms=quantiles([1000 * (each.started - each.submitted) for each in timings]), total_ms=quantiles(totals),
        lag_ms=quantiles(lags), mean_batch=round(engine.snapshot().mean_batch, 2), gave_up=gave_up,
    )  # fmt: skip


def saturate(make: Make, items: Sequence[Any], seconds: float, *,
             finish: Callable[[Any], object] = lambda _: None) -> dict[str, float]:  # fmt: skip
    """Capacity: as many requests under way as there is room for. ``per_s``, and ``batch_ms`` of a mean batch."""
    with make(lambda _: None) as engine:
        for answer in engine.map(items[: engine.settings.batch]):  # warm
            finish(answer)
        before = engine.snapshot().stages["batch"]
        start, count = time.perf_counter(), 0
        for answer in engine.map(_until(items, start + seconds)):
            finish(answer)
            count += 1
        seconds = time.perf_counter() - start
        after = engine.snapshot().stages["batch"]
    batches = after.count - before.count
    return {"per_s": round(count / seconds, 3), "batch_ms": round((after.total_ms - before.total_ms) / batches, 3),
            "mean_batch": round(count / batches, 2)}  # fmt: skip


def _until(items: Sequence[Any], end: float) -> Any:
    while time.perf_counter() < end:
        yield from items


def largest(fits: Callable[[int], bool], guess: int, *, fraction: float = 0.02, most: int = 1_000_000) -> int:
    """The largest number that fits, within ``fraction`` of it; 0 if not even 1 fits.

    Doubles or halves from ``guess`` until the answer lies between two numbers, then halves the distance.

    Args:
        fits: True up to some number, False above it, up to noise.

    Example:
        >>> largest(lambda n: n <= 137, 16, fraction=0.0)
        137
    """
    low, high = 0, most + 1
    guess = min(max(1, guess), most)
    while high - low > max(1, fraction * low):
        if fits(guess):
            low = guess
        else:
            high = guess
        if high == most + 1:
            guess = min(2 * low, most)
        elif low == 0:
            guess = high // 2 or 1
        else:
            guess = (low + high) // 2
        if guess in (low, high):
            break
    return low
