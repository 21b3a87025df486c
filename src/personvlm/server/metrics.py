"""Prometheus metrics of one server: its requests, and its batch engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from personvlm.events.port import Queue, QueueDownError
from personvlm.events.worker_http import _queue
from personvlm.runtime.batching_metrics import BOUNDS_MS, Snapshot

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Metrics with a registry of their own, so that a process may hold several servers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("personvlm_http_requests", "Requests by route and status", ("route", "status"),
                                 registry=self.registry)  # fmt: skip
        self._seconds = Histogram("personvlm_http_request_seconds", "From the first byte to the end of the answer",
                                  ("route",), registry=self.registry, buckets=_BUCKETS)  # fmt: skip

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one; ``route`` is a template, so that there are few."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, snapshot: Callable[[], Snapshot]) -> None:
        """Report a batch engine too."""
        self.registry.register(_EngineCollector(snapshot))

    def watch_queue(self, queue: Queue) -> None:
        """Report a queue of events too; while it is away, nothing of it."""
        self.registry.register(_QueueCollector(queue))

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _QueueCollector(Collector):
    def __init__(self, queue: Queue) -> None:
        self._state = queue

    def collect(self) -> Iterator[Metric]:
        try:
            stats = self._state.stats()
        except QueueDownError:
            return
        yield from _queue(stats)


class _EngineCollector(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        ended = CounterMetricFamily("personvlm_describe_requests", "Pictures by how they ended", labels=["outcome"])
        for outcome, count in now.ended.items():
            ended.add_metric([outcome], count)
        yield ended
        waiting = GaugeMetricFamily("personvlm_describe_waiting", "Pictures that wait", labels=["priority"])
        for priority, count in now.queued.items():
            waiting.add_metric([priority], count)
        yield waiting
        yield GaugeMetricFamily("personvlm_describe_running", "Pictures inside a batch", now.running)
        yield GaugeMetricFamily("personvlm_describe_oldest_seconds", "Age of the oldest that waits",
                                now.oldest_ms / 1000)  # fmt: skip
        batches = CounterMetricFamily("personvlm_describe_batches", "Batches by their size", labels=["size"])
        for size, count in now.batch_sizes.items():
            batches.add_metric([str(size)], count)
        yield batches
        stages = HistogramMetricFamily("personvlm_describe_stage_seconds", "Time by stage", labels=["stage"])
        for stage, times in now.stages.items():
            total, buckets = 0, []
            for bound, count in zip((*BOUNDS_MS, float("inf")), times.buckets, strict=True):
                total += count
                buckets.append(("+Inf" if bound == float("inf") else repr(bound / 1000), float(total)))
            stages.add_metric([stage], buckets, times.total_ms / 1000)
        yield stages
