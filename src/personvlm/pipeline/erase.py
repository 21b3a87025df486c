"""Forgetting people wherever they may be: in the store, in the queue, in the cache, among messages that wait."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from personvlm.base.errors import InputError
from personvlm.events import Queue, open_queue
from personvlm.store import Store
from personvlm.store.erasing import Receipt


class Elsewhere(Protocol):
    """A further place with words about people; :class:`personvlm.integrations.outbox.WaitingFile` is one."""

    def erase(self, people: Sequence[str]) -> int:
        """Delete what is about these people; how many items.

        Raises:
            InputError: it is out of reach now; says where it is and what to do, for the receipt.
        """
        ...


def erase(store: Store, people: Sequence[str], *, identity: bool = False, actor: str = "somebody", reason: str = "",
          queue: Queue | str | None = None, cache: str | None = None, elsewhere: Iterable[Elsewhere] = (),
          scrub: bool = True) -> Receipt:  # fmt: skip
    """Erase people from ``store``, and what waits or died in the queue, and the cache of latest descriptions.

    The queue goes first, so that nobody is described meanwhile; a worker that holds one of them already is refused by
    the store. The receipt counts what was found in the queue and the cache, and names what is out of reach.

    Args:
        people: ids of tracks.
        identity: everybody whom links connect with them as well.
        queue: the queue, or its address, where it is not in the database of the store.
        cache: address of Redis, where :class:`personvlm.store.hot.HotCache` is used and ``store`` does not know it.
        elsewhere: where else there may be words about them; after the store, so that none are told again.
    """
    if cache is not None:
        from personvlm.store.hot import with_cache

        store = with_cache(store, cache)
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
    receipt = store.erase(wanted, identity=identity, actor=actor, reason=reason, scrub=scrub)
    waiting = 0
    for place in elsewhere:
        try:
            waiting += place.erase(receipt.people)
        except InputError as error:
            remaining.append(str(error))
    counts = {"cache": 0, **receipt.counts, "queue": queued, "outbox": waiting}
    return replace(receipt, counts=counts, remaining=(*receipt.remaining, *remaining))
