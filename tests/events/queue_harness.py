"""The adapters that the contract runs against, each with what a test needs of its engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from personvlm.events import Lease, Queue, QueueSettings, open_queue
from personvlm.schema.events import Crop, DescribeRequest

ADAPTERS = ("memory", "sqlite", "postgresql", "redis", "rabbitmq")

FAST = {"lease_s": 30.0, "backoff_s": 0.15, "backoff_cap_s": 0.3, "jitter": 0.5, "attempts": 3}


WAIT = 30.0  # for what should be there at once, on a machine that has much else to do


def ids(leases: list[Lease]) -> list[str]:
    return [lease.request.event_id for lease in leases]


def claim_all(queue: Queue, count: int) -> list[Lease]:
    """``count`` leases, in as many claims as it takes."""
    leases: list[Lease] = []
    end = time.monotonic() + WAIT
    while len(leases) < count and time.monotonic() < end:
        leases += queue.claim(count - len(leases), 0.2)
    return leases


def event(track: int = 1, trigger: Any = "new_track", time: float = 100.0, *, first: float | None = 1.0,
          data: bytes = b"jpeg", **more: Any) -> DescribeRequest:  # fmt: skip
    """An event of camera ``gate``."""
    return DescribeRequest.build("gate", track, trigger, time, Crop(data=data, time=time), first_seen=first, **more)


def update(track: int, revision: int, **more: Any) -> DescribeRequest:
    """An update of a track."""
    return event(track, "track_update", 100.0 + revision, revision=revision, **more)


class Harness:
    """One queue of one adapter, opened as often as a test likes."""

    def __init__(self, adapter: str, url: str) -> None:
        self.adapter, self.url = adapter, url
        self._open: list[Queue] = []
        self._blobs: Any = None

    def open(self, *, blobs: Any = None, **settings: Any) -> Queue:
        """The queue. Memory gives the same one again."""
        if self.adapter == "memory" and self._open:
            return self._open[0]
        self._settings = QueueSettings(**{**FAST, **settings})
        self._open.append(open_queue(self.url, self._settings, blobs))
        return self._open[-1]

    def abandon(self, queue: Queue) -> None:
        """What ``queue`` has claimed becomes claimable again, as if its process had died."""
        if queue.capabilities.leases:
            time.sleep(queue.settings.lease_s + 0.05)
        else:
            queue.close()

    def inject(self, payload: bytes) -> None:
        """Put bytes where the messages are."""
        queue: Any = self._open[0]
        if self.adapter in ("sqlite", "postgresql"):
            from personvlm.store.tables import queue_events

            name = uuid.uuid4().hex
            with queue.engine.begin() as connection:
                connection.execute(queue_events.insert().values(
                    event_id=name, person=name, camera="", lane=1, revision=1, final=False, due=0.0, put_at=0.0,
                    message=payload))  # fmt: skip
                queue.count(connection, {"accepted": 1, "depth": 1})
        else:
            queue.put_raw(payload)

    def drop(self) -> None:
        """Leave nothing on a shared broker."""
        if self.adapter in ("redis", "rabbitmq") and self._open:
            queue: Any = open_queue(self.url, self._settings)
            queue.drop()
            queue.close()

    def close(self) -> None:
        for queue in self._open:
            queue.close()


def eventually(check: Callable[[], bool], seconds: float = WAIT) -> bool:
    """Whether ``check`` becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.02)
    return check()
