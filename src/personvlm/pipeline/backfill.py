"""An archive of crops described once: resumable, since what the store knows is not described again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from personvlm.base.errors import InputError
from personvlm.events.describing import EventEngine
from personvlm.events.port import PutResult, Queue
from personvlm.pipeline.backfill_sources import Piece, read
from personvlm.runtime.batching_queue import BatchSettings, Priority
from personvlm.runtime.tracks import TrackModel
from personvlm.schema import PersonDescription
from personvlm.schema.events import Described, DescribeRequest
from personvlm.store.store import Store

KNOWN_AT_ONCE = 512
STORED_AT_ONCE = 256
READERS = 4
_SHOWN = 20
_Item = TypeVar("_Item")
Asked = tuple[Piece, DescribeRequest]


@dataclass
class Backfilled:
    """What became of an archive.

    Attributes:
        seen: crops.
        known: of these, described before by this model (on a queue: known to it), or named before in the same archive.
        described: now.
        failed: could not be; ``problems`` are the first of them, ``(place, why)``.
        queued: were only queued, for workers.
    """

    seen: int = 0
    known: int = 0
    described: int = 0
    failed: int = 0
    queued: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def fail(self, piece: Piece, why: str) -> None:
        """One more that could not be described."""
        self.failed += 1
        if len(self.problems) < _SHOWN:
            self.problems.append((piece.place, why))


def backfill(found: Iterable[Piece], store: Store, model: TrackModel, *, batch: int = 16, concurrency: int = 1,
             watch: Callable[[Backfilled], None] = lambda so_far: None) -> Backfilled:  # fmt: skip
    """Describe what the store does not know yet, in this process.

    It may be broken off at any time: what is stored stays, and the next run goes on from there. What failed is tried
    again then.

    Args:
        found: see :func:`personvlm.pipeline.backfill_sources.pieces`; may be endless.
        watch: called after each part.
    """
    done, began = Backfilled(), time.monotonic()
    settings = BatchSettings(batch=batch, queue=max(256, 4 * batch), preparers=1)
    with EventEngine(model, None, settings, concurrency) as engine, ThreadPoolExecutor(READERS, "read") as readers:
        asked: list[Asked] = []
        requests = _asked(_read(fresh(found, store, model.name, done), readers, done), asked)
        answers = engine.outcomes((request for _, request in requests), priority=Priority.BACKFILL)
        # Answers come in the order of their requests, which run ahead of them.
        for part in parts(answers, STORED_AT_ONCE):
            store_all(store, list(zip(asked, part, strict=False)), done)
            del asked[: len(part)]
            done.seconds = time.monotonic() - began
            watch(done)
    done.seconds = time.monotonic() - began
    return done


def enqueue(found: Iterable[Piece], queue: Queue, *, wait_s: float = 3600.0,
            watch: Callable[[Backfilled], None] = lambda so_far: None) -> Backfilled:  # fmt: skip
    """Queue an archive for workers, behind everything else; waits while the queue is full.

    Raises:
        QueueFullError: it was full for ``wait_s`` seconds.
    """
    done, began = Backfilled(), time.monotonic()
    with ThreadPoolExecutor(READERS, "read") as readers:
        counted = _counting(found, done)
        for part in parts(_read(counted, readers, done), STORED_AT_ONCE):
            results = _put(part, queue, wait_s, done)
            done.queued += results.count("accepted")
            done.known += results.count("duplicate")
            done.seconds = time.monotonic() - began
            watch(done)
    done.seconds = time.monotonic() - began
    return done


def _put(part: Sequence[tuple[Piece, bytes]], queue: Queue, wait_s: float, done: Backfilled) -> list[PutResult]:
    """Queue ``part``; where one of them is refused, one after the other, so that the others are queued."""
    try:
        return queue.put([piece.request(data) for piece, data in part], wait_s=wait_s)
    except InputError as error:
        if len(part) == 1:
            done.fail(part[0][0], str(error))
            return []
    return [result for each in part for result in _put([each], queue, wait_s, done)]


def fresh(found: Iterable[Piece], store: Store, model: str, done: Backfilled) -> Iterator[Piece]:
    """Those that ``model`` has not described."""
    for part in parts(found, KNOWN_AT_ONCE):
        known = store.known([piece.event_id for piece in part], model)
        done.seen += len(part)
        done.known += sum(piece.event_id in known for piece in part)
        yield from (piece for piece in part if piece.event_id not in known)


def store_all(store: Store, answers: Sequence[tuple[Asked, Any]], done: Backfilled) -> None:
    """Store descriptions in one transaction; what is an error in the place of one is counted."""
    described = []
    for (piece, request), answer in answers:
        if isinstance(answer, PersonDescription):
            described.append(Described(request=request, description=answer, described_at=time.time()))
        else:
            done.fail(piece, str(answer))
    new = store.add(described)
    done.described += sum(new)
    done.known += len(new) - sum(new)  # named twice, or described by somebody else meanwhile


def parts(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of at most ``size``."""
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part


def _counting(found: Iterable[Piece], done: Backfilled) -> Iterator[Piece]:
    for piece in found:
        done.seen += 1
        yield piece


def _asked(items: Iterable[tuple[Piece, bytes]], asked: list[Asked]) -> Iterator[Asked]:
    for piece, data in items:
        pair = (piece, piece.request(data))
        asked.append(pair)
        yield pair


def _read(found: Iterable[Piece], readers: ThreadPoolExecutor, done: Backfilled) -> Iterator[tuple[Piece, bytes]]:
    """Bytes of the pieces in their order, a few read ahead; those that cannot be read are counted and left out."""

    def one(piece: Piece) -> tuple[Piece, bytes | str]:
        try:
            return piece, read(piece.place)
        except (OSError, InputError) as error:
            return piece, f"{error}"

    for part in parts(found, 4 * READERS):
        for piece, data in readers.map(one, part):
            if isinstance(data, str):
                done.fail(piece, data)
            else:
                yield piece, data
