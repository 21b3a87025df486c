"""Events from cameras that are not ours: pictures of one person, to be described by the workers and stored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from personvlm.events.port import PutResult
from personvlm.schema import Crop, DescribeRequest
from personvlm.schema.events import Postures, Trigger
from personvlm.server.people import CameraName
from personvlm.server.pictures import check, decode64, enough
from personvlm.server.problems import Exact, Json
from personvlm.server.services import services

router = APIRouter(tags=["events"])

Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]


class NewEvent(Exact):
    """One person on one camera. The same camera, track, trigger and time are one event, however often it is sent."""

    camera: CameraName
    track_id: int = Field(ge=0, le=2**53)
    trigger: Trigger = "new_track"
    frame_time: Moment = Field(description="Seconds since the epoch.")
    first_seen: Moment | None = Field(default=None, description="Of the track: tells who it is.")
    revision: int = Field(default=1, ge=1, le=2**31 - 1, description="Counts what is said about a track.")
    final: bool = Field(default=False, description="The person has left.")
    posture: Postures | None = Field(default=None, description="Probabilities of postures, where you know how the "
                                     "person moves.")  # fmt: skip
    images: list[str] = Field(min_length=1, max_length=64, description="Base64 or data URIs, the best first.")


class Accepted(Exact):
    """What became of it; `person` finds it in the store once it is described."""

    event_id: str
    person: str
    outcome: PutResult


@router.post("/v1/events", response_model=Accepted, status_code=202, summary="Have somebody described and stored")
async def put(request: Request, body: NewEvent) -> Response:
    """Accepted is never lost: it is described, or a dead letter that says why. 429 where the queue is full."""
    service = services(request)
    settings, queue = service.settings, service.queue
    enough(body.images, settings)
    crops = []
    for row, text in enumerate(body.images):
        name = f"image {row}"
        data = check(decode64(text, settings, name), settings, name)
        crops.append(Crop(data=data, time=body.frame_time if row == 0 else None))
    event = DescribeRequest.build(
        body.camera, body.track_id, body.trigger, body.frame_time, crops[0], others=tuple(crops[1:]),
        first_seen=body.first_seen, revision=body.revision, final=body.final, posture=body.posture,
    )  # fmt: skip
    (outcome,) = await run_in_threadpool(queue.put, [event])
    request.state.events = [event.event_id]  # for the log
    return Json({"event_id": event.event_id, "person": event.person, "outcome": outcome}, 202)
