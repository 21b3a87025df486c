"""Work that a test can hold up, for batch engines."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Snapshot
from personvlm.runtime.batching_queue import BatchSettings

SOON = 10.0
"""Seconds after which a test that waits has failed; nothing takes that long."""


class Gate:
    """Work that waits at a gate, and keeps what it was given. A test that holds the gate knows what runs."""

    def __init__(self, *, open_: bool = False) -> None:
        self.batches: list[list[Any]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(1_000_000 if open_ else 0)

    def __call__(self, items: list[Any]) -> list[Any]:
        self.batches.append(list(items))
        self.entered.release()
        assert self.gate.acquire(timeout=SOON)
        return [("did", item) for item in items]

    def wait_until_busy(self) -> None:
        assert self.entered.acquire(timeout=SOON)

    def open(self) -> None:
        self.gate.release(1_000_000)


def adds_up(snapshot: Snapshot) -> bool:
    waiting = sum(snapshot.queued.values())
    return snapshot.submitted == sum(snapshot.ended.values()) + waiting + snapshot.running


def wait_for(condition: Any) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def busy(gate: Gate, **settings: Any) -> tuple[BatchEngine[Any, Any], Future[Any]]:
    """An engine whose only worker is inside the gate with the item "first"."""
    engine: BatchEngine[Any, Any] = BatchEngine([gate], BatchSettings(**settings))
    first = engine.submit("first")
    gate.wait_until_busy()
    return engine, first
