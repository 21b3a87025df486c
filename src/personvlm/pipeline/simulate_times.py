"""How long a worker takes for a batch: measured here and now, or taken from what `personvlm bench --json` measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from personvlm.base.errors import InputError
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Timing

SIZES = (1, 2, 4, 8, 16)
"""Of batches whose times are measured."""

Make = Callable[[int, int, Callable[[Timing], None]], BatchEngine[Any, Any]]
"""(workers, batch, observer) -> a batch engine."""


@dataclass(frozen=True)
class ServiceTimes:
    """Times of one worker, in seconds.

    Attributes:
        samples: batch size -> times of whole batches, ascending, while one worker of the machine works alone.
        crowded: factor by which it is slower when all workers of its machine are at work.
        crop_s: a further picture of the same event.
        source: where this comes from.
    """

    samples: Mapping[int, tuple[float, ...]]
    crowded: float = 1.0
    crop_s: float = 0.0
    source: str = "given"

    def __post_init__(self) -> None:
        if not self.samples or any(not row for row in self.samples.values()):
            raise InputError("service times need at least one measured batch")

    def draw(self, size: int, extra: int, luck: float) -> float:
        """Time of one batch of ``size`` events with ``extra`` further pictures; ``luck`` in [0, 1): which of the
        measured times."""
        sizes = sorted(self.samples)
        if size <= sizes[0] or len(sizes) == 1:
            whole = self._at(sizes[0], luck) * (size / sizes[0] if size > sizes[0] else 1.0)
        elif size >= sizes[-1]:
            whole = self._at(sizes[-1], luck) * size / sizes[-1]
        else:
            low, high = next((low, high) for low, high in pairwise(sizes) if low <= size <= high)
            share = (size - low) / (high - low)
            whole = (1 - share) * self._at(low, luck) + share * self._at(high, luck)
        return whole + extra * self.crop_s

    def mean(self, size: int, extra: float = 0.0) -> float:
        """Of :meth:`draw`."""
        return float(np.mean([self.draw(size, 0, luck) for luck in np.linspace(0.05, 0.95, 10)])) + extra * self.crop_s

    def slowness(self, busy: int, workers: int) -> float:
        """Factor when ``busy`` of the ``workers`` of a machine are at work."""
        return 1.0 if workers < 2 else 1 + (self.crowded - 1) * (busy - 1) / (workers - 1)

    def _at(self, size: int, luck: float) -> float:
        row = self.samples[size]
        return row[min(len(row) - 1, int(luck * len(row)))]


def from_bench(path: Path) -> ServiceTimes:
    """From the JSON of `personvlm bench`: times by batch size, spread as single descriptions are.

    Raises:
        InputError: the file cannot be read, or is not of `bench`.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw.get("format") != "personvlm.bench":
            raise ValueError("it is not what `personvlm bench --json` prints")
        latency, steps = raw["latency_ms"], raw["stages_ms"]
        points = [0.5 * latency["p50"] + 0.5 * min(latency["p50"], latency["mean"]), latency["p50"], latency["p90"],
                  latency["p99"], latency["max"]]  # fmt: skip
        spread = np.interp(np.linspace(0, 1, 101), [0.0, 0.5, 0.9, 0.99, 1.0], points)
        spread /= spread.mean()
        samples = {int(row["batch"]): tuple(sorted((row["ms_per_batch"] / 1000 * spread).tolist()))
                   for row in raw["batches"]}  # fmt: skip
        vision = (steps["vision"]["p50"] + steps["decode"]["p50"] + steps["resize"]["p50"]) / latency["p50"]
        largest = max(samples)
        crop = vision * float(np.mean(samples[largest])) / largest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no measured times ({error}); make them with `personvlm bench --json`") from None
    return ServiceTimes(samples, 1.0, crop, f"{path} ({raw.get('line', 'unknown machine')})")


def measure(make: Make, items: Sequence[Any], *, workers: int = 1, sizes: Sequence[int] = SIZES,
            seconds: float = 1.0, crop_s: float = 0.0, source: str = "measured here") -> ServiceTimes:  # fmt: skip
    """Keep a batch engine busy, one size of batches after the other: one worker alone, then all of them.

    Args:
        make: see :data:`Make`.
        items: are asked for in turn.
        workers: that share this machine.
        seconds: for each size.
    """
    alone = {size: _busy(make, items, 1, size, seconds) for size in sizes}
    crowded = 1.0
    if workers > 1:
        ratios = [np.median(_busy(make, items, workers, size, seconds)) / np.median(alone[size])
                  for size in (sizes[0], sizes[len(sizes) // 2])]  # fmt: skip
        crowded = max(1.0, float(np.mean(ratios)))
    return ServiceTimes({size: tuple(sorted(row)) for size, row in alone.items()}, crowded, crop_s, source)


def _busy(make: Make, items: Sequence[Any], workers: int, size: int, seconds: float) -> list[float]:
    timings: list[Timing] = []
    with make(workers, size, timings.append) as engine:
        for _ in engine.map([*items[:size], *items[:size]]):  # warm
            pass
        timings.clear()
        for _ in engine.map(_until(items, time.perf_counter() + seconds)):
            pass
    batches = {timing.started: timing.ended - timing.started for timing in timings if timing.batch == size}
    if not batches:
        raise InputError(f"no batch of {size} came about in {seconds:g} s; measure longer")
    return list(batches.values())


def _until(items: Sequence[Any], end: float) -> Any:
    """At least one round, so that something is measured however slow it is."""
    yield from items
    while time.perf_counter() < end:
        yield from items


def measured_here(model: Path | None = None, *, workers: int = 1, sizes: Sequence[int] = SIZES,
                  seconds: float = 1.0) -> ServiceTimes:  # fmt: skip
    """Of the model on this machine: :func:`measure` with rendered people, ``workers`` sharing the cores."""
    from personvlm.runtime.batching_describer import Ask, BatchDescriber
    from personvlm.runtime.batching_queue import BatchSettings
    from personvlm.runtime.bench import jpegs, stages
    from personvlm.runtime.describer import Describer
    from personvlm.runtime.engine import available_cores

    describer = Describer.load(model, threads=max(1, available_cores() // workers))
    pictures = jpegs(None, 24)

    def make(workers: int, batch: int, observe: Callable[[Timing], None]) -> BatchDescriber:
        settings = BatchSettings(batch=batch, queue=4 * batch * workers)
        return BatchDescriber([describer] * workers, settings, observe=observe)

    steps = stages(describer, pictures, 8)
    crop = sum(steps[name]["p50"] for name in ("decode", "resize", "vision")) / 1000
    return measure(make, [Ask(picture) for picture in pictures], workers=workers, sizes=sizes, seconds=seconds,
                   crop_s=crop, source=f"{describer.name}, measured on this machine")  # fmt: skip
