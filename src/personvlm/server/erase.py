"""Forgetting people, and how long they are kept before that happens by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field

from personvlm.integrations.outbox import waiting_files
from personvlm.pipeline.erase import erase as everywhere
from personvlm.server.people import CameraName, CameraRow, camera_row
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import audited, services
from personvlm.store.database import is_sqlite

router = APIRouter(tags=["admin"])

Person = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Days = Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)]


class EraseBody(Exact):
    """Who is to be forgotten."""

    people: Annotated[list[Person], Field(min_length=1, max_length=1000)]
    identity: bool = Field(default=False, description="Also everybody who is the same person on other cameras.")
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] = ""
    scrub: bool | None = Field(default=None, description="Overwrite the free space of the database too, which takes as "
                               "long as copying it. By default SQLite's; PostgreSQL locks its tables meanwhile: there "
                               "`personvlm store scrub` does it at a quiet hour.")  # fmt: skip


class Erased(Exact):
    """A receipt, to be kept by whoever asked for it."""

    at: float
    actor: str
    reason: str
    people: list[str]
    counts: dict[str, int] = Field(description="How much of what.")
    remaining: list[str] = Field(description="Places that could hold copies, out of reach of this program.")
    audit: int = Field(description="Number of the row of the audit that tells of it.")
    hash: str = Field(description="Of that row.")


class KeepBody(Exact):
    """How long what a camera saw is kept; `null` is for ever."""

    keep_days: Days | None = None
    crop_days: Days | None = None
    keep_crops: bool = True


@router.post("/v1/erase", response_model=Erased, summary="Forget people")
def erase(request: Request, body: EraseBody) -> Response:
    """In the store, in every index, with their pictures, alerts and links, what waits or died in the queue, the cache,
    and what waits for an MQTT broker here. Who was erased is not stored again, however late an answer comes."""
    service = services(request)
    queue = service.queue if service.settings.queue is not None else None
    scrub = is_sqlite(service.store.engine) if body.scrub is None else body.scrub
    receipt = everywhere(service.store, body.people, identity=body.identity, actor=request.state.principal.id,
                         reason=body.reason, queue=queue, elsewhere=waiting_files(), scrub=scrub)  # fmt: skip
    number, digest = receipt.audit
    return Json({"at": receipt.at, "actor": receipt.actor, "reason": receipt.reason, "people": list(receipt.people),
                 "counts": receipt.counts, "remaining": list(receipt.remaining), "audit": number,
                 "hash": digest})  # fmt: skip


@router.put("/v1/cameras/{name:path}", response_model=CameraRow, summary="How long is kept what a camera saw?")
def keep(request: Request, name: Annotated[CameraName, Path()], body: KeepBody) -> Response:
    """The server erases who is older, once an hour. 404 for a camera that saw nobody yet."""
    service = services(request)
    if all(each.name != name for each in service.store.cameras()):
        raise Problem(404, "no_camera", f"there is no camera {name!r}; GET /v1/cameras lists them")
    audited(request, "keep", name, body.model_dump())
    service.store.keep(name, days=body.keep_days, crop_days=body.crop_days, crops=body.keep_crops)
    row = next(each for each in service.store.cameras() if each.name == name)
    return Json(camera_row(row, service.settings))
