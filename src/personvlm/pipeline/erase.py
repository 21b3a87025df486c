"""Forgetting people wherever they may be: in the store, in the queue, in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from personvlm.events import Queue, open_queue
from personvlm.store import Store
from personvlm.store.erasing import Receipt


def erase(store: Store, people: Sequence[str], *, identity: bool = False, actor: str = "somebody", reason: str = "",
          queue: Queue | str | None = None, cache: str | None = None, scrub: bool = True) -> Receipt:  # fmt: skip
    """Erase people from ``store``, and what waits or died in the queue, and the cache of latest descriptions.

    The queue goes first, so that nobody is described meanwhile; a worker that holds one of them already is refused by
    the store. The receipt counts what was found in the queue and the cache, and names what is out of reach.

    Args:
        people: ids of tracks.
        identity: everybody whom links connect with them as well.
        queue: the queue, or its address, where it is not in the database of the store.
        cache: address of Redis, where :class:`personvlm.store.hot.HotCache` is used.
    """
    wanted = list(dict.fromkeys(each for one in people for each in store.same_as(one))) if identity else list(people)
    queued, remaining = 0, list[str]()
    if queue is not None:
        with contextlib.ExitStack() as stack:
            port = queue
            if isinstance(port, str):
                port = stack.enter_context(contextlib.closing(open_queue(port, blobs=store.blobs)))
            queued = port.erase(wanted)
        if not port.capabilities.erases:
            remaining.append("RabbitMQ's own files, until the broker rewrites them")
    cached = 0
    if cache is not None:
        from personvlm.store.hot import HotCache

        cached = HotCache(cache).forget(wanted)
    receipt = store.erase(wanted, identity=identity, actor=actor, reason=reason, scrub=scrub)
    counts = {**receipt.counts, "queue": queued, "cache": cached}
    return replace(receipt, counts=counts, remaining=(*receipt.remaining, *remaining))
