"""A worker process whose describer is made up.

Everything else about it is real. A crop that says ``poison`` cannot be described.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Sequence
from typing import Any

from personvlm.base.errors import InputError
from personvlm.events import QueueDownError, open_queue
from personvlm.events.worker import Engine, Worker
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.schema import Attribute, PersonDescription
from personvlm.schema.events import DescribeRequest
from personvlm.store import Store

MODEL = "made up 1"


def describe(requests: Sequence[DescribeRequest], seconds: float = 0.0) -> list[PersonDescription]:
    """The same of everybody but for the revision, or an error."""
    time.sleep(seconds * len(requests))
    if any((request.crop.data or b"").startswith(b"poison") for request in requests):
        raise ValueError("poison")
    return [PersonDescription(text=f"The image shows a man. Revision {request.revision}.", model=MODEL,
                              attributes={"gender": Attribute(value="male", confidence=0.9)})
            for request in requests]  # fmt: skip


def engine(seconds: float = 0.0) -> Engine:
    """A batch engine around it."""
    work: Any = lambda requests: describe(requests, seconds)  # noqa: E731
    return BatchEngine([work], BatchSettings(batch=16))


def main(queue_url: str, store_url: str, milliseconds: float, begun: Any) -> None:
    """Work until SIGTERM; ``begun`` is set as soon as that would be heard."""
    logging.basicConfig(level=logging.ERROR)
    while True:  # a supervisor would start it again
        try:
            store = Store.open(store_url)
            queue = open_queue(queue_url, store=store)
            break
        except (InputError, QueueDownError):
            time.sleep(0.3)
    worker = Worker(queue, store, engine(milliseconds / 1000))
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    begun.set()
    worker.run()
