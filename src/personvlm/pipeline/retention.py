"""How long what cameras saw is kept, wherever it lies: in the store, among dead letters, in the cache."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace

from personvlm.base.errors import InputError
from personvlm.events import DeadLetter, Queue, open_queue
from personvlm.events.message import decode
from personvlm.events.sql import SqlQueue
from personvlm.store import Store
from personvlm.store.reading import Camera
from personvlm.store.retention import Sweep

DEAD_DAYS = 30.0
"""Days for which a dead letter is kept whose camera says nothing."""

_WITHOUT_PICTURES = 1.0
_DAY = 86_400.0


def sweep(store: Store, queue: Queue | str | None = None, *, dead_days: float = DEAD_DAYS,
          scrub: bool = False) -> Sweep:  # fmt: skip
    """Erase who is older than their camera says from ``store``, pictures that have expired, and dead letters: those of
    the queue in the database of the store, and those of ``queue``.

    A dead letter holds a picture, so that the shorter of a camera's days for people and for pictures counts, from when
    the person was seen; one day where the camera keeps no pictures. Letters of other cameras, and what is no message,
    go ``dead_days`` after they died.

    Args:
        queue: a queue elsewhere, or its address.
        scrub: overwrite free space of the database, if anybody was erased.

    Raises:
        InputError: ``dead_days`` is not above 0.
        QueueDownError: the queue does not answer; the store is swept by then.
    """
    if not dead_days > 0:
        raise InputError(f"dead letters are kept for more than 0 days, not {dead_days}")
    swept = store.sweep()
    days = {camera.name: _days(camera) for camera in store.cameras()}
    own = SqlQueue(store.engine, blobs=store.blobs)
    dropped = _drop(store, own, days, dead_days)
    if queue is not None:
        with contextlib.ExitStack() as stack:
            if isinstance(queue, str):
                queue = stack.enter_context(contextlib.closing(open_queue(queue, blobs=store.blobs, store=store)))
            if not isinstance(queue, SqlQueue) or queue.engine.url != store.engine.url:
                dropped += _drop(store, queue, days, dead_days)
    if scrub and (swept.people or dropped):
        store.scrub()
    return replace(swept, dead=dropped)


def _drop(store: Store, queue: Queue, days: Mapping[str, float | None], dead_days: float) -> int:
    now = time.time()

    def old(letter: DeadLetter) -> bool:
        kept, since = None, letter.died_at
        with contextlib.suppress(InputError):
            request = decode(letter.payload)
            kept = days.get(request.camera)
            since = letter.died_at if kept is None else min(letter.died_at, request.frame_time)
        return since < now - _DAY * (dead_days if kept is None else kept)

    dropped = queue.drop_dead(choose=old)
    if dropped:
        store.audit("retention", "drop dead letters", "queue", {"dropped": dropped})
    return dropped


def _days(camera: Camera) -> float | None:
    given = [each for each in (camera.keep_days, camera.crop_days) if each is not None]
    return min(given + ([] if camera.keep_crops else [_WITHOUT_PICTURES]), default=None)
