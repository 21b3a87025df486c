"""The simulation against the model itself, under load: p50 and p99 within a quarter. Run with ``-s`` to see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from personvlm.pipeline.simulate import Pool, simulate
from personvlm.pipeline.simulate_load import Arrivals
from personvlm.pipeline.simulate_times import ServiceTimes, measure
from personvlm.runtime.batching_describer import Ask, BatchDescriber
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.bench import jpegs
from personvlm.runtime.bench_load import offer, quantiles
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.engine import available_cores

pytestmark = [pytest.mark.accept,
              pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")]  # fmt: skip


@pytest.mark.parametrize("load", [0.5, 0.75])
def test_the_prediction_for_the_model_is_within_a_quarter(load: float) -> None:
    """Service times are measured before and after the run, so that a machine whose speed drifts counts with both."""
    workers, batch, seconds = available_cores(), 8, 60.0
    describer = Describer.load(threads=1)
    asks = [Ask(picture) for picture in jpegs(None, 64)]

    def make(workers: int, batch: int, observe: Callable[[Timing], None]) -> BatchDescriber:
        return BatchDescriber([describer] * workers, BatchSettings(batch=batch, queue=2000), observe=observe)

    def times() -> ServiceTimes:
        return measure(make, asks, workers=workers, sizes=(1, 2, 4, 8), seconds=2.0)

    before = times()
    rate = load * workers * batch / (before.mean(batch) * before.crowded)
    timings: list[Timing] = []

    def watched(observe: Callable[[Timing], None]) -> BatchDescriber:
        return make(workers, batch, lambda timing: (timings.append(timing), observe(timing))[1])

    real = offer(watched, asks, Arrivals.poisson(rate, seconds, seed=7).time.tolist())
    after = times()
    both = ServiceTimes({size: tuple(sorted((*before.samples[size], *after.samples[size]))) for size in before.samples},
                        (before.crowded + after.crowded) / 2)  # fmt: skip
    # As they were really submitted: a sender that was late has nothing to do with the engine.
    submitted = np.sort([timing.submitted for timing in timings])
    answered = quantiles([1000 * (timing.ended - timing.submitted) for timing in timings])
    pool = Pool(workers=workers, batch=batch, per_machine=workers, coalesce=False)
    told: dict[str, Any] = simulate(Arrivals.of_times(submitted - submitted[0]), pool, both).latency_ms["all"]
    drift = after.mean(1) / before.mean(1)
    print(f"\n{workers} workers, load {load}: {rate:.0f}/s; real {answered}, predicted {told}; drift {drift:.2f}")
    assert real.failed == real.not_answered == 0
    for quantile in ("p50", "p99"):
        assert told[quantile] == pytest.approx(answered[quantile], rel=0.25)
