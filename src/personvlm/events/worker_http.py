"""What a worker tells those who watch it: /healthz, /readyz and /metrics, by a small server in a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from personvlm.events.port import COUNTERS, QueueDownError, QueueStats
from personvlm.events.worker import OUTCOMES, Worker
from personvlm.runtime.batching_metrics import BOUNDS_MS, Histogram

_FRESH_S = 2.0  # the queue is not asked more often than this, whoever watches


class WorkerMetrics(Collector):
    """A worker's counters, its batch engine's, and its queue's, for Prometheus."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._stats: QueueStats | None = None
        self._asked = 0.0

    def collect(self) -> Iterator[Any]:
        """See ``prometheus_client``."""
        worker = self._worker
        events = CounterMetricFamily("personvlm_worker_events", "What became of events here.", labels=["outcome"])
        for outcome in OUTCOMES:
            events.add_metric([outcome], worker.counts[outcome])
        yield events
        yield GaugeMetricFamily("personvlm_worker_busy", "Events claimed and not finished.", worker.busy)
        up = GaugeMetricFamily("personvlm_worker_up", "Whether the part answers.", labels=["part"])
        up.add_metric(["queue"], worker.queue_down is None)
        up.add_metric(["store"], worker.store_down is None)
        yield up
        yield _histogram("personvlm_worker_delay_seconds", "From an event's frame to its description.", worker.delays)
        seen = worker.engine.snapshot()
        sizes = CounterMetricFamily("personvlm_worker_batches", "Batches by their size.", labels=["size"])
        for size, count in seen.batch_sizes.items():
            sizes.add_metric([str(size)], count)
        yield sizes
        for stage, times in seen.stages.items():
            yield _histogram(f"personvlm_worker_{stage}_seconds", f"Time of the stage {stage}.", times)
        stats = self.queue()
        if stats is not None:
            yield from _queue(stats)

    def queue(self) -> QueueStats | None:
        """The queue's, at most two seconds old; None where it does not answer."""
        with self._lock:
            if time.monotonic() - self._asked > _FRESH_S:
                self._asked = time.monotonic()
                try:
                    self._stats = self._worker.queue.stats()
                except QueueDownError:
                    self._stats = None
            return self._stats


def _histogram(name: str, help_text: str, times: Histogram) -> HistogramMetricFamily:
    total, buckets = 0, []
    for bound, count in zip(BOUNDS_MS, times.buckets, strict=False):
        total += count
        buckets.append((str(bound / 1000), float(total)))
    buckets.append(("+Inf", float(times.count)))
    metric = HistogramMetricFamily(name, help_text)
    metric.add_metric([], buckets, times.total_ms / 1000)
    return metric


def _queue(stats: QueueStats) -> Iterator[Any]:
    waiting = GaugeMetricFamily("personvlm_queue_waiting", "Events that wait.", labels=["trigger"])
    for trigger, count in stats.waiting.items():
        waiting.add_metric([trigger], count)
    yield waiting
    yield GaugeMetricFamily("personvlm_queue_leased", "Events that somebody works on.", stats.leased)
    yield GaugeMetricFamily("personvlm_queue_dead", "Dead letters.", stats.dead)
    yield GaugeMetricFamily("personvlm_queue_oldest_seconds", "Age of the oldest event that waits.", stats.oldest_s)
    events = CounterMetricFamily("personvlm_queue_events", "Events so far by what became of them.", labels=["outcome"])
    for outcome in COUNTERS:
        events.add_metric([outcome], getattr(stats, outcome))
    yield events


class WorkerServer:
    """Serves a worker's state. ``port`` 0 takes a free one; :attr:`port` says which.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, worker: Worker, port: int, host: str = "0.0.0.0") -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(WorkerMetrics(worker))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8")
                elif self.path in ("/healthz", "/readyz"):
                    fine = worker.healthy if self.path == "/healthz" else worker.ready
                    state = {"ok": fine, "busy": worker.busy, "queue": worker.queue_down or "ok",
                             "store": worker.store_down or "ok"}  # fmt: skip
                    self._answer(200 if fine else 503, json.dumps(state).encode(), "application/json")
                else:
                    self._answer(404, b"/healthz, /readyz, /metrics\n", "text/plain")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Whoever watches does so often."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
