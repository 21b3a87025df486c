"""Events of the store in the order in which they came: in parts, and live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from personvlm.schema import Described
from personvlm.server.access import RECHECK_S
from personvlm.server.languages import SPEAKS
from personvlm.server.people import Camera, Limit
from personvlm.server.problems import Json, Problem
from personvlm.server.services import Services, audited, services
from personvlm.server.wire import Events, event

router = APIRouter(tags=["events"])

POLL_S = 0.5
BEAT_S = 15.0
MOST = 200
"""Live feeds at once."""

_WAITING = 500  # events that a slow reader may be behind
_PART = 200
_SCANNED = 2_000
_LARGEST = 2**62

Number = Annotated[int, Query(ge=0, le=_LARGEST, description="`next` of the part before, or a number of an event.")]


@dataclass(frozen=True)
class Erasure:
    """People who were erased: whoever shows them is to stop that."""

    people: tuple[str, ...]


New = tuple[int, Described] | Erasure | None
"""An event with its number, or who is gone, or None: there is nothing more for this reader."""


class Feed:
    """Looks for what is new in the store, once for all who listen, and only while somebody does."""

    def __init__(self, service: Services) -> None:
        self._service = service
        self._listeners: set[asyncio.Queue[New]] = set()
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[New]]:
        """A queue of what is new; None at its end says that its reader was too slow."""
        if len(self._listeners) >= MOST:
            raise Problem(429, "too_many_feeds", f"{MOST} feeds are open already", headers={"Retry-After": "10"})
        queue: asyncio.Queue[New] = asyncio.Queue(_WAITING + 1)
        self._listeners.add(queue)
        try:
            await self._start()
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _start(self) -> None:
        """Begin to look, unless somebody does: who come together wait for each other, and one of them begins."""
        async with self._starting:
            if self._task is None or self._task.done():
                last = await run_in_threadpool(self._service.settled.upto)
                audited = await run_in_threadpool(self._service.store.last_audited)
                if not self._closed:
                    self._task = asyncio.create_task(self._poll(last, audited[0] if audited else 0))
        if self._closed:
            raise Problem(503, "closing", "the server ends", headers={"Retry-After": "5"})

    def close(self) -> None:
        """Nothing comes any more, and who listens is told."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(None)

    async def _poll(self, sent: int, audited: int) -> None:
        """Everything that follows number ``sent``, once nothing can come before it any more, and who was erased since
        row ``audited`` of the audit."""
        while self._listeners:
            await asyncio.sleep(POLL_S)
            with contextlib.suppress(Exception):  # a database that is away comes back, and nothing was passed over
                upto = await run_in_threadpool(self._service.settled.upto)
                while part := await run_in_threadpool(part_of, self._service, sent, upto):
                    for each in part:
                        self._pass_on(each)
                    sent = part[-1][0]
                while rows := await run_in_threadpool(self._service.store.audited, audited, _PART):
                    audited = rows[-1].id
                    for row in rows:
                        if row.action == "erase":
                            self._pass_on(Erasure(tuple(row.detail["people"])))

    def _pass_on(self, each: New) -> None:
        for queue in list(self._listeners):
            if queue.qsize() < _WAITING:
                queue.put_nowait(each)
            else:
                queue.put_nowait(None)
                self._listeners.discard(queue)


def part_of(service: Services, after: int, upto: int) -> list[tuple[int, Described]]:
    """What follows number ``after``, one part, up to ``upto`` (see :class:`personvlm.server.settled.Settled`)."""
    return [each for each in service.store.after(after, _PART) if each[0] <= upto] if after < upto else []


@router.get("/v1/events", response_model=Events, dependencies=SPEAKS,
            summary="Everything that was said, in the order it was stored")  # fmt: skip
def events(request: Request, after: Number = 0, camera: Camera = None, limit: Limit = 50) -> Response:
    """Begins at the oldest. A part may be short, or empty, although more follows: go on with `next` until it no longer
    changes."""
    service = services(request)
    audited(request, "list", "events", {"after": after, "camera": camera})
    found: list[dict[str, Any]] = []
    scanned, upto = 0, service.settled.upto()
    while len(found) < limit and scanned < _SCANNED:
        part = part_of(service, after, upto)
        if not part:
            break
        scanned += len(part)
        for after, each in part:
            if camera is None or each.request.camera in camera:
                found.append(event(each, service.settings, after))
                if len(found) == limit:
                    break
    return Json({"events": found, "next": after})


_STREAM: Any = {200: {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "`id`: the number, `event`: `described`, `data`: an Event in JSON. And `event`: `erased`, `data`: "
                   '`{"people": [ids]}`, who must not be shown any longer.',
}}  # fmt: skip


@router.get("/v1/events/stream", response_class=Response, responses=_STREAM, dependencies=SPEAKS,
            summary="What is said, as it is stored")  # fmt: skip
async def stream(request: Request, camera: Camera = None, after: Annotated[int | None, Query(ge=0, le=_LARGEST)] = None,
                 last_event_id: Annotated[str | None, Header(max_length=30)] = None) -> Response:  # fmt: skip
    """Server-sent events. A browser that was cut off goes on where it was by `Last-Event-ID`."""
    service = services(request)
    if after is None and last_event_id is not None:
        if not last_event_id.isascii() or not last_event_id.isdigit() or int(last_event_id) > _LARGEST:
            raise Problem(422, "bad_id", "Last-Event-ID is a number that came with an event")
        after = int(last_event_id)
    _ = service.store
    await run_in_threadpool(audited, request, "list", "live events", {"camera": camera, "after": after})
    live = request.app.state.feed.listen()
    queue = await live.__aenter__()  # here, so that what is refused is refused before the answer begins

    async def lines() -> AsyncIterator[str]:
        try:
            yield "retry: 2000\n: live\n\n"
            last = after if after is not None else -1
            upto = -1 if after is None else await run_in_threadpool(service.settled.upto)
            while part := await run_in_threadpool(part_of, service, last, upto):  # what was missed
                for last, each in part:
                    if camera is None or each.request.camera in camera:
                        yield _line(last, each, service)
            beat = asked = time.monotonic()
            while True:
                new: New = None
                with contextlib.suppress(asyncio.TimeoutError):
                    new = await asyncio.wait_for(queue.get(), RECHECK_S)
                    if new is None:
                        return
                now = time.monotonic()
                if now - asked >= RECHECK_S:
                    asked = now
                    if not await request.state.still():  # a token that was revoked, a session that is over
                        return
                if new is None:
                    if now - beat >= BEAT_S:
                        beat = now
                        yield ": still here\n\n"
                    continue
                beat = now
                if isinstance(new, Erasure):
                    yield f"event: erased\ndata: {json.dumps({'people': new.people})}\n\n"
                    continue
                number, described = new
                if number > last and (camera is None or described.request.camera in camera):
                    yield _line(number, described, service)
                last = max(last, number)
        finally:
            await live.__aexit__(None, None, None)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _line(number: int, described: Described, service: Services) -> str:
    data = json.dumps(event(described, service.settings, number), separators=(",", ":"))
    return f"id: {number}\nevent: described\ndata: {data}\n\n"
