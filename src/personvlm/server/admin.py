"""For those who run it: the audit, the queue and its dead letters, and erasing people."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from personvlm.events.port import QueueStats
from personvlm.server.people import Limit
from personvlm.server.problems import Json
from personvlm.server.services import audited, services

router = APIRouter(tags=["admin"])

EventIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=1000)]
SeenHash = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Of an entry that was seen before.")]
_LARGEST = 2**62


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AuditEntry(_Shown):
    """Who did what. `hash` covers the row and the hash of the one before."""

    id: int
    at: float
    actor: str = Field(description="Id of the token; `local` where none was needed.")
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class Audit(_Shown):
    """Part of the audit, the oldest first; `next` goes into `after`."""

    entries: list[AuditEntry]
    next: int


class Verified(_Shown):
    """Whether the chain of the audit is whole."""

    intact: bool
    problem: str | None
    entries: int
    last_hash: str | None = Field(description="Keep it: a chain that was written anew does not have it.")


class QueueState(_Shown):
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


class Dead(_Shown):
    """An event that nobody could describe."""

    event_id: str
    reason: str
    attempts: int
    died_at: float


class DeadLetters(_Shown):
    """The oldest first."""

    dead: list[Dead]


class ReplayBody(_Shown):
    """Which dead letters are tried again; without ids all of them."""

    event_ids: EventIds | None = None


class Replayed(_Shown):
    """How many wait again."""

    replayed: int


@router.get("/v1/audit", response_model=Audit, summary="Who did what")
def audit(request: Request, after: Annotated[int, Query(ge=0, le=_LARGEST)] = 0, limit: Limit = 50) -> Response:
    """Reading it is not written into it."""
    rows = services(request).store.audited(after, limit)
    entries = [{**asdict(each), "detail": dict(each.detail)} for each in rows]
    return Json({"entries": entries, "next": rows[-1].id if rows else after})


@router.get("/v1/audit/verify", response_model=Verified, summary="Is the audit whole?")
def verify(request: Request, last_hash: SeenHash = None) -> Response:
    """Goes through all of it. Any row that was changed, added or taken out by somebody else than this program shows."""
    store = services(request).store
    problem = store.verify_audit(last_hash)
    count, last = 0, None
    while part := store.audited(count, 1000):
        count, last = part[-1].id, part[-1].hash
    return Json({"intact": problem is None, "problem": problem, "entries": count, "last_hash": last})


@router.get("/v1/queue", response_model=QueueState, summary="How the queue is")
def queue(request: Request) -> Response:
    """Depth, age and counters."""
    stats: QueueStats = services(request).queue.stats()
    return Json({**asdict(stats), "waiting": dict(stats.waiting), "queued": stats.queued, "missing": stats.missing})


@router.get("/v1/queue/dead", response_model=DeadLetters, summary="Events that nobody could describe")
def dead(request: Request, limit: Limit = 50) -> Response:
    """Why, and since when. Their pictures are not shown."""
    letters = services(request).queue.dead(limit)
    return Json({"dead": [{"event_id": each.event_id, "reason": each.reason, "attempts": each.attempts,
                           "died_at": each.died_at} for each in letters]})  # fmt: skip


@router.post("/v1/queue/replay", response_model=Replayed, summary="Try dead letters again")
def replay(request: Request, body: ReplayBody) -> Response:
    """They wait again with all their attempts."""
    service = services(request)
    count = service.queue.replay(body.event_ids)
    if service.settings.store is not None:
        audited(request, "replay", "queue", {"event_ids": body.event_ids, "replayed": count, "time": time.time()})
    return Json({"replayed": count})
