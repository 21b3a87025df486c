"""A pipeline on paper: discrete events from cameras to descriptions, with service times that were measured.

People arrive at cameras at random; everybody is an event when they appear, at times while they stay, and when they
leave. Events wait in a queue with the rules of :mod:`personvlm.events.port` (re-ID before new before updates, updates
superseded by newer ones of the same person, the oldest update shed where the queue is full) and leave in batches by the
rules of :class:`personvlm.runtime.batching.BatchEngine`. What is not simulated: the network, and failures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from personvlm.base.errors import InputError, extra
from personvlm.pipeline.simulate_load import Arrivals
from personvlm.pipeline.simulate_times import ServiceTimes
from personvlm.runtime.batching_queue import BatchSettings, Priority, Request, RequestQueue
from personvlm.runtime.bench_load import quantiles

_SLICES = 6


@dataclass(frozen=True)
class Pool:
    """Who does the work.

    Attributes:
        workers: batch engines with one worker, or workers of one engine.
        batch, window_ms, eager: see :class:`BatchSettings`.
        depth: most events that wait.
        coalesce: a newer update replaces one of the same person that waits, also where there is room.
        per_machine: workers that share the cores of a machine, see :class:`ServiceTimes`.
        overhead_ms: claiming, storing and acknowledging, per batch.
    """

    workers: int = 1
    batch: int = 16
    window_ms: float = 50.0
    eager: bool = True
    depth: int = 100_000
    coalesce: bool = True
    per_machine: int = 1
    overhead_ms: float = 0.0

    def __post_init__(self) -> None:
        if min(self.workers, self.batch, self.depth, self.per_machine) < 1 or self.overhead_ms < 0:
            raise InputError(f"{self}: workers, batch, depth and workers per machine must be at least 1")


@dataclass
class Outcome:
    """What a simulation gave. Times in milliseconds, quantiles as in :class:`personvlm.runtime.bench_load.Load`.

    Attributes:
        seconds: of arrivals that count; what came while the pipeline filled does not.
        arrived, described, superseded, shed: events; what is left waited at the end.
        latency_ms: from an event to its words, by trigger and of ``all``.
        wait_ms: of all, from the event to its batch.
        queue_age_ms: of the oldest event that waits, looked at every second.
        depth: of the queue, at the most.
        utilization: share of the workers' time that is spent working.
        mean_batch: events per batch.
        growing: more waited at the end than the workers do in five seconds: this load is not carried.
    """

    seconds: float
    arrived: int = 0
    described: int = 0
    superseded: int = 0
    shed: int = 0
    latency_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    wait_ms: dict[str, float] = field(default_factory=dict)
    queue_age_ms: dict[str, float] = field(default_factory=dict)
    depth: int = 0
    utilization: float = 0.0
    mean_batch: float = 0.0
    growing: bool = False

    def record(self) -> dict[str, Any]:
        """Fit for JSON, with rates."""
        arrived = max(1, self.arrived)
        left = self.arrived - self.described - self.superseded - self.shed
        rates = {"left": left, "per_s": round(self.described / max(self.seconds, 1e-9), 3),
                 "shed_rate": round(self.shed / arrived, 6),
                 "superseded_rate": round(self.superseded / arrived, 6)}  # fmt: skip
        return {**self.__dict__, **rates}


def simulate(arrivals: Arrivals, pool: Pool, times: ServiceTimes, *, warm_up: float = 0.0, seed: int = 0) -> Outcome:
    """Run ``arrivals`` through ``pool``.

    Args:
        warm_up: seconds at the beginning whose events do not count.

    Raises:
        InputError: no events, or simpy is missing.
    """
    if not (arrivals.time >= warm_up).any():
        raise InputError("nobody comes: more cameras, more people or more time are needed")
    with extra("`personvlm simulate`", "service"):
        import simpy
    return _Simulation(simpy.Environment(), arrivals, pool, times, warm_up, seed).run()


class _Simulation:
    def __init__(self, env: Any, arrivals: Arrivals, pool: Pool, times: ServiceTimes, warm_up: float,
                 seed: int) -> None:  # fmt: skip
        self._env, self._arrivals, self._pool, self._times, self._warm_up = env, arrivals, pool, times, warm_up
        self._rng = np.random.default_rng([seed, 11])
        self._queue: RequestQueue[int, None] = RequestQueue(
            BatchSettings(batch=pool.batch, window_ms=pool.window_ms, eager=pool.eager, queue=pool.depth))  # fmt: skip
        self._sheddable: dict[int, Request[int, None]] = {}  # waiting updates that are not the last, by person
        self._outside: deque[Request[int, None]] = deque()  # a full queue lets their senders wait
        self._idle: deque[Any] = deque()
        self._busy = [0] * -(-pool.workers // pool.per_machine)
        self._worked = self._used = 0.0
        self._batches = self._in_batches = 0
        self._done: list[tuple[int, float, float]] = []  # event, wait, latency
        self._ages: list[float] = []
        self._end = float(arrivals.time[-1])
        self.outcome = Outcome(round(self._end - warm_up, 3))

    def run(self) -> Outcome:
        self._env.process(self._arrive())
        self._env.process(self._watch())
        for worker in range(self._pool.workers):
            self._env.process(self._work(worker // self._pool.per_machine))
        self._env.run(until=self._end + 1e-9)
        waiting = len(self._queue) + len(self._outside)
        rate = self._in_batches / max(1e-9, self._worked) * self._pool.workers
        self._used = self._worked
        # What came in time gets its answer: otherwise the slowest would not count.
        self._env.run(until=self._end + min(120.0, 10.0 + 2 * waiting / max(rate, 1e-9)))
        return self._summary(waiting > max(5 * rate, 2 * self._pool.batch * self._pool.workers))

    def _summary(self, growing: bool) -> Outcome:
        outcome, arrivals = self.outcome, self._arrivals
        counted = arrivals.time >= self._warm_up
        outcome.arrived = int(counted.sum())
        done = [item for item in self._done if counted[item[0]]]
        outcome.described = len(done)
        latencies = np.array([item[2] for item in done])
        kinds = arrivals.priority[[item[0] for item in done]] if done else np.zeros(0)
        for priority in Priority:
            if (kinds == priority).any():
                outcome.latency_ms[priority.name.lower()] = quantiles(1000 * latencies[kinds == priority])
        outcome.latency_ms["all"] = quantiles(1000 * latencies)
        outcome.wait_ms = quantiles([1000 * item[1] for item in done])
        outcome.queue_age_ms = quantiles([1000 * age for age in self._ages])
        outcome.utilization = round(min(1.0, self._used / self._pool.workers / max(self._end, 1e-9)), 4)
        outcome.mean_batch = round(self._in_batches / max(1, self._batches), 3)
        outcome.growing = growing
        return outcome

    def _arrive(self) -> Generator[Any, None, None]:
        columns = (self._arrivals.time, self._arrivals.priority, self._arrivals.key, self._arrivals.final)
        for index, (time, priority, key, final) in enumerate(zip(*(each.tolist() for each in columns), strict=True)):
            if time > self._env.now:
                yield self._env.timeout(time - self._env.now)
            self._put(Request(index, Priority(priority), key, index, time), final)

    def _put(self, request: Request[int, None], final: bool) -> None:
        update = request.priority == Priority.TRACK_UPDATE
        older = self._sheddable.get(int(request.key)) if update and self._pool.coalesce else None  # type: ignore[call-overload]
        if older is not None:
            self._drop(older, "superseded")
        if self._queue.full:
            victim = next(iter(self._sheddable.values()), None)
            if victim is not None:
                self._drop(victim, "shed")
            elif update and not final:
                self._count(request, "shed")
                return
            else:
                self._outside.append(request)
                return
        self._queue.add(request)
        if update and not final:
            self._sheddable[int(request.key)] = request  # type: ignore[call-overload]
        self.outcome.depth = max(self.outcome.depth, len(self._queue))
        self._wake()

    def _drop(self, request: Request[int, None], why: str) -> None:
        self._queue.remove(request)
        self._sheddable.pop(int(request.key), None)  # type: ignore[call-overload]
        self._count(request, why)

    def _count(self, request: Request[int, None], why: str) -> None:
        if request.submitted >= self._warm_up:
            setattr(self.outcome, why, getattr(self.outcome, why) + 1)

    def _wake(self) -> None:
        if self._idle:
            self._idle.popleft().succeed()

    def _work(self, machine: int) -> Generator[Any, None, None]:
        env = self._env
        while True:
            due = self._queue.due_in(env.now)
            if due is None or due > 1e-9:
                sleeper = env.event()
                self._idle.append(sleeper)
                yield sleeper if due is None else env.any_of([sleeper, env.timeout(due)])
                if sleeper in self._idle:  # its time has come by itself
                    self._idle.remove(sleeper)
                continue
            batch = self._queue.take(self._pool.batch)
            for request in batch:
                if self._sheddable.get(int(request.key)) is request:  # type: ignore[call-overload]
                    del self._sheddable[int(request.key)]  # type: ignore[call-overload]
            while self._outside and not self._queue.full:
                self._queue.add(self._outside.popleft())
            if len(self._queue):
                self._wake()
            started = env.now
            self._busy[machine] += 1
            extra = int(self._arrivals.crops[[request.item for request in batch]].sum()) - len(batch)
            whole = self._times.draw(len(batch), extra, self._rng.random())
            for _ in range(_SLICES):  # who else is at work may change on the way
                yield env.timeout(whole / _SLICES * self._times.slowness(self._busy[machine], self._pool.per_machine))
            if self._pool.overhead_ms:
                yield env.timeout(self._pool.overhead_ms / 1000)
            self._busy[machine] -= 1
            self._worked += env.now - started
            self._batches, self._in_batches = self._batches + 1, self._in_batches + len(batch)
            self._done += [(request.item, started - request.submitted, env.now - request.submitted)
                           for request in batch]  # fmt: skip

    def _watch(self) -> Generator[Any, None, None]:
        while self._env.now < self._end:
            yield self._env.timeout(1.0)
            if self._env.now >= self._warm_up:
                oldest = self._queue.oldest()
                self._ages.append(0.0 if oldest is None else self._env.now - oldest)


def workers_needed(arrivals: Arrivals, pool: Pool, times: ServiceTimes, *, p99_ms: float, trigger: str = "new_track",
                   shed: float = 0.001, warm_up: float = 0.0,
                   most: int = 4096) -> tuple[int, list[dict[str, Any]]]:  # fmt: skip
    """The smallest number of workers that keeps ``p99_ms`` of ``trigger``, with at most ``shed`` of all events shed and
    no queue that grows; and what was tried.

    Raises:
        InputError: not even ``most`` workers do, which means that a single batch takes longer.
    """
    rows: list[dict[str, Any]] = []

    def fits(workers: int) -> bool:
        found = simulate(arrivals, replace(pool, workers=workers), times, warm_up=warm_up)
        p99 = found.latency_ms.get(trigger, found.latency_ms["all"]).get("p99", float("inf"))
        good = p99 <= p99_ms and found.shed <= shed * found.arrived and not found.growing
        rows.append({"workers": workers, "p99_ms": p99, "shed": found.shed, "utilization": found.utilization,
                     "fits": good})  # fmt: skip
        return good

    mean = times.mean(pool.batch, float(arrivals.crops.mean() - 1) * pool.batch) / pool.batch
    low, high = 0, max(1, int(len(arrivals.time) / float(arrivals.time[-1]) * mean))
    while not fits(high):
        low, high = high, 2 * high
        if high > most:
            raise InputError(f"not even {low} workers keep p99 of {trigger} within {p99_ms:g} ms; allow more time")
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return high, rows
