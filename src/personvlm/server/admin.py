"""For those who run it: the audit, the queue and its dead letters, and erasing people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from personvlm.events.port import DeadLetter, Queue, QueueStats
from personvlm.server.people import Limit
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import audited, services

router = APIRouter(tags=["admin"])

EventIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]],
                     Field(max_length=1000)]  # fmt: skip
EventId = Annotated[str, Path(pattern=r"^[^/\x00]+$", min_length=1, max_length=200)]
SeenHash = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Of an entry that was seen before.")]
AfterLetter = Annotated[str | None, Query(pattern=r"^-?0x[01]\.[0-9a-f]{1,13}p[+-]\d{1,2}_[^\x00]{1,200}$",
                                          description="`next` of the part before.")]  # fmt: skip
_LARGEST = 2**62
Number = Annotated[int, Query(ge=0, le=_LARGEST)]


class AuditEntry(Exact):
    """Who did what. `hash` covers the row and the hash of the one before."""

    id: int
    at: float
    actor: str = Field(description="Id of the token; `local` where none was needed.")
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class Audit(Exact):
    """Part of the audit, the oldest first; `next` goes into `after`. Or the newest first; then into `before`, until
    it is 1."""

    entries: list[AuditEntry]
    next: int


class Verified(Exact):
    """Whether the chain of the audit is whole."""

    intact: bool
    problem: str | None
    entries: int
    last_hash: str | None = Field(description="Keep it: a chain that was written anew does not have it.")


class QueueState(Exact):
    """The queue at this moment. `missing` is 0, or something is wrong."""

    waiting: dict[str, int]
    leased: int
    dead: int
    oldest_s: float
    accepted: int
    acked: int
    superseded: int
    shed: int
    erased: int
    queued: int
    missing: int


class Dead(Exact):
    """An event that nobody could describe."""

    event_id: str
    reason: str
    attempts: int
    died_at: float


class DeadLetters(Exact):
    """Part of a list, the oldest first; `next` goes into `after` to have the following part, and is null at the end."""

    dead: list[Dead]
    next: str | None


class ReplayBody(Exact):
    """Which dead letters are tried again; without ids all of them."""

    event_ids: EventIds | None = None


class Replayed(Exact):
    """How many wait again."""

    replayed: int


@router.get("/v1/audit", response_model=Audit, summary="Who did what")
def audit(request: Request, after: Number = 0, before: Annotated[
        int | None, Query(ge=1, le=_LARGEST, description="The newest first, below this number.")] = None,
          limit: Limit = 50) -> Response:  # fmt: skip
    """Reading it is not written into it. `before=4611686018427387904` begins with the newest."""
    store = services(request).store
    if before is None:
        rows = store.audited(after, limit)
        end = rows[-1].id if rows else after
    else:
        newest = store.last_audited()
        top = min(before, newest[0] + 1 if newest else 1)
        rows = [each for each in reversed(store.audited(max(0, top - 1 - limit), limit)) if each.id < top]
        end = rows[-1].id if rows else 1
    return Json({"entries": [{**asdict(each), "detail": dict(each.detail)} for each in rows], "next": end})


@router.get("/v1/audit/verify", response_model=Verified, summary="Is the audit whole?")
def verify(request: Request, last_hash: SeenHash = None) -> Response:
    """Goes through all of it. Any row that was changed, added or taken out by somebody else than this program shows."""
    store = services(request).store
    problem = store.verify_audit(last_hash)
    count, last = store.last_audited() or (0, None)
    return Json({"intact": problem is None, "problem": problem, "entries": count, "last_hash": last})


@router.get("/v1/queue", response_model=QueueState, summary="How the queue is")
def queue(request: Request) -> Response:
    """Depth, age and counters."""
    stats: QueueStats = services(request).queue.stats()
    return Json({**asdict(stats), "waiting": dict(stats.waiting), "queued": stats.queued, "missing": stats.missing})


@router.get("/v1/queue/dead", response_model=DeadLetters, summary="Events that nobody could describe")
def dead(request: Request, after: AfterLetter = None, limit: Limit = 50) -> Response:
    """Why, and since when. Their pictures are not shown."""
    letters = _dead(services(request).queue, after, limit + 1)
    shown, last = letters[:limit], letters[limit - 1] if len(letters) > limit else None
    return Json({"dead": [{"event_id": each.event_id, "reason": each.reason, "attempts": each.attempts,
                           "died_at": each.died_at} for each in shown],
                 "next": None if last is None else f"{last.died_at.hex()}_{last.event_id}"})  # fmt: skip


def _dead(queue: Queue, after: str | None, count: int) -> Sequence[DeadLetter]:
    """Up to ``count`` letters that follow ``after``. Queues only know how to begin at the oldest, so that as many as it
    takes are read. Where that letter is not dead any more, from its time on: one may come twice, none is lost."""
    if after is None:
        return queue.dead(count)
    time, _, event_id = after.partition("_")
    died_at, most = float.fromhex(time), count
    while True:
        letters = queue.dead(most)
        place = next((row + 1 for row, each in enumerate(letters)
                      if each.event_id == event_id and each.died_at == died_at), None)  # fmt: skip
        if place is None and len(letters) < most:
            return [each for each in letters if each.died_at >= died_at][:count]
        if place is not None and (len(letters) - place >= count or len(letters) < most):
            return letters[place : place + count]
        most *= 4


@router.post("/v1/queue/replay", response_model=Replayed, summary="Try dead letters again")
def replay(request: Request, body: ReplayBody) -> Response:
    """They wait again with all their attempts."""
    service = services(request)
    count = service.queue.replay(body.event_ids)
    if service.settings.store is not None:
        audited(request, "replay", "queue", {"event_ids": body.event_ids, "replayed": count, "time": time.time()})
    return Json({"replayed": count})


@router.delete("/v1/queue/dead/{event_id}", status_code=204, summary="Drop a dead letter")
def drop(request: Request, event_id: EventId) -> Response:
    """For good: the message, and the pictures that it holds. 404 where no such letter is dead (any more)."""
    service = services(request)
    if service.settings.store is not None:
        audited(request, "drop dead letter", event_id)
    if not service.queue.drop_dead([event_id]):
        raise Problem(404, "not_found", f"no event {event_id[:80]} is dead")
    return Response(status_code=204)
